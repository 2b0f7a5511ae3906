"""The collector's own clock: the time of receipt, or none while it must be wrong.

Everything that a measurement's time is corrected by is compared with the time of its receipt; a clock that has fallen
back spoils honest records for good. So what was received last, and the date of this program, are the least that the
clock may show, but for small steps back. A clock that was ahead and is right again looks the same: whoever runs the
collector says which of the two is right (`--trust-clock`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

STEP_BACK_MS = 5 * 60_000  # that a clock makes when it is set
EARLIEST_MS = round(datetime(2026, 8, 21, tzinfo=UTC).timestamp() * 1000)  # this program's targets are of that day


class ClockBehind(Exception):
    """The clock shows a time that has passed."""


class OwnClock:
    """Times of receipt, ms, from `wall_ms`. `newest_ms`: that of the newest batch in the log, 0 where there is none."""

    def __init__(self, wall_ms: Callable[[], int], newest_ms: int, earliest_ms: int = EARLIEST_MS) -> None:
        self._wall_ms, self._newest_ms, self._earliest_ms = wall_ms, newest_ms, earliest_ms
        self._given_ms = 0

    def now_ms(self) -> int:
        """The time. Raises ClockBehind."""
        now_ms = self._wall_ms()
        if self._least_ms() > now_ms:
            raise ClockBehind
        self._given_ms = max(self._given_ms, now_ms)
        return now_ms

    def kept(self) -> None:
        """Notes that something received at a time of `now_ms` is in the log."""
        self._newest_ms = max(self._newest_ms, self._given_ms)

    def behind_ms(self) -> int:
        """How far the clock is behind the least that it may show; 0 when it is not."""
        return max(0, self._least_ms() - self._wall_ms())

    def _least_ms(self) -> int:
        return max(self._newest_ms - STEP_BACK_MS, self._earliest_ms)
