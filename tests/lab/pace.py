"""When another run may begin: while processors are free, for a cycle that is starved concludes nothing.

A cycle computes most in its first seconds and then waits. Begun all at once, a hundred of them keep each other from
their turn, and what is late looks like what is dropped; begun one after another they fill the time. How many compute
just now says nothing of those which have only just begun, so that two beginnings also lie some time apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 1.0  # seconds without a beginning, after which one is made however busy others keep the machine
APART = 0.2  # processor seconds between two beginnings: what a cycle takes in all, so that they alone fill no machine
EACH = 2  # processes in line for each processor, up to which another may join


class Pace:
    """`running` is how many processes compute or wait for their turn."""

    def __init__(
        self,
        running: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        processors: int | None = None,
    ) -> None:
        self._running, self._clock = running or others_running, clock
        processors = processors or os.cpu_count() or 1
        self._most, self._apart = EACH * processors, APART / processors
        self._last = float("-inf")

    def allows(self) -> bool:
        """Whether one may begin now; whoever is told so begins it."""
        now = self._clock()
        since = now - self._last
        if since < self._apart or (self._running() > self._most and since < PATIENCE):
            return False
        self._last = now
        return True


def others_running() -> int:
    """By proc_loadavg(5), where this process counts too."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1
