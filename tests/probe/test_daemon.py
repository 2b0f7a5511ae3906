"""A cycle from end to end: what goes wrong around it costs no measurement."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from probe import daemon, durable
from probe.codecs.seal import unseal
from probe.codecs.signed_get import SignedGet, is_genuine, parse
from probe.cycle import Cycle
from probe.daemon import NotKept, Options, check, open_keys, run, show_progress
from probe.failure import UserError
from probe.measuring.session import Settings
from probe.model import AlsoDial, Link, Transport
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from probe.submit.upload import UploadReport
from tests.probe.builders import NOW_MS, endpoint, measurement, target, targets

TARGETS = targets(target("svc/chat", endpoint("tcp", "203.0.113.44", 443)))
CYCLE = Cycle(
    uid="2" * 32, started_ms=NOW_MS, link=Link(up=True), clock_offset_ms=None, measurements=(measurement("svc/chat"),)
)


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """run_cycle is replaced: it notes with which budget it was called."""
    budgets: list[Any] = []

    async def measured(_targets: Any, _instruments: Any, _settings: Any, budget: Any, *_: Any) -> Cycle:
        budgets.append(budget)
        budget.spend(endpoint("turn", address="203.0.113.4"), time.time_ns() // 1_000_000)
        return CYCLE

    monkeypatch.setattr(daemon, "run_cycle", measured)
    return budgets


def options(directory: Path, **changes: Any) -> Options:
    given: dict[str, Any] = {
        "targets": TARGETS,
        "settings": Settings(),
        "data_dir": directory,
        "format": "json",
        "random_bytes": bytes,
        "secret_bytes": lambda size: b"s" * size,
    }
    return Options(**{**given, **changes})


async def test_what_is_not_to_be_sent_is_kept(cycles: list[Any], tmp_path: Path) -> None:
    await check(options(tmp_path, upload=False))
    assert len(Spool(tmp_path / "spool").pending()) == 1


def test_what_was_open_to_others_is_closed(cycles: list[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(check(options(tmp_path, upload=False)))
    (tmp_path / "notes").touch()
    for path in tmp_path.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    with durable.for_the_owner_alone():  # as the command line does
        asyncio.run(check(options(tmp_path, upload=False)))
    assert [path.name for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == ["notes"]  # not ours
    assert "could read" in caplog.text


async def test_without_a_collector_nothing_is_kept(cycles: list[Any], tmp_path: Path) -> None:
    await check(options(tmp_path))
    assert not (tmp_path / "spool").exists()


async def test_a_collector_out_of_reach_costs_nothing(
    cycles: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon, "UPLOAD_ATTEMPTS", 1)
    await check(options(tmp_path, collector=Collector("http://127.0.0.1:9")))
    assert len(Spool(tmp_path / "spool").pending()) == 1
    assert "1 batches wait for the collector" in caplog.text


async def test_a_wrong_control_is_found_before_measuring(cycles: list[Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read the control file"):
        await check(options(tmp_path, controls=(str(tmp_path / "absent"),)))
    assert cycles == []


async def test_a_wrong_file_of_addresses_is_found_before_measuring(cycles: list[Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read the file"):
        await check(options(tmp_path, also=(str(tmp_path / "absent"),)))
    assert cycles == []


async def test_addresses_to_dial_come_with_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of the targets measured; what cannot be had is told."""
    asked: list[Settings] = []

    async def measured(_targets: Any, _instruments: Any, settings: Settings, *_: Any) -> Cycle:
        asked.append(settings)
        return CYCLE

    monkeypatch.setattr(daemon, "run_cycle", measured)
    chat = targets(target("svc/chat", endpoint("tcp", "chat.example", 443)))
    dial = AlsoDial(
        target="svc/chat",
        host="chat.example",
        port=443,
        transport=Transport.TCP,
        handshake="tcp",
        address="203.0.113.9",
    )
    lines = [msgspec.json.encode(each) for each in (dial, msgspec.structs.replace(dial, port=25))]
    (tmp_path / "addresses").write_bytes(b"\n".join(lines))
    given = ("http://127.0.0.1:9", str(tmp_path / "addresses"))
    await check(options(tmp_path, targets=chat, also=given, settings=Settings(root=tmp_path)))
    assert asked == [Settings(root=tmp_path, extra_addresses=(dial,))]
    assert "The addresses at http://127.0.0.1:9 cannot be had" in caplog.text


async def test_a_data_directory_that_cannot_be_written_is_found_before_measuring(
    cycles: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write in the data directory"):
        await check(options(tmp_path / "file" / "below"))
    assert cycles == []


async def test_controls_that_cannot_be_had_are_told_and_the_cycle_is_printed(
    cycles: list[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await check(options(tmp_path, controls=("http://127.0.0.1:9",)))
    assert "cannot be had" in caplog.text
    assert '"type":"summary"' in capsys.readouterr().out


async def test_a_control_asks_the_collector_that_it_knows_with_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the time as it is known: by the device's clock before the cycle, corrected after it."""
    heard: dict[str, SignedGet] = {}
    collector, hour_ms = "5a" * 32, 3_600_000

    async def answer(request: web.Request) -> web.Response:
        said = parse(request.headers.get("Authorization", ""))
        assert said is not None
        assert is_genuine(said, collector, request.method, request.raw_path)
        heard[request.path] = said
        return web.Response()

    async def measured(*_: Any) -> Cycle:
        return msgspec.structs.replace(CYCLE, clock_offset_ms=hour_ms)

    monkeypatch.setattr(daemon, "run_cycle", measured)
    monkeypatch.setattr(daemon, "now_ms", lambda: NOW_MS)
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        url = str(server.make_url("/"))
        Pins(tmp_path).pin(url, collector)
        asking = options(tmp_path, controls=(url,), also=(url,), one_key=True)
        await check(asking)
    key = open_keys(asking).fixed.key
    assert {path: (said.key, said.at_ms) for path, said in heard.items()} == {
        "/v1/addresses": (key, NOW_MS),
        "/v1/controls": (key, NOW_MS + hour_ms),
    }


async def test_what_cannot_be_printed_is_submitted_all_the_same(
    cycles: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(daemon, "write_json", broken)
    with pytest.raises(BrokenPipeError):
        await check(options(tmp_path, upload=False))
    assert len(Spool(tmp_path / "spool").pending()) == 1


async def test_a_full_disk_is_told_in_a_sentence(
    cycles: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(daemon.Spool, "put", full)
    with pytest.raises(UserError, match="cannot be kept in the spool: No space left on device"):
        await check(options(tmp_path, upload=False))


async def test_what_relays_were_asked_is_remembered(cycles: list[Any], tmp_path: Path) -> None:
    await check(options(tmp_path))
    assert "203.0.113.4" in (tmp_path / "allocates.json").read_text()


def test_progress_needs_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    show_progress(1, 2, "svc/chat")


# --- On schedule --------------------------------------------------------------------------------------------------


class Enough(Exception):
    """Ends an endless loop."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """asyncio.sleep of the daemon returns at once; the fourth time it raises Enough."""
    asked: list[float] = []

    async def pause(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 4:
            raise Enough

    class Clockless:
        sleep = staticmethod(pause)

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

    monkeypatch.setattr(daemon, "asyncio", Clockless())
    return asked


async def test_cycles_follow_each_other_with_a_pause_that_varies(
    cycles: list[Any], pauses: list[float], tmp_path: Path
) -> None:
    chances = iter([b"\x00", b"\xff", b"\x80", b"\x00"])
    with pytest.raises(Enough):
        await run(options(tmp_path, interval_s=1000.0, random_bytes=lambda _: next(chances)))
    assert len(cycles) == 4
    assert pauses == pytest.approx([900, 1100, 1000, 900], abs=2)


async def test_a_mistake_in_the_first_cycle_ends_it_and_a_later_one_does_not(
    cycles: list[Any],
    pauses: list[float],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = tmp_path / "control.json"
    with pytest.raises(UserError):
        await run(options(tmp_path, controls=(str(absent),)))
    assert pauses == []

    outcomes: list[Exception | None] = [None, UserError("The disk is full."), None, None]

    async def once(_: Options) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(daemon, "check", once)
    with caplog.at_level(logging.WARNING), pytest.raises(Enough):
        await run(options(tmp_path))
    assert outcomes == []
    assert "The disk is full." in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied", "/sys/class/net"),
        IndexError("a bug"),
        MemoryError(),
        ExceptionGroup("a bug in a task", [KeyError("x")]),
        NotKept("What was measured cannot be kept."),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_nothing_that_goes_wrong_in_a_cycle_ends_the_daemon(
    pauses: list[float],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Not even in the first: who started it has gone away."""

    async def always(_: Options) -> None:
        raise error

    monkeypatch.setattr(daemon, "check", always)
    with pytest.raises(Enough):
        await run(options(tmp_path))
    assert len(pauses) == 4
    assert len(caplog.records) == 4
    if not isinstance(error, UserError):
        assert type(error).__name__ in caplog.text
        assert "in always" in caplog.text  # where


async def test_a_stop_still_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(_: Options) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(daemon, "check", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await run(options(tmp_path))


# --- A disk that does not obey ------------------------------------------------------------------------------------


class Disk:
    """Fails at one of the calls by which files are written, in the order in which they are made."""

    CALLS = ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "mkdir"), (Path, "unlink"))

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int | None, code: int) -> None:
        self.made = 0
        for owner, name in self.CALLS:
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name), fails_at, code))

    def _wrapped(self, real: Any, fails_at: int | None, code: int) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            self.made += 1
            if self.made == fails_at:
                raise OSError(code, os.strerror(code))
            return real(*arguments, **more)

        return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
async def test_each_write_may_fail_and_nothing_that_was_kept_is_lost(
    cycles: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """At every call in turn: a sentence or nothing, what had been kept still there and whole."""
    failed_at = 0
    while True:
        failed_at += 1
        directory = tmp_path / str(failed_at)
        await check(options(directory, upload=False))
        before = {path.name: path.read_bytes() for path in Spool(directory / "spool").pending()}
        with monkeypatch.context() as context:
            disk = Disk(context, failed_at, code)
            with suppress(UserError):
                await check(options(directory, upload=False))
        after = {path.name: path.read_bytes() for path in Spool(directory / "spool").pending()}
        assert after.items() >= before.items()
        assert all(unseal(data) for data in after.values())
        if disk.made < failed_at:
            break
    assert failed_at > 5


async def test_what_waits_is_sent_although_nothing_more_can_be_kept(
    cycles: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That makes the room."""
    await check(options(tmp_path, upload=False))
    sent = []

    async def upload(spool: Spool, *_: Any, **__: Any) -> UploadReport:
        sent.append(len(spool.pending()))
        return UploadReport()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(daemon, "upload", upload)
    monkeypatch.setattr(daemon.Spool, "put", full)
    with pytest.raises(NotKept, match="No space left on device"):
        await check(options(tmp_path, collector=Collector("http://127.0.0.1:9")))
    assert sent == [1]
