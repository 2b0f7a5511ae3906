"""Whether judging stands still, and for how long: not while it gets on, nor while there is nothing to judge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from msgspec.structs import replace

from collector.judging.projector import STANDSTILL_S, Projector
from collector.warehouse.store import Warehouse
from tests.collector.judging.evidence import BODIES, RULES, parse, record
from tests.collector.log.memory_log import MemoryLog


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with closing(Warehouse(None)) as one:
        yield one


async def ran(working: Projector, steps: int) -> None:
    """The projector's own loop, until it has slept so often."""
    done = asyncio.Event()
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == steps:
            done.set()
        await asyncio.sleep(0)

    running = asyncio.create_task(working.run(sleep))
    for _ in range(steps):
        working.announce()
        await asyncio.sleep(0)
    await done.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_it_stands_still_while_a_step_fails_and_until_one_passes(warehouse: Warehouse) -> None:
    clock, broken = Clock(), [OSError("disk")] * 2

    def judge(evidence: Any) -> Any:
        if broken:
            clock.seconds += 40
            raise broken.pop()
        return RULES.judge(evidence)

    log = MemoryLog()
    log.files.update(BODIES)
    log.deliver([record("a")])
    working = Projector(
        log, log, log, warehouse, frozenset(), rules=replace(RULES, judge=judge), parse=parse, clock=clock
    )
    assert working.standstill_s is None
    await ran(working, 2)
    assert working.error == "OSError: disk"
    assert working.standstill_s == 80
    await ran(working, 2)
    assert working.standstill_s is None


async def test_it_stands_still_when_what_came_long_ago_is_not_judged(warehouse: Warehouse) -> None:
    clock = Clock()
    log = MemoryLog()
    working = Projector(log, log, log, warehouse, frozenset(), rules=RULES, parse=parse, clock=clock)
    await ran(working, 1)
    clock.seconds += 10 * STANDSTILL_S
    assert working.standstill_s is None  # nothing is to do
    working.announce()
    clock.seconds += STANDSTILL_S
    working.announce()
    assert working.standstill_s is None
    clock.seconds += 1
    assert working.standstill_s == STANDSTILL_S + 1
