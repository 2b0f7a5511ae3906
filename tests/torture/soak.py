"""A soak: honest load, readers, slow sockets and bad bodies for a while; all is answered, and nothing grows."""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from msgspec import Struct

from collector.instance import now_ms
from probe import targets as targets_file
from tests.collector.batches import Volunteer
from tests.torture.attacks import PAGES, drip, idle
from tests.torture.honest import A_DAY, Honest, genuine
from tests.torture.line import Line, beyond
from tests.torture.malformed import corpus, fault
from tests.torture.served import Served, Taken, load, served
from tests.torture.wire import Gone, ask, get, post, source

SECONDS = 300.0
PROBES = 1_000  # as many as upload
SIZE = 20  # measurements of an upload
READERS, READ_S = 4, 1.0
SLOW = 50  # sockets that say nothing, and as many bodies of one byte
BAD_S = 0.5
LOOKS = 60  # at what it takes of the machine
MEMORY_MB, GROWN = 512.0, 1.25
UNITS = {"memory_mb": "MB", "threads": "threads", "files": "files"}


class Soaked(Struct, frozen=True, kw_only=True):
    """What was done and answered, and what the collector took of the machine, look by look."""

    answers: Counter[str]
    faults: list[str]
    taken: list[Taken]
    caught_up_s: float


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    seen = asyncio.run(soak(directory / "data", options.soak_s, PROBES))
    most_mb = max(each.memory_mb for each in seen.taken)
    first, last = _fifth(seen.taken, 1), _fifth(seen.taken, 4)
    grew = ", ".join(f"{what} {_middle(first, what):.0f} → {_middle(last, what):.0f}" for what in UNITS)
    yield Line(
        figure=f"{options.soak_s:.0f} s, {_told(seen.answers)}; {grew}, {most_mb:.0f} MB at most; caught up "
        f"{seen.caught_up_s:.1f} s after the end, {load()}",
        mark=f"all answered, memory < {MEMORY_MB:g} MB; at the end ≤ {GROWN:g} × in the second fifth",
        faults=[*seen.faults, *beyond("memory", most_mb, MEMORY_MB, "MB"), *_grown(first, last)],
    )


def _fifth(taken: Sequence[Taken], number: int) -> Sequence[Taken]:
    return taken[len(taken) * number // 5 : len(taken) * (number + 1) // 5] or taken[-1:]


def _middle(taken: Sequence[Taken], what: str) -> float:
    return float(median(getattr(each, what) for each in taken))


def _grown(first: Sequence[Taken], last: Sequence[Taken]) -> list[str]:
    each = [beyond(f"{w} at the end", _middle(last, w), GROWN * _middle(first, w), unit) for w, unit in UNITS.items()]
    return list(itertools.chain(*each))


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(answers.items()))


async def soak(data: Path, seconds: float, probes: int) -> Soaked:
    seen = Soaked(answers=Counter(), faults=[], taken=[], caught_up_s=0.0)
    async with served(data) as one:
        await one.ready()
        every_s = SIZE * 86_400 / (A_DAY * probes)
        doing = [
            _every(every_s, seconds, _uploading(one, seen)),
            *(_every(READ_S, seconds, _reading(one, number, seen)) for number in range(READERS)),
            _every(BAD_S, seconds, _spoiling(one, seen)),
            _every(seconds / LOOKS, seconds, _looking(one, seen)),
        ]
        slow = [asyncio.create_task(_slow(one, number)) for number in range(SLOW)]
        await asyncio.gather(*doing)
        for each in slow:
            each.cancel()
        began = asyncio.get_running_loop().time()
        await one.caught_up()
        return Soaked(
            answers=seen.answers,
            faults=seen.faults,
            taken=seen.taken,
            caught_up_s=asyncio.get_running_loop().time() - began,
        )


async def _every(pause_s: float, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    """Does it so often for so long; where it takes longer, as often as it can."""
    clock = asyncio.get_running_loop().time
    end_s = clock() + seconds
    while (began := clock()) < end_s:
        await do()
        await asyncio.sleep(max(0.0, began + pause_s - clock()))


def _uploading(one: Served, seen: Soaked) -> Callable[[], Awaitable[None]]:
    honest = Honest(genuine(), targets_file.packaged().digest)
    lines = itertools.cycle([(Volunteer(number + 1), source(number)) for number in range(100)])

    async def upload() -> None:
        volunteer, address = next(lines)
        with _told_when_gone("an upload", seen):
            answer = await ask(one.address, post(honest.batch(volunteer, SIZE, now_ms())), address)
            seen.answers[f"uploads {answer.status}"] += 1
            if answer.status != 200:
                seen.faults.append(f"an upload was answered with {answer.status}: {answer.body[:200]!r}")

    return upload


def _reading(one: Served, number: int, seen: Soaked) -> Callable[[], Awaitable[None]]:
    pages = itertools.cycle(PAGES)

    async def read() -> None:
        with _told_when_gone("a reader", seen):
            answer = await ask(one.address, get(next(pages)), source(200 + number))
            seen.answers[f"pages {answer.status}"] += 1

    return read


def _spoiling(one: Served, seen: Soaked) -> Callable[[], Awaitable[None]]:
    kinds = itertools.cycle(corpus().values())

    async def spoil() -> None:
        with _told_when_gone("a bad body", seen):
            wrong = await fault(one.address, next(kinds), source(300))
            seen.answers["refused"] += 1
            seen.faults.extend([wrong] if wrong else [])

    return spoil


def _looking(one: Served, seen: Soaked) -> Callable[[], Awaitable[None]]:
    async def look() -> None:
        seen.taken.append(one.taken())

    return look


@contextmanager
def _told_when_gone(who: str, seen: Soaked) -> Iterator[None]:
    try:
        yield
    except (Gone, TimeoutError) as error:
        seen.faults.append(f"{who} was not answered: {error!r}")


async def _slow(one: Served, number: int) -> None:
    """A socket that says nothing, and a body that does not go on, for ever."""
    await asyncio.gather(*(_again(kind, one, number) for kind in (idle, drip)))


async def _again(kind: Callable[..., Awaitable[None]], one: Served, number: int) -> None:
    while True:
        with suppress(Gone):
            await kind(one.address, number, Counter(), lambda: None)
        await asyncio.sleep(1)
