"""`--also`: what is read of files and collectors, and how little of it is dialled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from probe.failure import UserError
from probe.measuring import extra_addresses
from probe.measuring.extra_addresses import PER_CYCLE, chosen, fetch, fetch_all, parse, read_file, read_files
from probe.model import AlsoDial, Endpoint, Step, Transport, Via
from tests.probe.builders import attempt, endpoint, measurement, observation, target, targets
from tests.probe.test_local_verdicts import collector, line

CHAT = endpoint("tcp", "chat.example", 443)
TARGETS = targets(
    target("svc/chat", CHAT, endpoint("tls", "chat.example", 443), endpoint("tcp", "203.0.113.44", 443)),
    target("baseline/tls", endpoint("tls", "neutral.example", 443)),
    *(target(f"svc{number}/chat", CHAT) for number in range(20)),
)


def dial(address: str = "203.0.113.7", where: Endpoint = CHAT, **more: Any) -> AlsoDial:
    given = {name: getattr(where, name) for name in ("host", "port", "transport", "handshake")}
    return AlsoDial(address=address, **{"target": "svc/chat", **given, **more})


FAILED = measurement(
    "svc/chat",
    attempts=(
        attempt(CHAT, observation(Step.TCP, "connection_reset"), address="203.0.113.7", via=Via.SYSTEM),
        attempt(CHAT, observation(Step.TCP), address="203.0.113.8", via=Via.SYSTEM),
    ),
)
CHECK = [line(FAILED, type="measurement"), b'{"type":"verdict","target":"svc/chat"}', b'{"type":"summary"}']


# --- Reading ------------------------------------------------------------------------------------------------------


def test_another_check_names_where_it_failed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n".join(CHECK) + b"\n")
    assert read_file(str(tmp_path / "a")) == [dial()]


def test_a_check_for_which_all_was_well_names_nothing() -> None:
    assert parse([line(measurement("svc/chat"), type="measurement"), *CHECK[1:]], "x") == []


def test_what_a_collector_lists_may_be_kept_in_a_file() -> None:
    assert parse([line(dial()), line(dial("2001:db8::7"), novelty=1)], "x") == [dial(), dial("2001:db8::7")]


def test_words_of_a_later_version_are_read_and_never_dialled() -> None:
    (later,) = parse([line(dial()).replace(b'"tcp"', b'"sctp"')], "x")
    assert later.transport is Transport.UNKNOWN
    assert chosen([later], TARGETS) == ()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"<html>",
        b"[" * 60_000,
        b'{"address":7}',
        b'{"address":"203.0.113.7"}',
        b'{"type":"measurement"}',
        line(dial()).replace(b"443", b'"443"'),
    ],
)
def test_another_line_is_the_users_mistake(text: bytes) -> None:
    with pytest.raises(UserError, match="x, line 2, is no line of another check or of addresses"):
        parse([line(dial()), text], "x")


def test_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"Cannot read the file .* of --also: Is a directory"):
        read_file(str(tmp_path))
    (tmp_path / "a").write_bytes(b"\n")
    with pytest.raises(UserError, match="is empty: make it with `ringback check --format json`"):
        read_file(str(tmp_path / "a"))
    monkeypatch.setattr(extra_addresses, "FILE_BYTES", 100)
    with pytest.raises(UserError, match="is larger than 100 bytes"):
        read_file("/dev/zero")


# --- A collector --------------------------------------------------------------------------------------------------


def serves(body: bytes, status: int = 200) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        assert not request.query
        return web.Response(body=body, status=status)

    return answer


async def test_a_collector_is_asked_for_its_addresses() -> None:
    async with collector(serves(line(dial()) + b"\n"), "/v1/addresses") as url:
        assert await fetch(url) == [dial()]
        assert await fetch(f"{url}v1/addresses") == [dial()]
    async with collector(serves(b""), "/v1/addresses") as url:
        assert await fetch(url) == []


async def test_what_cannot_be_had_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [
        (b"", 404, "the server answered 404"),
        (b"<html>", 200, "line 1, is no line"),
        (b"x" * 999, 200, "larger"),
    ]
    for body, status, said in sources:
        caplog.clear()
        with monkeypatch.context() as patched:
            patched.setattr(extra_addresses, "FILE_BYTES", 500)
            async with collector(serves(body, status), "/v1/addresses") as url:
                assert await fetch_all([url, str(tmp_path / "a")]) == []
        assert said in caplog.text


def test_files_are_read_and_urls_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(line(dial()))
    assert read_files(["http://127.0.0.1:9", str(tmp_path / "a")]) == [dial()]
    with pytest.raises(UserError):
        read_files([str(tmp_path / "a"), str(tmp_path / "absent")])


# --- What is dialled ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strange",
    [
        dial(target="svc/call"),
        dial(host="stranger.example"),
        dial(port=25),
        dial(transport=Transport.UDP),
        dial(handshake="http"),
        dial("192.168.1.1"),
        dial("127.0.0.1"),
        dial("2001:DB8::7"),
        dial("::ffff:203.0.113.7"),
        dial("chat.example"),
        dial("203.0.113.7", TARGETS.targets[0].endpoints[2]),  # another address in place of a literal one
        dial("203.0.113.44", TARGETS.targets[0].endpoints[2]),  # and that one is dialled anyway
        dial("203.0.113.7", TARGETS.targets[1].endpoints[0], target="baseline/tls"),
    ],
)
def test_nobody_aims_a_probe_at_strangers(strange: AlsoDial) -> None:
    assert chosen([strange, dial()], TARGETS) == (dial(),)


def test_at_most_four_of_an_endpoint_and_family() -> None:
    four = [dial(f"203.0.113.{number}") for number in range(1, 10)]
    six = [dial(f"2001:db8::{number}") for number in range(1, 10)]
    tls = [dial("203.0.113.1", TARGETS.targets[0].endpoints[1])]
    assert chosen([*four, *four[:1], *six, *tls], TARGETS) == (*four[:4], *six[:4], *tls)


def test_at_most_64_a_cycle() -> None:
    many = [dial(f"203.0.113.{n}", target=f"svc{t}/chat") for t in range(20) for n in range(1, 5)]
    assert chosen(many, TARGETS) == tuple(many[:PER_CYCLE])
    assert PER_CYCLE == 64
