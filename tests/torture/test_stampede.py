"""A slice of `make torture-long`: who is sent away waits as long as told, comes again, and is heard in the end."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

import pytest

from collector.front import executors, server
from collector.front.executors import Size
from tests.collector.servers import serving
from tests.torture.stampede import drain, sealed

PROBES = 60


async def test_all_are_heard_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "add_executors", partial(executors.add_executors, ingest=Size(1, 4)))
    slept_s: list[float] = []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        await asyncio.sleep(0.01)

    async with serving(tmp_path, owner=False) as collector:
        drained = await drain(("127.0.0.1", collector.port), sealed(PROBES), random.Random(1), sleep)
        assert (drained.left, drained.answers["200"], collector.log.latest()) == (0, PROBES, PROBES)
        assert set(drained.answers) == {"200", "429"}
        assert len(set(drained.waits_s)) > 1
        assert all(slept >= asked >= 30 for slept, asked in zip(slept_s, drained.waits_s, strict=True))
