"""What the page shows, before it is a page: places, and in each the rows of its targets with their last 24 hours.

A place is a network with an access. Where it has fewer lines than a cell needs, each line speaks for itself: the row
is its latest verdict. Elsewhere the row is the latest cell. In both, an hour without data is None, never a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

from msgspec import Struct

from collector.front.page.words import answered_words, day_and_time, hour_span, lines_by_state
from collector.isolation import Faults
from collector.warehouse import privacy_floor, questions
from collector.warehouse.days import Asked, Day, PlaceKey, days, places
from collector.warehouse.early_signal import EarlySignal, early_signals
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow
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

R = TypeVar("R", VerdictRow, Day)


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
    asked = Asked(first_hour=first, last_hour=last, country=country, public_at=None if full else now_ms)
    lines = _by_place(line for line in found if country in (None, line.country))
    cells = {key: count for key, count in places(warehouse, asked).items() if key not in lines}
    rows = {key: _line_rows(warehouse.faults, group, first) for key, group in lines.items()}
    known = sorted([*lines, *cells], key=_in_order)
    fitting = _fitting(known, {key: len(group) for key, group in rows.items()} | cells)
    days_of = _by_place(days(warehouse, asked, [key for key in fitting if key in cells]))
    rows |= {key: _cell_rows(warehouse.faults, group, first, full) for key, group in days_of.items()}
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
        cut.append((key, sorted(rows, key=_order)[: max(free, 0)]))
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


def _order(row: Row) -> tuple[bool, str, str, str]:
    return row.neutral, row.service.lower(), row.role, row.line


def _line_rows(faults: Faults, verdicts: Sequence[VerdictRow], first: int) -> list[Row]:
    """One row per (target, line)."""
    keys = sorted({v.key for v in verdicts})
    names = {key: str(i) if len(keys) > 1 else "" for i, key in enumerate(keys, start=1)}
    by_line = sorted(verdicts, key=lambda v: (v.target, v.key, v.started_ms, v.round, v.uid))
    groups = [list(group) for _, group in groupby(by_line, key=lambda v: (v.target, v.key))]
    return list(faults.each("rows of the page", lambda group: _line_row(group, first, names), groups))


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


def _cell_rows(faults: Faults, seen: Sequence[Day], first: int, full: bool) -> list[Row]:
    """One row per target."""
    return list(faults.each("rows of the page", lambda day: _cell_row(day, first, full), seen))


def _cell_row(day: Day, first: int, full: bool) -> Row:
    """The row of one target."""
    latest = day.latest
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
        hours=_hours({hour: State(state) for hour, state in day.states.items()}, first),
    )


def _hours(states: dict[int, State], first: int) -> tuple[State | None, ...]:
    return tuple(states.get(first + i) for i in range(HOURS))
