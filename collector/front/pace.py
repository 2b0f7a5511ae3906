"""Pace: a body that comes too slowly ends, so that nobody holds memory and a connection for nothing."""

from __future__ import annotations

from msgspec import Struct


class Pace(Struct, kw_only=True):
    """Until when more of a body has to come: it may stand still for `grace_s`, and come at `least_bps`, bytes a second.

    What came early is no credit for later. Times are the event loop's, in seconds.
    """

    until_s: float
    grace_s: float
    least_bps: float

    def came(self, size: int, now_s: float) -> float:
        """The new limit, after so many bytes."""
        self.until_s = min(now_s + self.grace_s, self.until_s + size / self.least_bps)
        return self.until_s
