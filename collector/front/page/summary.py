"""What the page shows, before it is a page: places, each a network with an access, and the rows of their targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from collector.front.page.rows import HOURS, Row, cell_rows, line_rows, order
from collector.warehouse import questions
from collector.warehouse.days import Asked, Day, PlaceKey, days, places
from collector.warehouse.early_signal import EarlySignal, early_signals
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow
from probe.judge.cells import LINES_FLOOR
from probe.model import HOUR_MS

MAX_VERDICTS = 20_000
MOST_ROWS = 500  # on one page

R = TypeVar("R", VerdictRow, Day)


class Place(Struct, frozen=True, kw_only=True):
    country: str
    asn: int
    operator: str
    access: str
    simulated: bool
    by_line: bool
    rows: tuple[Row, ...]


class Summary(Struct, frozen=True, kw_only=True):
    """The whole page. `last_hour` is the one under way, since 1970; not `complete`: there was more than fits."""

    places: tuple[Place, ...]
    controls: int
    last_hour: int
    full: bool
    complete: bool
    countries: tuple[str, ...] = ()  # that have places, also those that do not fit
    early: tuple[EarlySignal, ...] = ()  # for the owner alone


def summarize(warehouse: Warehouse, now_ms: int, full: bool, country: str | None = None) -> Summary:
    """The last 24 hours, the one under way included; of one country, or of all. Not in `full`, only cells that pass the
    privacy floor.
    """
    last = now_ms // HOUR_MS
    first = last - HOURS + 1
    found = _verdicts(warehouse, first, last) if full else []
    asked = Asked(first_hour=first, last_hour=last, country=country, public_at=None if full else now_ms)
    lines = _by_place(line for line in found if country in (None, line.country))
    cells = {key: count for key, count in places(warehouse, asked).items() if key not in lines}
    rows = {key: line_rows(warehouse.faults, group, first) for key, group in lines.items()}
    known = sorted([*lines, *cells], key=_in_order)
    fitting = _fitting(known, {key: len(group) for key, group in rows.items()} | cells)
    seen = days(warehouse, asked, [key for key in fitting if key in cells])
    reasons = questions.reasons(warehouse, [day.latest for day in seen]) if full else {}
    rows |= {key: cell_rows(warehouse.faults, of, first, full, reasons) for key, of in _by_place(seen).items()}
    shown, all_fit = _cut([(key, rows.get(key, [])) for key in fitting])
    return Summary(
        places=tuple(_place(key, group, by_line=key in lines) for key, group in shown if group),
        controls=questions.controls(warehouse, first, last, simulated=all(simulated for *_, simulated in known)),
        last_hour=last,
        full=full,
        early=tuple(early_signals(warehouse, first, last)) if full else (),
        countries=tuple(sorted({country for country, *_ in known})),
        complete=len(found) < MAX_VERDICTS and len(fitting) == len(known) and all_fit,
    )


def _in_order(key: PlaceKey) -> tuple[bool, str, str, int, str]:
    country, asn, operator, access, simulated = key
    return simulated, country, operator, asn, access


def _fitting(known: Iterable[PlaceKey], counts: Mapping[PlaceKey, int]) -> list[PlaceKey]:
    """The first places, as long as there is room for a row."""
    fitting, free = [], MOST_ROWS
    for key in known:
        if free > 0:
            fitting.append(key)
        free -= counts[key]
    return fitting


def _cut(seen: Iterable[tuple[PlaceKey, list[Row]]]) -> tuple[list[tuple[PlaceKey, list[Row]]], bool]:
    """The first MOST_ROWS rows, each place's in order, and whether these are all."""
    cut, free = [], MOST_ROWS
    for key, rows in seen:
        cut.append((key, sorted(rows, key=order)[: max(free, 0)]))
        free -= len(rows)
    return cut, free >= 0


def _place(key: PlaceKey, rows: Sequence[Row], *, by_line: bool) -> Place:
    country, asn, operator, access, simulated = key
    return Place(
        country=country,
        asn=asn,
        operator=operator,
        access=access,
        simulated=simulated,
        by_line=by_line,
        rows=tuple(rows),
    )


def _verdicts(warehouse: Warehouse, first: int, last: int) -> list[VerdictRow]:
    return questions.hourly_verdicts(warehouse, first, last, most_lines=LINES_FLOOR, limit=MAX_VERDICTS)


def _by_place(each: Iterable[R]) -> dict[PlaceKey, list[R]]:
    found: dict[PlaceKey, list[R]] = {}
    for one in each:
        row = one.latest if isinstance(one, Day) else one
        found.setdefault((row.country, row.asn, row.operator, row.access, row.simulated), []).append(one)
    return found
