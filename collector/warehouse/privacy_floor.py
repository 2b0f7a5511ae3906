"""The privacy floor: below three lines nothing is shown to strangers, and above it counts are bands."""

from __future__ import annotations

import msgspec

from collector.warehouse.tables import CellRow
from probe.model import Json

LINES_FLOOR = 3
BANDS = ((0, "0"), (2, "<3"), (5, "3-5"), (10, "6-10"))  # the largest count of each
LARGEST = ">10"


def passes(cell: CellRow) -> bool:
    return cell.lines >= LINES_FLOOR


def band(lines: int) -> str:
    """The band that a count of lines is shown as."""
    return next((word for most, word in BANDS if lines <= most), LARGEST)


def shown(cell: CellRow, full: bool) -> dict[str, Json]:
    """A cell for JSON. Not in full, its counts are bands; whether it may be shown at all, `passes` says."""
    fields: dict[str, Json] = msgspec.to_builtins(cell)
    if full:
        return fields
    states = {state: band(lines) for state, lines in cell.states.items()}
    counts = {name: band(getattr(cell, name)) for name in ("lines", "counted", "answered")}
    return {**fields, **counts, "states": states}
