"""A stampede: very many probes upload at once, as after a collector was away, and come again when they are told to."""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from collector.front.limits import raised_files
from collector.instance import now_ms
from probe import targets as targets_file
from tests.collector.batches import Volunteer
from tests.torture.honest import Honest, genuine
from tests.torture.line import Line, beyond
from tests.torture.served import load, served
from tests.torture.wire import Address, Gone, ask, post, source

PROBES = 10_000
SIZE = 20  # measurements of each
OF_SOURCE = 40  # probes in one /24
LONGEST_PAUSE_S = 60.0  # where nobody says for how long
MOST_TRIES = 50
MEMORY_MB = 512.0

Sleep = Callable[[float], Awaitable[None]]


class Drained(Struct, frozen=True, kw_only=True):
    """Answers by status, and how long those were asked to wait who were."""

    answers: Counter[str]
    waits_s: list[float]
    left: int
    took_s: float


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    drained, peak_mb, kept = asyncio.run(_stampede(directory / "data", options.probes, options.seed))
    waits = f"{min(drained.waits_s):.0f} to {max(drained.waits_s):.0f} s" if drained.waits_s else "nobody"
    told = ", ".join(f"{count} {what}" for what, count in sorted(drained.answers.items()))
    yield Line(
        figure=f"{options.probes} probes at once, drained in {drained.took_s:.0f} s ({told}; asked to wait: {waits}); "
        f"{kept} batches in the log; memory {peak_mb:.0f} MB at most, {load()}",
        mark=f"{PROBES} probes, all stored, memory < {MEMORY_MB:g} MB",
        faults=[
            *([f"{drained.left} probes were never told that theirs is kept"] if drained.left else []),
            *([f"{kept} batches are in the log"] if kept != options.probes else []),
            *beyond("memory", peak_mb, MEMORY_MB, "MB"),
        ],
    )


async def _stampede(data: Path, probes: int, seed: int) -> tuple[Drained, float, int]:
    raised_files()
    bodies = sealed(probes)
    async with served(data) as one:
        await one.ready()
        drained = await drain(one.address, bodies, random.Random(seed))
        await one.caught_up()
        return drained, one.taken().peak_mb, (await one.health())["log_cursor"]


def sealed(probes: int) -> list[bytes]:
    honest, now = Honest(genuine(), targets_file.packaged().digest), now_ms()
    return [honest.batch(Volunteer(number + 1), SIZE, now) for number in range(probes)]


async def drain(
    address: Address, bodies: Sequence[bytes], chance: random.Random, sleep: Sleep = asyncio.sleep
) -> Drained:
    """All upload at once; each tries until it has a receipt, and waits as long as it is asked to, and a little more."""
    answers, waits_s = Counter[str](), list[float]()

    async def one(number: int) -> bool:
        request = post(bodies[number])
        for tried in range(1, MOST_TRIES):
            pause_s = chance.random() * min(LONGEST_PAUSE_S, 2.0**tried)
            try:
                answer = await ask(address, request, source(number // OF_SOURCE))
            except (Gone, TimeoutError) as error:
                answers[type(error).__name__] += 1
            else:
                answers[f"{answer.status}"] += 1
                if answer.status == 200:
                    return True
                asked_s = float(answer.headers["retry-after"])
                waits_s.append(asked_s)
                pause_s += asked_s
            await sleep(pause_s)
        return False

    began = asyncio.get_running_loop().time()
    done = await asyncio.gather(*(one(number) for number in range(len(bodies))))
    took_s = asyncio.get_running_loop().time() - began
    return Drained(answers=answers, waits_s=waits_s, left=done.count(False), took_s=took_s)
