"""The privacy floor: what strangers are shown, and what is said there.

Strangers see a cell when at least three established lines from at least three source buckets are in it (two where one
bucket has thousands of subscribers: probe/judge/cells.py says where), an hour after its hour has ended, as one band and
one state. How many lines said what is not shown: one line that differs would show in it. Networks below the floor are
added up to one cell, `other`, of their country and access, where together they pass it.

Each cell is made once, whoever asks and however: a question chooses among whole cells, so that no difference of two
answers is less than a cell. Nor is one of two answers at different times: what comes late changes a cell in steps as
large as a cell (editions.py).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from collector.warehouse.tables import CellRow
from probe.judge.cells import LINES_FLOOR, sources_floor
from probe.model import HOUR_MS, Access, Cell, Json

DELAY_MS = HOUR_MS  # after the end of an hour
OTHER = "other"  # the operator of a cell of several small networks; its asn is 0
BANDS = ((0, "0"), (2, "<3"), (5, "3-5"), (10, "6-10"))  # the largest count of each
LARGEST = ">10"
OF_OPERATORS = frozenset(  # fields that strangers do not get, or under another name
    {
        *("counted", "answered", "states", "public_state", "public_mechanism", "public_depth"),
        *("established", "buckets", "sources_floor", "shown_from_ms", "shown_until_ms"),
    }
)

# What is public at the moment $public_at; NULL asks for the owner's. Of addresses, then of the editions of cells.
SHOWN = "($public_at::BIGINT IS NULL OR shown_from_ms BETWEEN 1 AND $public_at)"
VISIBLE = """
CASE WHEN $public_at::BIGINT IS NULL THEN shown_from_ms = 0
ELSE shown_from_ms BETWEEN 1 AND $public_at AND $public_at < shown_until_ms END
"""


def passes(cell: Cell | CellRow) -> bool:
    """Whether a cell may be shown to strangers once its hour is over."""
    return cell.established >= LINES_FLOOR and cell.buckets >= cell.sources_floor


def hides(established: Collection[tuple[Access, str | None]]) -> bool:
    """Whether these established lines, by access and bucket of each, are so many, of so many sources, that none of them
    can be seen among them.
    """
    sources = {bucket for _, bucket in established}
    return len(established) >= LINES_FLOOR and len(sources) >= sources_floor(established)


def band(lines: int) -> str:
    """The band that a count of lines is shown as."""
    return next((word for most, word in BANDS if lines <= most), LARGEST)


def public(cell: CellRow) -> CellRow:
    """A cell as strangers are told it: of established lines, without who said what."""
    return msgspec.structs.replace(
        cell,
        state=cell.public_state,
        mechanism=cell.public_mechanism,
        depth=cell.public_depth,
        lines=cell.established,
        counted=cell.established,
        answered=0,
        states={},
    )


def shown(cell: CellRow, full: bool) -> dict[str, Json]:
    """A cell for JSON. Not in full, its count is a band; whether it may be shown at all, VISIBLE says."""
    fields: dict[str, Json] = msgspec.to_builtins(cell if full else public(cell))
    if full:
        return fields
    fields["lines"] = band(cell.established)
    return {name: value for name, value in fields.items() if name not in OF_OPERATORS}
