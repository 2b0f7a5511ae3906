"""Controls are measured once, and stand around the time of every run that is judged with them."""

from __future__ import annotations

from probe.model import ControlMeasurement, Link, Measurement, Network
from tests.lab.moments import around, placed

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000


def measured(started_ms: int, offset_ms: int | None = 0) -> Measurement:
    return Measurement(
        uid="0" * 32,
        target="viber/chat",
        cycle="1" * 32,
        round=1,
        started_ms=started_ms,
        clock_offset_ms=offset_ms,
        link=Link(up=True),
    )


def test_a_control_is_placed_by_its_corrected_clock() -> None:
    seen = [measured(NOW_MS + 500), measured(NOW_MS + 4_500)]
    controls = [
        ControlMeasurement(key="c", network=Network(), measurement=each)
        for minutes in (-20, 20)
        for each in placed(seen, minutes)
    ]
    later = NOW_MS + 7 * MINUTE_MS
    assert [each.measurement.started_ms - later for each in around(controls, later)] == [
        -20 * MINUTE_MS,
        -20 * MINUTE_MS + 4_000,
        20 * MINUTE_MS,
        20 * MINUTE_MS + 4_000,
    ]
    (wrong,) = placed([measured(NOW_MS, -3_600_000)], 10)
    assert wrong.started_ms + (wrong.clock_offset_ms or 0) == 10 * MINUTE_MS
