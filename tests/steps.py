"""How long work takes, in steps of a plain loop that is measured beside it in the processor's time of this process.

A machine that is slow or busy moves both, so that a bound in steps is kept or broken by the work alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

STEPS = 1_000_000  # of the loop: some 50 ms on an idle machine of today, 16 a byte
LOOP = 20_000  # steps that are measured
HOPELESS = 8  # times as long as allowed: no busy machine does that
TRIES = 4  # a busy machine spoils one, and not all; what is quadratic takes a hundred times too long


def loop(steps: int) -> int:
    """The measure: plain Python that keeps to the processor."""
    number = 1
    for step in range(steps):
        number = number * 31 + step & 0xFFFF
    return number


def spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@cache
def usual_step() -> float:
    return spent(lambda: loop(10 * LOOP)) / (10 * LOOP)


def steps_of(work: Callable[[], object]) -> float:
    """The time of `work`, in steps of the loop, which is measured on either side of it."""
    before = spent(lambda: loop(LOOP))
    taken = spent(work)
    return taken / (max(before, spent(lambda: loop(LOOP))) / LOOP)


def is_bounded(work: Callable[[], object], allowance: int = 1) -> bool:
    most = STEPS * allowance
    first = spent(work) / usual_step()
    if first > HOPELESS * most:
        return False
    return first <= most or any(steps_of(work) <= most for _ in range(TRIES))
