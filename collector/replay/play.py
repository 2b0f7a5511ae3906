"""Plays an episode: moment by moment, first what its controls measured, then its lines, then its controls again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from collector.replay.episode import Episode, Line
from collector.replay.sending import Sleep, Uploads
from collector.replay.simulate import Cycle, cycle
from probe.model import HOUR_MS, Targets

AT_ONCE = 8  # uploads

Reached = Callable[[int], None]  # told of each moment (ms) before what is measured in it is sent
Followed = Callable[[], Awaitable[None]]  # waits until whoever looks can see all but what was sent last


class Played(Struct, frozen=True, kw_only=True):
    """The outcome: how many moments, and how many measurements that are new to the collector."""

    moments: int
    measurements: int


class Pace(Struct, frozen=True, kw_only=True):
    """The pace: `speed` seconds of the story in one second; None: as fast as the collector takes it."""

    speed: float | None = None
    sleep: Sleep = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


def moments(episode: Episode, every_h: int = 24, since_ms: int | None = None, until_ms: int | None = None) -> list[int]:
    """When the lines of an episode measure: the starts of hours, in ms, `every_h` hours apart.

    With steps of a day and more, an hour later each time, so that no hour of the day is always left out.
    """
    first = max(episode.since_ms, since_ms or 0) // HOUR_MS * HOUR_MS
    last = min(episode.until_ms, until_ms or episode.until_ms)
    step = every_h * HOUR_MS
    found = []
    for number, start in enumerate(range(first, last, step)):
        shifted = start + (number % 24 if every_h >= 24 else 0) * HOUR_MS
        if shifted < last:
            found.append(shifted)
    return found


async def nobody_follows() -> None: ...


async def play(
    episode: Episode,
    when: Sequence[int],
    uploads: Uploads,
    *,
    reached: Reached = lambda _: None,
    followed: Followed = nobody_follows,
    pace: Pace | None = None,
) -> Played:
    """Sends what every line measures around each of these moments (ms). Raises UserError.

    `reached` is told each moment's end in the story (ms) before anything of it is sent; `followed` is awaited before.
    """
    pace = pace or Pace()
    targets = await uploads.targets()
    began, stored = pace.clock(), 0
    for number, moment in enumerate(when):
        await _keep_pace(pace, began, (moment - when[0]) / 1000)
        await followed()
        reached(moment + HOUR_MS - 1)
        controls = _cycles(episode, targets, episode.controls, moment)
        stored += await _send(uploads, controls, targets)
        if number == 0 and controls:
            await uploads.check(controls[0])
        stored += await _send(uploads, _cycles(episode, targets, episode.lines, moment), targets)
        again = _cycles(episode, targets, episode.controls, moment, again=True)
        stored += await _send(uploads, again, targets)
    return Played(moments=len(when), measurements=stored)


def _cycles(
    episode: Episode, targets: Targets, lines: Iterable[Line], moment: int, *, again: bool = False
) -> list[Cycle]:
    return [each for line in lines if (each := cycle(episode, targets, line, moment, again=again)) is not None]


async def _send(uploads: Uploads, cycles: Sequence[Cycle], targets: Targets) -> int:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(each: Cycle) -> int:
        async with free:
            return await uploads.send(each, targets)

    return sum(await asyncio.gather(*map(one, cycles)))


async def _keep_pace(pace: Pace, began: float, story_s: float) -> None:
    if pace.speed is not None:
        await pace.sleep(max(0.0, began + story_s / pace.speed - pace.clock()))
