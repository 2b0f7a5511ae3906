"""The time as one cycle keeps it: the device's clock read once, and the monotonic clock since.

Somebody may set the device's clock while the cycle runs. A time that is counted from one reading does not leap with it,
so an offset that was measured early in the cycle is right at its end too.
"""

from __future__ import annotations

from msgspec import Struct


class Anchor(Struct, frozen=True):
    """One moment by both clocks: the device's, in milliseconds of Unix time, and the monotonic one, in seconds."""

    wall_ms: int
    monotonic: float

    def wall_at(self, monotonic: float) -> int:
        """What the device's clock would show then, had nobody set it."""
        return self.wall_ms + round((monotonic - self.monotonic) * 1000)
