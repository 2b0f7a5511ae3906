"""When controls measured, as those who judge see it: each is measured once, and stands around the time of every run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec.structs import replace

from probe.model import ControlMeasurement, Measurement

BEFORE_AND_AFTER = (-20, 20)  # minutes between the line's failure and what a control saw: what it saw counts for both


def placed(measurements: Sequence[Measurement], minutes: int) -> list[Measurement]:
    """As if the cycle had begun so many minutes after 1970, by its corrected clock."""
    began = min((each.started_ms + (each.clock_offset_ms or 0) for each in measurements), default=0)
    return [replace(each, started_ms=each.started_ms - began + minutes * 60_000) for each in measurements]


def around(controls: Sequence[ControlMeasurement], now: int) -> tuple[ControlMeasurement, ...]:
    """Controls placed from 1970 on, placed around now: measured once, they are of the hour of every run."""
    return tuple(
        replace(each, measurement=replace(each.measurement, started_ms=each.measurement.started_ms + now))
        for each in controls
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000
