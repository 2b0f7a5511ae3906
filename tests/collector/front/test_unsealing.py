"""What is honest is read at once; what costs more waits for its like, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from collector.front import executors, unsealing
from collector.front.executors import SWITCH_S, Size, add_executors
from probe.codecs.seal import encode, unseal
from tests import genuine
from tests.collector.batches import Volunteer
from tests.collector.servers import serving
from tests.torture.malformed import Malformed, corpus


@pytest.fixture
def going_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="module")
def malformed() -> dict[str, Malformed]:
    return corpus()


def body(malformed: Malformed) -> bytes:
    return malformed.request.partition(b"\r\n\r\n")[2]


def later(volunteer: Volunteer) -> bytes:
    """A batch of a later version."""
    return volunteer.seal_lines([b'{"later":1,' + encode(volunteer.measure())[1:]])


async def test_what_probes_of_this_version_send_is_read_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "CAREFUL", Size(1, -1))
    volunteer = Volunteer()
    rich = genuine.measurements()
    async with serving(tmp_path) as collector:
        for data in (volunteer.seal(rich), volunteer.seal_2(rich), volunteer.seal_2([volunteer.measure()])):
            assert (await collector.post(data))[0] == 200
        assert (await collector.post(later(volunteer)))[0] == 429
        told = collector.parts.metrics.registry.get_sample_value("ringback_turned_away_total", {"queue": "careful"})
        assert told == 1


async def test_a_later_versions_is_looked_at_closely(tmp_path: Path) -> None:
    async with serving(tmp_path) as collector:
        assert await collector.post(later(Volunteer())) == (200, {"stored": 1, "known": 0})


async def test_what_costs_much_keeps_no_honest_upload_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, going_on: threading.Event
) -> None:
    """As long as the careful thread is at something, and others wait for it, what is honest is kept."""

    def held(data: bytes, limits: Any) -> Any:
        if limits is unsealing.LIMITS:
            going_on.wait()
        return unseal(data, limits)

    monkeypatch.setattr(unsealing, "unseal", held)
    volunteer, other = Volunteer(1), Volunteer(2)
    async with serving(tmp_path) as collector:
        waiting = [asyncio.ensure_future(collector.post(later(other))) for _ in range(6)]
        for _ in range(10):
            assert (await collector.post(volunteer.seal([volunteer.measure()])))[0] == 200
        assert not any(each.done() for each in waiting)
        going_on.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {200}


@pytest.mark.parametrize("kind", ["2 MB of what is right but the last", "1 MB of texts", "200 MB of zeros"])
async def test_a_refusal_keeps_nothing_of_the_body(tmp_path: Path, malformed: dict[str, Malformed], kind: str) -> None:
    """Also before garbage is looked for: strangers may be quicker."""
    async with serving(tmp_path) as collector:
        data = body(malformed[kind])
        await collector.post(data)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(8):
                assert (await collector.post(data))[0] == malformed[kind].status
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert held < 1_000_000


async def test_threads_hand_over_soon_while_the_application_runs() -> None:
    before, app = sys.getswitchinterval(), web.Application()
    add_executors(app)
    runner = web.AppRunner(app)
    await runner.setup()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    await runner.cleanup()
    assert sys.getswitchinterval() == before
