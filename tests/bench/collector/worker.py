"""One piece of a collector's work in a process of its own: `python -m tests.bench.collector.worker WORK DATA`.

Prints what it took as JSON: so its memory is its own, and its processor time nobody else's.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES
from tests.bench.collector.directory import START_MS, Sent
from tests.bench.collector.population import Population

STEPS, STEPS_S = 5, 60.0


class Took(Struct, frozen=True, kw_only=True):
    """Processor time and wall in seconds, and how much memory grew at most. `each_s`: of single steps."""

    cpu_s: float
    wall_s: float
    grew_bytes: int
    each_s: list[float] = []


def catch_up(parts: Parts, _: argparse.Namespace) -> list[float]:
    parts.projector.catch_up()
    return []


def rebuild(parts: Parts, _: argparse.Namespace) -> list[float]:
    parts.projector.rebuild()
    return []


def one_more(parts: Parts, given: argparse.Namespace) -> list[float]:
    """One batch more of a line that was not there, and all that follows from it; again and again."""
    parts.projector.catch_up()
    population, each_s, began = Population(simulated=True), list[float](), time.monotonic()
    for number in range(STEPS):
        batch = Sent(population.probe(500_000 + number), START_MS + number * 1_000, given.targets)
        asyncio.run(parts.log.append(*batch.envelope()))
        used = time.process_time()
        parts.projector.catch_up()
        each_s.append(time.process_time() - used)
        if time.monotonic() - began > STEPS_S:
            break
    return each_s


WORK: dict[str, Callable[[Parts, argparse.Namespace], list[float]]] = {
    "catch-up": catch_up,
    "rebuild": rebuild,
    "one-more": one_more,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=WORK)
    parser.add_argument("data", type=Path)
    parser.add_argument("--control-key", action="append", default=[])
    parser.add_argument("--targets", type=int)
    given = parser.parse_args()
    sys.stdout.write(msgspec.json.encode(_took(given)).decode())
    return 0


def _took(given: argparse.Namespace) -> Took:
    with opened(_options(given), RULES) as parts:
        before, began, used = _peak(), time.monotonic(), time.process_time()
        each_s = WORK[given.work](parts, given)
        cpu_s, wall_s = time.process_time() - used + _of_children_s(), time.monotonic() - began
        return Took(cpu_s=cpu_s, wall_s=wall_s, grew_bytes=_peak() - before, each_s=each_s)


def _options(given: argparse.Namespace) -> Options:
    return Options(data=given.data, control_keys=tuple(given.control_key), simulated=True, trust_clock=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _of_children_s() -> float:
    """Of judging in processes of its own, once they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
