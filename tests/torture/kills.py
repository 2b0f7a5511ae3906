"""kill -9 at random moments, under the load of uploaders: what was acknowledged is there, once, and judged the same.

The uploaders are probes with spools, which never stop trying; a moment may also lie before the collector is ready. At
the end it catches up, and what it then holds is what a rebuild makes of its log.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct

from collector.instance import Options, now_ms, opened
from collector.judging.rules import RULES
from probe import targets as targets_file
from tests.collector.uploaders import Identity, Uploader, identities, kept
from tests.torture.honest import Honest, genuine
from tests.torture.line import Line, beyond
from tests.torture.served import Served, free_port, load, served

KILLS = 60
UPLOADERS = 8
SIZE = 2  # measurements in a batch
MOST_WAITING = 4  # batches in a spool: the more wait, the longer the end takes
PAUSE_S = 0.1  # of an uploader
LONGEST_LIFE_S = 1.5  # of a collector, after it is ready
EARLY = 0.15  # of the kills, before it is
READY_S = 2.0
COUNTED = "SELECT count(*), count(DISTINCT (key, uid)) FROM verdict"


class Ready(Struct, frozen=True):
    """When a collector answered, in seconds since it was started, and of its processor."""

    after_s: float
    processor_s: float


class Killed(Struct, frozen=True, kw_only=True):
    """What was seen of so many kills."""

    kills: int
    ready: list[Ready]
    acknowledged: int
    lost: int
    doubled: int
    unjudged: int  # measurements without a verdict, or with several
    as_rebuilt: bool

    @property
    def faults(self) -> list[str]:
        told = {"acknowledged and lost": self.lost, "doubled": self.doubled, "without one verdict": self.unjudged}
        found = [f"{count} measurements are {what}" for what, count in told.items() if count]
        return found if self.as_rebuilt else [*found, "the warehouse is not what a rebuild makes of the log"]


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    seen = asyncio.run(kill(directory, options.kills, options.seed))
    yield Line(
        figure=f"{seen.kills} kills beside {UPLOADERS} uploaders: {seen.acknowledged} measurements acknowledged, "
        f"{seen.lost} lost, {seen.doubled} doubled; {told(seen.ready)}, {load()}",
        mark=f"0 lost, 0 doubled, as rebuilt; ready ≤ {READY_S:g} s",
        faults=[*seen.faults, *ready_faults(seen.ready)],
    )


def told(ready: Sequence[Ready]) -> str:
    after_s, processor_s = [each.after_s for each in ready], [each.processor_s for each in ready]
    return (
        f"ready after {median(after_s):.2f} s (median), {max(after_s):.2f} s (most), with {median(processor_s):.2f} s "
        "of processor"
    )


def ready_faults(ready: Sequence[Ready]) -> list[str]:
    after_s = [each.after_s for each in ready]
    middle, most = median(after_s), max(after_s)
    return [*beyond("ready after (median)", middle, READY_S, "s"), *beyond("ready after (most)", most, READY_S, "s")]


async def kill(directory: Path, kills: int, seed: int) -> Killed:
    """Kills a collector in `directory` so often, and looks what it holds at the end."""
    data = directory / "data"
    uploaders = [Uploader(directory, number + 1) for number in range(UPLOADERS)]
    ready = await kill_often(data, uploaders, kills, random.Random(seed))
    return await asyncio.to_thread(_held, data, uploaders, kills, ready)


async def kill_often(data: Path, uploaders: list[Uploader], kills: int, chance: random.Random) -> list[Ready]:
    """Kills a collector so often while they upload, and lets one live until they have uploaded all that they have."""
    port, ready = free_port(), list[Ready]()
    async with _uploading(uploaders, f"http://127.0.0.1:{port}"):
        for _ in range(kills):
            async with served(data, port=port) as one:
                await _kill_at_random(one, chance, ready)
    async with served(data, port=port) as one:
        ready.append(await _ready(one))
        for each in uploaders:
            report = await each.upload(one.url)
            assert (report.left, report.refused) == (0, 0), report
    return ready


async def _kill_at_random(one: Served, chance: random.Random, ready: list[Ready]) -> None:
    if chance.random() < EARLY:
        await asyncio.sleep(chance.random() * LONGEST_LIFE_S / 2)
    else:
        ready.append(await _ready(one))
        await asyncio.sleep(chance.random() * LONGEST_LIFE_S)
    await one.kill()


async def _ready(one: Served) -> Ready:
    return Ready(await one.ready(), one.taken().processor_s)


@asynccontextmanager
async def _uploading(uploaders: list[Uploader], url: str) -> AsyncIterator[None]:
    """They upload while entered, and end what they are at before it is left."""
    over, honest = asyncio.Event(), Honest(genuine(), targets_file.packaged().digest)
    tasks = [asyncio.create_task(_upload(each, honest, url, over)) for each in uploaders]
    try:
        yield
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def _upload(uploader: Uploader, honest: Honest, url: str, over: asyncio.Event) -> None:
    while not over.is_set():
        if len(uploader.spool.pending()) < MOST_WAITING:
            seen = honest.measured(uploader.volunteer, SIZE, now_ms())
            uploader.put(honest.sealed(uploader.volunteer, seen, now_ms()), {one.uid for one in seen})
        await uploader.upload(url)
        await asyncio.sleep(PAUSE_S)


def _held(data: Path, uploaders: list[Uploader], kills: int, ready: list[Ready]) -> Killed:
    in_log = kept(data)
    lost, doubled = lost_and_doubled(uploaders, in_log)
    with opened(Options(data=data), RULES) as parts:
        parts.projector.catch_up()
        before = parts.warehouse.dump()
        ((verdicts, distinct),) = parts.warehouse.select(COUNTED)
        parts.index.clear()
        parts.projector.rebuild()
        after = parts.warehouse.dump()
    return Killed(
        kills=kills,
        ready=ready,
        acknowledged=sum(len(each.acknowledged) for each in uploaders),
        lost=lost,
        doubled=doubled,
        unjudged=abs(len(in_log) - distinct) + verdicts - distinct,
        as_rebuilt=before == after,
    )


def lost_and_doubled(uploaders: Iterable[Uploader], in_log: Counter[Identity]) -> tuple[int, int]:
    """How many measurements were acknowledged and are not in the log, and how many are there more than once."""
    acknowledged = set().union(*(identities(each, each.acknowledged) for each in uploaders))
    return len(acknowledged - in_log.keys()), sum(count > 1 for count in in_log.values())
