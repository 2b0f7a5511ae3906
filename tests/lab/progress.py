"""How far a board has got: one line that is written again on a terminal, and lines now and then where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

EVERY_SECONDS = 15.0
Progress = Callable[[int, int], None]


def told_on(out: TextIO, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Of runs done and of all."""
    return rewriting(out) if out.isatty() else now_and_then(out, clock)


def rewriting(out: TextIO) -> Progress:
    def tell(done: int, whole: int) -> None:
        out.write(f"\r{done}/{whole} runs " + ("\n" if done == whole else ""))
        out.flush()

    return tell


def now_and_then(out: TextIO, clock: Callable[[], float]) -> Progress:
    """The first, the last, and what lies EVERY_SECONDS apart."""
    began, last = clock(), float("-inf")

    def tell(done: int, whole: int) -> None:
        nonlocal last
        now = clock()
        if done < whole and now - last < EVERY_SECONDS:
            return
        last = now
        out.write(f"{done}/{whole} runs after {now - began:.0f} s\n")
        out.flush()

    return tell
