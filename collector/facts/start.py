"""The start of a measurement on the collector's clock: the probe's is not trusted (design.md, section 1, "Time").

A probe that knows how far its clock is off says so, and is believed unless a delivery contradicts it: what was sealed
and received in the same hour by both clocks was not measured hours before its sealing. A forged or cached Date makes
such an offset. For a probe that knows none, sealing and receiving happen close together, so the difference between the
two clocks at that moment stands for the offset, unless it is so large that a late delivery or a dead clock battery
explains it as well. What then remains is a measurement without a time: it is kept under the hour of its receipt,
marked, and the judge calls it `clock_unknown`.
"""

from __future__ import annotations

from msgspec import Struct

MAX_SKEW_MS = 30 * 60_000
MAX_AHEAD_MS = 5 * 60_000
FRESH_MS = 60 * 60_000  # between the clocks of probe and collector: it was delivered at once, and both are about right


class Start(Struct, frozen=True):
    """The corrected start; where `known` is False, `ms` is the time of receipt."""

    ms: int
    known: bool


def corrected_start(started_ms: int, clock_offset_ms: int | None, sealed_ms: int, received_ms: int) -> Start:
    """The start on the collector's clock. `clock_offset_ms`: true time − the probe's; None: not measured."""
    offset = clock_offset_ms
    if offset is None or _is_contradicted(started_ms, offset, sealed_ms, received_ms):
        offset = received_ms - sealed_ms
        if abs(offset) > MAX_SKEW_MS:
            return Start(received_ms, known=False)
    start = started_ms + offset
    # Before 1970 is as impossible as the future, and no index could hold an unbounded integer.
    if start < 0 or start > received_ms + MAX_AHEAD_MS:
        return Start(received_ms, known=False)
    return Start(start, known=True)


def _is_contradicted(started_ms: int, offset_ms: int, sealed_ms: int, received_ms: int) -> bool:
    """A delivery that was fresh by the probe's own clock would be hours old by its offset."""
    waited_ms = max(0, sealed_ms - started_ms)  # in the spool
    age_ms = received_ms - (started_ms + offset_ms)
    return abs(received_ms - sealed_ms) <= FRESH_MS and age_ms - waited_ms > FRESH_MS
