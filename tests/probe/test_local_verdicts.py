"""Results from elsewhere: read from files and collectors, and used within their hour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from probe import local_verdicts
from probe.failure import UserError
from probe.local_verdicts import fetch_controls, judge_all, latest, out_of_window, parse_controls, read_controls
from probe.model import ControlMeasurement, Grade, Link, Network, Neutral, State, Step, Transport
from tests.probe.builders import NOW_MS, attempt, endpoint, measurement, observation, target, targets

HOUR = 3_600_000
WHERE = endpoint("tcp", "203.0.113.44", 443)
TARGETS = targets(target("svc/chat", WHERE))
NEUTRAL = Neutral(target="baseline/x", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=None)
LINK = Link(up=True, neutrals=(NEUTRAL,))
FAILED = measurement("svc/chat", link=LINK, attempts=(attempt(WHERE, observation(Step.TCP, "connection_refused")),))
TWICE = [FAILED, msgspec.structs.replace(FAILED, uid="2" * 32, round=2)]
PASSED = measurement("svc/chat", attempts=(attempt(WHERE, observation(Step.TCP), grade=Grade.TRANSPORT),))


def line(value: Any, **more: Any) -> bytes:
    return msgspec.json.encode({**more, **msgspec.to_builtins(value)})


def control(key: str = "c" * 64, **more: Any) -> ControlMeasurement:
    return ControlMeasurement(
        key=key, network=Network(country="XC", asn=64510), measurement=msgspec.structs.replace(PASSED, **more)
    )


# --- Files ------------------------------------------------------------------------------------------------------


def test_the_output_of_another_check_is_a_control(tmp_path: Path) -> None:
    lines = [line(PASSED, type="measurement"), b'{"type":"verdict","target":"svc/chat"}', b'{"type":"summary"}']
    (tmp_path / "a.json").write_bytes(b"\n".join(lines) + b"\n")
    (found,) = read_controls(str(tmp_path / "a.json"), 3)
    assert found == ControlMeasurement(
        key=str(tmp_path / "a.json"), network=Network(operator="control 3"), measurement=PASSED
    )


def test_what_a_collector_serves_may_be_kept_in_a_file() -> None:
    assert parse_controls([line(control())], "x", 1) == [control()]


def test_words_and_fields_of_a_later_version_are_read() -> None:
    later = line(PASSED, type="measurement", novelty={"a": 1}).replace(b'"tcp"', b'"sctp"')
    (found,) = parse_controls([later], "x", 1)
    assert found.measurement.attempts[0].transport == "unknown"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"[" * 60_000, b"\xff", b'{"type":"measurement","uid":7}', b'{"key":"c"}', b"<html>"]
)
def test_another_line_is_the_users_mistake(text: bytes) -> None:
    with pytest.raises(UserError, match="x, line 2, is no line of a control"):
        parse_controls([line(control()), text], "x", 1)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read the control file"):
        read_controls(str(tmp_path), 1)
    (tmp_path / "a").write_bytes(b'{"type":"summary"}\n')
    with pytest.raises(UserError, match="holds no measurement"):
        read_controls(str(tmp_path / "a"), 1)


# --- A collector --------------------------------------------------------------------------------------------------

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def collector(answer: Answer, path: str = "/v1/controls") -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get(path, answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/"))


async def test_a_collector_is_asked_for_a_time() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        return web.Response(body=line(control()) + b"\n")

    async with collector(answer) as url:
        assert await fetch_controls(url, 5, 7) == [control()]
        assert await fetch_controls(url.rstrip("/"), 5, 7) == [control()]
        assert await fetch_controls(f"{url}v1/controls", 5, 7) == [control()]
    assert asked == [{"since": "5", "until": "7"}] * 3


async def test_the_whole_answer_is_read_also_in_pieces() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(20):
            text = line(control(key=f"{number:064x}"))
            await response.write(text[:100])
            await response.write(text[100:] + b"\n")
        return response

    async with collector(answer) as url:
        assert len(await fetch_controls(url, 5, 7)) == 20


async def test_an_answer_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_verdicts, "FETCH_BYTES", 1000)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(5000))

    async with collector(answer) as url:
        with pytest.raises(UserError, match="larger than 1000 bytes"):
            await fetch_controls(url, 5, 7)


@pytest.mark.parametrize(("status", "body"), [(404, b""), (500, b""), (200, b"<html>Bienvenue</html>")])
async def test_another_answer_is_an_error(status: int, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    async with collector(answer) as url:
        with pytest.raises(UserError):
            await fetch_controls(url, 5, 7)


async def test_nobody_there() -> None:
    with pytest.raises(UserError, match="cannot be had"):
        await fetch_controls(f"http://127.0.0.1:{unused_port()}", 5, 7)
    with pytest.raises(UserError, match="cannot be had"):
        await fetch_controls("http://", 5, 7)


# --- Verdicts -------------------------------------------------------------------------------------------------------


def test_a_control_counts_within_its_hour_only() -> None:
    _, near = judge_all(TWICE, TARGETS, [control(started_ms=NOW_MS + HOUR)])
    _, far = judge_all(TWICE, TARGETS, [control(started_ms=NOW_MS + HOUR + 1)])
    _, none = judge_all(TWICE, TARGETS, [])
    assert near.state is not State.INSUFFICIENT
    assert (far.state, far.rule) == (none.state, none.rule)
    assert none.state is State.INSUFFICIENT


def test_the_clocks_of_both_are_corrected() -> None:
    slow = control(started_ms=NOW_MS - 9 * HOUR, clock_offset_ms=9 * HOUR)
    _, verdict = judge_all(TWICE, TARGETS, [slow])
    assert verdict.state is not State.INSUFFICIENT


def test_a_control_of_another_target_does_not_count() -> None:
    (verdict,) = judge_all([FAILED], TARGETS, [control(target="other/chat")])
    assert verdict.state is State.INSUFFICIENT


def test_the_latest_round_stands() -> None:
    verdicts = judge_all([msgspec.structs.replace(PASSED, round=2, uid="3" * 32), FAILED], TARGETS, [])
    assert len(verdicts) == 2
    assert [each.uid for each in latest(verdicts)] == ["3" * 32]


def test_controls_of_another_hour_are_told() -> None:
    assert not out_of_window([], [FAILED])
    assert not out_of_window([control()], [])
    assert not out_of_window([control(), control(started_ms=0)], [FAILED])
    assert out_of_window([control(started_ms=NOW_MS - 2 * HOUR)], [FAILED])
