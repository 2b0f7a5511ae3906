"""The overview: connections × services, calls first; each field leads to the connection's details."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from collector.front.page.look import Look
from collector.front.page.rows import Row, order
from collector.front.page.summary import Place


class Column(Struct, frozen=True):
    target: str
    service: str
    role: str


class Field(Struct, frozen=True):
    """What was seen of a target at a place, of each line that speaks for itself; no looks where nothing was."""

    looks: tuple[Look, ...]
    words: str


class Overview(Struct, frozen=True):
    """`roles` are (words, how many columns); a line of fields for each place."""

    roles: tuple[tuple[str, int], ...]
    columns: tuple[Column, ...]
    fields: tuple[tuple[Field, ...], ...]


def overview(places: Sequence[Place]) -> Overview:
    rows = sorted((row for place in places for row in place.rows if not row.neutral), key=order)
    columns = tuple(dict.fromkeys(Column(row.target, row.service, row.role) for row in rows))
    counts: dict[str, int] = {}
    for column in columns:
        counts[column.role] = counts.get(column.role, 0) + 1
    fields = tuple(tuple(_field(place, column) for column in columns) for place in places)
    return Overview(tuple(counts.items()), columns, fields)


def _field(place: Place, column: Column) -> Field:
    rows = [row for row in place.rows if row.target == column.target]
    words = "; ".join(_said(row) for row in rows) or "not measured"
    return Field(tuple(row.look for row in rows), f"{column.service} {column.role}: {words}")


def _said(row: Row) -> str:
    return f"line {row.line}: {row.state_words}" if row.line else row.state_words
