"""What the page shows, before it is a page: places, and in each the rows of its targets with their last 24 hours.

A place is a network with an access. Where it has fewer lines than a cell needs, each line speaks for itself: the row
is its latest verdict. Elsewhere the row is the latest cell. In both, an hour without data is None, never a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

from msgspec import Struct

from collector.front.page.words import answered_words, day_and_time, hour_span, lines_by_state
from collector.isolation import Faults
from collector.warehouse import privacy_floor, questions
from collector.warehouse.early_signal import EarlySignal, early_signals
from collector.warehouse.questions import CellQuery
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CellRow, VerdictRow
from probe.explain import (
    DEPTH_WORDS,
    STATE_WORDS,
    STEP_WORDS,
    mechanism_words,
    role_words,
    service_words,
    words_of,
)
from probe.judge.cells import LINES_FLOOR
from probe.model import HOUR_MS, Depth, State, Step

HOURS = 24
MAX_VERDICTS = 20_000
MOST_ROWS = 500  # on one page
NEUTRAL = "baseline"

R = TypeVar("R", VerdictRow, CellRow)
PlaceKey = tuple[str, int, str, str, bool]


class Row(Struct, frozen=True, kw_only=True):
    """A row: one target at one place, or on one line of it."""

    service: str
    role: str
    state: State
    state_words: str
    how: str  # the mechanism, or how deep into a call the evidence reaches; "" when neither is known
    step: str  # where it failed; "" when it did not
    when: str
    why: str
    lines: str
    line: str  # which line, where a place has several that speak for themselves
    neutral: bool  # measured for comparison only
    hours: tuple[State | None, ...]  # oldest first; None: no data


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
    lines = [line for line in found if country in (None, line.country)]
    cells = questions.cells(warehouse, _cell_query(first, last, None if full else now_ms, country))
    cells = cells if full else [privacy_floor.public(cell) for cell in cells]
    alone = {_place(row) for row in lines}
    seen = [
        *_gathered(lines, first, _line_rows(warehouse.faults), by_line=True),
        *_gathered(
            (c for c in cells if _place(c) not in alone), first, _cell_rows(warehouse.faults, full), by_line=False
        ),
    ]
    seen.sort(key=lambda p: (p.simulated, p.country, p.operator, p.asn, p.access))
    fitting, all_fit = _fitting(seen)
    return Summary(
        places=fitting,
        controls=questions.controls(warehouse, first, last, simulated=all(one.simulated for one in seen)),
        last_hour=last,
        full=full,
        early=tuple(early_signals(warehouse, first, last)) if full else (),
        countries=tuple(sorted({one.country for one in seen})),
        complete=len(found) < MAX_VERDICTS and len(cells) < CellQuery(since_ms=0, until_ms=0).limit and all_fit,
    )


class _Gathered(Struct, frozen=True, kw_only=True):
    """What is known of a place, whose rows are made when there is room for them."""

    country: str
    asn: int
    operator: str
    access: str
    simulated: bool
    by_line: bool
    rows: Callable[[], list[Row]]

    def place(self, most: int) -> tuple[Place, bool]:
        """With so many rows at most, and whether these are all."""
        rows = sorted(self.rows(), key=_order)
        place = Place(
            country=self.country,
            asn=self.asn,
            operator=self.operator,
            access=self.access,
            simulated=self.simulated,
            by_line=self.by_line,
            rows=tuple(rows[:most]),
        )
        return place, len(rows) <= most


def _fitting(seen: Iterable[_Gathered]) -> tuple[tuple[Place, ...], bool]:
    """The first places, up to MOST_ROWS rows, and whether these are all."""
    fitting: list[Place] = []
    free, all_fit = MOST_ROWS, True
    for one in seen:
        if not free or not all_fit:
            return tuple(fitting), False
        place, all_fit = one.place(free)
        fitting += [place] if place.rows else []
        free -= len(place.rows)
    return tuple(fitting), all_fit


def _verdicts(warehouse: Warehouse, first: int, last: int) -> list[VerdictRow]:
    return questions.hourly_verdicts(warehouse, first, last, most_lines=LINES_FLOOR, limit=MAX_VERDICTS)


def _cell_query(first: int, last: int, public_at: int | None, country: str | None) -> CellQuery:
    return CellQuery(
        since_ms=first * HOUR_MS,
        until_ms=(last + 1) * HOUR_MS,
        public_at=public_at,
        country=country,
    )


def _place(row: VerdictRow | CellRow) -> PlaceKey:
    return row.country, row.asn, row.operator, row.access, row.simulated


def _gathered(
    rows: Iterable[R], first: int, rows_of: Callable[[Sequence[R], int], list[Row]], *, by_line: bool
) -> list[_Gathered]:
    return [
        _Gathered(
            country=country,
            asn=asn,
            operator=operator,
            access=access,
            simulated=simulated,
            by_line=by_line,
            rows=partial(rows_of, list(group), first),
        )
        for (country, asn, operator, access, simulated), group in groupby(sorted(rows, key=_place), key=_place)
    ]


def _order(row: Row) -> tuple[bool, str, str, str]:
    return row.neutral, row.service.lower(), row.role, row.line


def _line_rows(faults: Faults) -> Callable[[Sequence[VerdictRow], int], list[Row]]:
    """One row per (target, line)."""

    def rows(verdicts: Sequence[VerdictRow], first: int) -> list[Row]:
        keys = sorted({v.key for v in verdicts})
        names = {key: str(i) if len(keys) > 1 else "" for i, key in enumerate(keys, start=1)}
        by_line = sorted(verdicts, key=lambda v: (v.target, v.key, v.started_ms, v.round, v.uid))
        groups = [list(group) for _, group in groupby(by_line, key=lambda v: (v.target, v.key))]
        return list(faults.each("rows of the page", lambda group: _line_row(group, first, names), groups))

    return rows


def _line_row(verdicts: Sequence[VerdictRow], first: int, names: Mapping[str, str]) -> Row:
    """The row of one target on one line; the verdicts are in order of time. `names` are of keys: no key is shown,
    for a page is handed on as easily as it is looked at.
    """
    latest = verdicts[-1]
    depth = None if latest.depth is None else Depth(latest.depth)
    state = State(latest.state)
    return Row(
        service=service_words(latest.service),
        role=role_words(latest.role),
        state=state,
        state_words=words_of(state, depth),
        how=mechanism_words(latest.mechanism) or ("" if depth is None else DEPTH_WORDS[depth]),
        step="" if latest.step is None else STEP_WORDS[Step(latest.step)],
        when=day_and_time(latest.started_ms),
        why=latest.reason[:1].upper() + latest.reason[1:],
        lines="1 line",
        line=names[latest.key],
        neutral=latest.service == NEUTRAL,
        hours=_hours({v.hour: State(v.state) for v in verdicts}, first),
    )


def _cell_rows(faults: Faults, full: bool) -> Callable[[Sequence[CellRow], int], list[Row]]:
    """One row per target."""

    def rows(cells: Sequence[CellRow], first: int) -> list[Row]:
        by_target = sorted(cells, key=lambda c: (c.target, c.hour))
        groups = [list(group) for _, group in groupby(by_target, key=lambda c: c.target)]
        return list(faults.each("rows of the page", lambda group: _cell_row(group, first, full), groups))

    return rows


def _cell_row(cells: Sequence[CellRow], first: int, full: bool) -> Row:
    """The row of one target; the cells are in order of time."""
    latest = cells[-1]
    state = State(latest.state)
    count = str if full else privacy_floor.band
    return Row(
        service=service_words(latest.service),
        role=role_words(latest.role),
        state=state,
        state_words=STATE_WORDS[state],
        how=mechanism_words(latest.mechanism),
        step="",
        when=hour_span(latest.hour),
        why="; ".join((lines_by_state(latest.states, count), *answered_words(latest.answered, count))),
        lines="1 line" if latest.lines == 1 else f"{count(latest.lines)} lines",
        line="",
        neutral=latest.service == NEUTRAL,
        hours=_hours({c.hour: State(c.state) for c in cells}, first),
    )


def _hours(states: dict[int, State], first: int) -> tuple[State | None, ...]:
    return tuple(states.get(first + i) for i in range(HOURS))
