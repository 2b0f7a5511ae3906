"""A row of the page: one target at one place, or on one line of it, with its last 24 hours.

Where a place has fewer lines than a cell needs, each line speaks for itself: the row is its latest verdict. Elsewhere
it is the latest cell. In both, an hour without data is None, never a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec import Struct

from collector.front.page.look import Look, look_of
from collector.front.page.words import answered_words, day_and_time, hour_span, lines_by_state
from collector.isolation import Faults
from collector.warehouse import privacy_floor
from collector.warehouse.days import Day
from collector.warehouse.questions import Reason, place_of
from collector.warehouse.tables import CellRow, VerdictRow
from probe.explain import DEPTH_WORDS, STEP_WORDS, mechanism_words, role_words, service_words, words_of
from probe.model import Depth, State, Step

HOURS = 24
NEUTRAL = "baseline"
ROLE_ORDER = ("call", "chat", "push", "web")  # calls first: they are what the project asks about

Reasons = Mapping[tuple[Any, ...], Sequence[Reason]]


class Row(Struct, frozen=True, kw_only=True):
    target: str
    service: str
    role: str
    state: State
    look: Look
    state_words: str
    how: str  # the mechanism, or how deep into a call the evidence reaches; "" when neither is known
    step: str  # where it failed; "" when it did not
    when: str
    why: str
    lines: str
    line: str  # which line, where a place has several that speak for themselves
    neutral: bool  # measured for comparison only
    hours: tuple[Look | None, ...]  # oldest first; None: no data

    @property
    def name(self) -> str:
        return f"{self.service} {self.role}"


def order(row: Row) -> tuple[bool, int, str, str]:
    """Calls first, what is for comparison last."""
    role = row.target.partition("/")[2]
    return row.neutral, ROLE_ORDER.index(role) if role in ROLE_ORDER else len(ROLE_ORDER), row.target, row.line


def line_rows(faults: Faults, verdicts: Sequence[VerdictRow], first: int) -> list[Row]:
    """One row per (target, line), of the verdicts of one place."""
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
    depth, state = _depth(latest.depth), State(latest.state)
    return Row(
        target=latest.target,
        service=service_words(latest.service),
        role=role_words(latest.role),
        state=state,
        look=look_of(state, depth),
        state_words=words_of(state, depth),
        how=mechanism_words(latest.mechanism) or ("" if depth is None else DEPTH_WORDS[depth]),
        step="" if latest.step is None else STEP_WORDS[Step(latest.step)],
        when=day_and_time(latest.started_ms),
        why=_sentence(latest.reason),
        lines="1 line",
        line=names[latest.key],
        neutral=latest.service == NEUTRAL,
        hours=_hours({v.hour: look_of(State(v.state), _depth(v.depth)) for v in verdicts}, first),
    )


def cell_rows(faults: Faults, seen: Sequence[Day], first: int, full: bool, reasons: Reasons) -> list[Row]:
    """One row per target, of the days of one place. `reasons` are for the owner: they are of single lines."""
    return list(faults.each("rows of the page", lambda day: _cell_row(day, first, full, reasons), seen))


def _cell_row(day: Day, first: int, full: bool, reasons: Reasons) -> Row:
    """The row of one target."""
    latest = day.latest
    state, said = State(latest.state), reasons.get(place_of(latest), ())
    depth = _depth(latest.depth)
    looks = {hour: look_of(State(word), _depth(reached)) for hour, (word, reached) in day.hours.items()}
    count = str if full else privacy_floor.band
    return Row(
        target=latest.target,
        service=service_words(latest.service),
        role=role_words(latest.role),
        state=state,
        look=look_of(state, depth),
        state_words=words_of(state, depth),
        how=mechanism_words(latest.mechanism) or ("" if depth is None else DEPTH_WORDS[depth]),
        step="",
        when=hour_span(latest.hour),
        why=_why(latest, said, count),
        lines="1 line" if latest.lines == 1 else f"{count(latest.lines)} lines",
        line="",
        neutral=latest.service == NEUTRAL,
        hours=_hours(looks, first),
    )


def _why(cell: CellRow, said: Sequence[Reason], count: Callable[[int], str]) -> str:
    """The commonest reason of those who are in the cell's state, or else in any; then who is in which."""
    ranked = sorted(said, key=lambda each: (each.state != cell.state, -each.lines, each.state))
    commonest = [_sentence(ranked[0].reason)] if ranked else []
    differ = len(cell.states) > 1 or not commonest
    counted = [lines_by_state(cell.states, count)] if differ and cell.states else []
    return " ".join([*commonest, "; ".join([*counted, *answered_words(cell.answered, count)])]).strip()


def _depth(word: str | None) -> Depth | None:
    return None if word is None else Depth(word)


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]


def _hours(looks: Mapping[int, Look], first: int) -> tuple[Look | None, ...]:
    return tuple(looks.get(first + i) for i in range(HOURS))
