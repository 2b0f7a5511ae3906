"""What happens to this process while a cycle runs: how late it gets its turn, and whether somebody sets the clock.

A process that is starved or frozen hears answers too late, or not at all, and would take its own silence for the
network's. Wall and monotonic clock part when the device sleeps, or when its clock is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from probe.handshakes.trace import Instruments
from probe.model import Void

TICK = 0.25  # seconds
MOST_LAG_MS = 1_000
MOST_DRIFT_MS = 2_000  # more than a clock is slewed by within a cycle


class Watch:
    """The worst that was seen so far."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self.lag_ms = 0  # of the event loop
        self.drift_ms = 0  # between wall and monotonic clock

    def void(self) -> Void | None:
        """Why nothing that was measured meanwhile can be concluded from; None: it can."""
        if self.drift_ms > MOST_DRIFT_MS:
            return Void.CLOCK
        return Void.STARVED if self.lag_ms > MOST_LAG_MS else None

    def sample(self, expected: float) -> None:
        """Now, when it should be the time `expected` by the monotonic clock."""
        late = self._instruments.clock() - expected
        self.lag_ms = max(self.lag_ms, round(late * 1000))
        self.drift_ms = max(self.drift_ms, abs(self._instruments.drift_ms()))

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            expected = self._instruments.clock() + TICK
            try:
                await asyncio.sleep(TICK)
            finally:  # cancelled at the cycle's end, it is early
                self.sample(expected)


@asynccontextmanager
async def watching(instruments: Instruments) -> AsyncIterator[Watch]:
    """While the body runs. The worst that was seen is whole when it has ended."""
    watch = Watch(instruments)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
