"""T8: whether honest uploads are still answered at once while others do what they can to hold the collector up.

Each attack is a process of its own, which is begun and ended by turns, and uploads beside it are compared with those
of the pauses between (A B A B …): what else the machine does is the same for both. The warehouse holds a month, so
that there is something to read.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles

from msgspec import Struct

from collector.front.batches import CONTENT_TYPE
from collector.instance import now_ms
from probe import targets as targets_file
from tests.collector.batches import Volunteer
from tests.torture import month
from tests.torture.attacks import ATTACKS
from tests.torture.honest import Honest, genuine
from tests.torture.line import Line, beyond
from tests.torture.served import Served, load, served
from tests.torture.wire import source

PAIRS = 5
UPLOADS = 60  # of one turn
LONGER = {"idle": 450}  # silent sockets end after 10 s, and then come again together: a turn is to see that
EVERY_S = 0.02
SIZE = 10  # measurements of an upload
PROBES, DAYS = 100, 3  # of the month that is there
SETTLES_S = 1.0  # after an attack
LONGEST_S, TIMES = 1.0, 2.0


class Turns(Struct, frozen=True, kw_only=True):
    """Seconds of uploads without and with an attack, each turn by itself, and what the attack says that it did."""

    idle: list[list[float]]
    beside: list[list[float]]
    unanswered: int
    done: list[str]


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    data = directory / "data"
    month.write(data, PROBES, now_ms(), DAYS)
    for kind in ATTACKS:
        turns = asyncio.run(take_turns(data, kind, options.pairs, LONGER.get(kind, UPLOADS)))
        yield line(kind, turns)


def line(kind: str, turns: Turns) -> Line:
    idle, beside = ([each for turn in turn_s for each in turn] for turn_s in (turns.idle, turns.beside))
    before_s, most_s, longest_s = _p99(idle), _p99(beside), max(beside)
    times = f"uploads beside {kind}: p99"
    return Line(
        figure=f"{kind} ({turns.done[-1]}): upload p99 {1e3 * most_s:.0f} ms, idle {1e3 * before_s:.0f} ms "
        f"({most_s / before_s:.1f} ×); medians {1e3 * median(beside):.0f} and {1e3 * median(idle):.0f} ms; longest "
        f"{1e3 * longest_s:.0f} ms; {turns.unanswered} unanswered; {load()}",
        mark=f"p99 ≤ {TIMES:g} × idle, none > {LONGEST_S:g} s",
        faults=[
            *([f"{turns.unanswered} uploads were not answered with 200"] if turns.unanswered else []),
            *beyond(times, 1e3 * most_s, 1e3 * TIMES * before_s, "ms"),
            *beyond("the longest upload", longest_s, LONGEST_S, "s"),
        ],
    )


def _p99(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[-1]


async def take_turns(data: Path, kind: str, pairs: int, uploads: int, count: int | None = None) -> Turns:
    idle, beside, done = list[list[float]](), list[list[float]](), list[str]()
    async with served(data) as one:
        await one.ready()
        honest = _Uploads(one)
        await honest.some(uploads)  # so that nothing is done for the first time
        for _ in range(pairs):
            idle.append(await honest.some(uploads))
            async with attacked(one, kind, count) as said:
                beside.append(await honest.some(uploads))
            done += said
            await asyncio.sleep(SETTLES_S)
    return Turns(idle=idle, beside=beside, unanswered=honest.unanswered, done=done)


@asynccontextmanager
async def attacked(one: Served, kind: str, count: int | None = None) -> AsyncIterator[list[str]]:
    """The attack goes on while entered; afterwards the list says what it did."""
    host, port = one.address
    command = [sys.executable, "-m", "tests.torture.attacks", kind, host, str(port), *([str(count)] if count else [])]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"in place\n"
    said: list[str] = []
    try:
        yield said
    finally:
        process.stdin.close()
        said.append((await process.stdout.readline()).decode().strip())
        await process.wait()


class _Uploads:
    """Honest uploads, one after the other, each from another source on a connection of its own."""

    def __init__(self, one: Served) -> None:
        self._one, self.unanswered, self._number = one, 0, 0
        self._honest, self._volunteer = Honest(genuine(), targets_file.packaged().digest), Volunteer(now_ms())

    async def some(self, count: int) -> list[float]:
        """Seconds that each took."""
        bodies = [self._honest.batch(self._volunteer, SIZE, now_ms()) for _ in range(count)]
        return await asyncio.to_thread(lambda: [self._upload(body) for body in bodies])

    def _upload(self, body: bytes) -> float:
        self._number += 1
        time.sleep(EVERY_S)
        began = time.perf_counter()
        connection = http.client.HTTPConnection(*self._one.address, timeout=60, source_address=(self._source(), 0))
        try:
            connection.request("POST", "/v1/batches", body, {"Content-Type": CONTENT_TYPE})
            answer = connection.getresponse()
            answer.read()
            self.unanswered += answer.status != 200
        except OSError:
            self.unanswered += 1
        finally:
            connection.close()
        return time.perf_counter() - began

    def _source(self) -> str:
        return source(self._number % 200)
