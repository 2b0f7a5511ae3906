"""How an access line carries packets: delay, jitter, loss, a rate, and a queue before it that overflows.

Order is kept: a packet never overtakes the one before it, so jitter behind others adds more than its mean. Between
packets that are far apart a round trip takes `round_trip(access)` on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab.model import Access, Fate

QUEUE_SECONDS = 0.25
QUEUE_BYTES = 64_000  # at least, so that a slow link takes the burst that opens a TLS connection


class Direction:
    """One way of a link. Times are when the first bit comes in and the last one goes out."""

    def __init__(self, access: Access, rate: float, dice: Random) -> None:
        self._access, self._rate, self._dice = access, rate, dice
        self._room = max(QUEUE_BYTES, rate * QUEUE_SECONDS) / rate  # seconds
        self._free = 0.0  # when the link has sent everything that it holds
        self._last = 0.0  # when the last packet comes out

    def out(self, size: int, now: float) -> float | None:
        """When a packet comes out; None when it is lost."""
        if self._access.loss and self._dice.random() < self._access.loss:
            return None
        start = max(now, self._free)
        if start - now > self._room:
            return None
        self._free = start + size / self._rate
        due = self._free + self._access.delay + self._access.jitter * self._dice.random()
        self._last = max(due, self._last)
        return self._last


class Shaper:
    """A Filter for both directions."""

    def __init__(self, access: Access, dice: Random) -> None:
        self._up = Direction(access, access.up_rate, dice)
        self._down = Direction(access, access.down_rate, dice)

    def __call__(self, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        out = (self._up if up else self._down).out(len(packet), now)
        return () if out is None else (Fate(packet, up, out - now),)


def round_trip(access: Access, size: int = 0) -> float:
    """Mean seconds for a packet of this size and one back."""
    return 2 * access.delay + access.jitter + size / access.up_rate + size / access.down_rate
