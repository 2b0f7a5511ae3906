"""Judging in a process of its own comes to the same, whoever is killed whenever, and leaves nobody behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from collector.instance import Options, Parts, is_judged, opened
from collector.judging.process import parent, slot
from collector.judging.process.parent import MODULE
from collector.judging.projector import Projector
from collector.judging.rules import RULES
from collector.warehouse.store import Warehouse
from probe import targets
from probe.model import HOUR_MS
from tests.collector.batches import NOW_MS, Volunteer, enveloped
from tests.collector.judging.evidence import MAROC
from tests.collector.judging.process import dying
from tests.collector.servers import eventually
from tests.patience import PATIENCE


def bodies(number: int = 3, each: int = 6) -> list[bytes]:
    volunteers = [Volunteer(n) for n in range(1, number + 1)]
    return [
        volunteer.seal(
            [
                volunteer.measure(started_ms=NOW_MS - i * HOUR_MS // 2, target=target)
                for target in ("whatsapp/chat", "viber/call")
            ]
        )
        for i in range(each)
        for volunteer in volunteers
    ]


def in_process(parts: Parts) -> dict[str, list[Any]]:
    """What the same log comes to when it is judged here."""
    with closing(Warehouse(None)) as warehouse:
        Projector(
            *(parts.log, parts.index, parts.kept_targets, warehouse, parts.controls),
            rules=RULES, parse=targets.parse,
        ).catch_up()  # fmt: skip
        return warehouse.dump()


@asynccontextmanager
async def judging(parts: Parts) -> AsyncIterator[None]:
    running = asyncio.create_task(parts.projector.run(lambda _: asyncio.sleep(0)))
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def process_of(parts: Parts) -> Any:
    """The judging process, as long as there is one."""
    child = parts.projector._elsewhere._child  # type: ignore[union-attr]
    return child and child.process


async def append(parts: Parts, sent: Sequence[bytes]) -> None:
    for body in sent:
        await parts.log.append(*enveloped(body, network=MAROC))
        parts.projector.announce()


async def test_it_comes_to_the_same_and_ends_with_the_collector(tmp_path: Path) -> None:
    with opened(Options(data=tmp_path, simulated=True), RULES, apart=True) as parts:
        async with judging(parts):
            await append(parts, sent := bodies())
            await eventually(lambda: is_judged(parts.warehouse, len(sent)))
            process = process_of(parts)
            assert process.poll() is None
        assert process.poll() is not None
        assert parts.projector.error is None
        assert parts.warehouse.dump() == in_process(parts)
        assert len(parts.warehouse.dump()["verdict"]) == 2 * len(sent)


async def test_killed_again_and_again_it_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "DEATHS", 1000)  # chance must not condemn anybody
    with opened(Options(data=tmp_path, simulated=True), RULES, apart=True) as parts:
        killed = set()
        async with judging(parts):
            for body in (sent := bodies()):
                await append(parts, [body])
                process = process_of(parts)
                if process is not None:
                    process.kill()
                    killed.add(process.pid)
            await eventually(lambda: is_judged(parts.warehouse, len(sent)))
        assert killed
        assert parts.warehouse.dump() == in_process(parts)


async def test_at_what_it_dies_twice_is_set_aside(tmp_path: Path) -> None:
    command = (sys.executable, "-m", dying.__name__)
    with opened(Options(data=tmp_path, simulated=True), RULES, apart=True) as parts:
        parts.projector._elsewhere._command = command  # type: ignore[union-attr]
        async with judging(parts):
            await append(parts, bodies(number=1, each=2))
            await eventually(lambda: parts.projector.quarantined == {"Deadly": 2})
        found = parts.warehouse.select("SELECT target, rule FROM verdict ORDER BY ALL")
        assert [target for target, rule in found if rule == "unjudgeable"] == ["viber/call"] * 2
        assert len(found) == 4


def test_nobody_is_left_when_the_collector_is_killed() -> None:
    """The system closes its end of the socket."""
    ours, theirs = socket.socketpair()
    with theirs, tempfile.TemporaryFile() as file:
        file.truncate(slot.BYTES)
        given = (theirs.fileno(), file.fileno())
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *map(str, given)], pass_fds=given, stderr=subprocess.DEVNULL
        )
    ours.close()
    assert process.wait(PATIENCE) == 0


def test_the_slot_tells_what_is_being_judged() -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(slot.BYTES)
        ours, theirs = slot.Slot(file.fileno()), slot.Slot(file.fileno())
    before = signal.getitimer(signal.ITIMER_PROF)
    theirs.begins(("ab" * 32, "cd" * 16))
    assert ours.read() == ("ab" * 32, "cd" * 16)
    assert 0 < signal.getitimer(signal.ITIMER_PROF)[0] < slot.HANGS_S + 1
    theirs.ends()
    assert ours.read() is None
    assert signal.getitimer(signal.ITIMER_PROF) == before == (0, 0)
