"""A row's 24 hours as shapes: each state has its own height and sign, so that it is read without colour.

An hour without data is a dot on the ground line: an absence, not a low bar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from collector.front.page.words import clock_hour, hour_span
from probe.explain import STATE_WORDS
from probe.model import State

CELL_WIDTH = 18
HEIGHT = 22
LABEL_EVERY = 6  # hours

SIGNS = {
    State.OK: "○",
    State.DEGRADED: "◐",
    State.BLOCKED: "✕",
    State.LIKELY_BLOCKED: "✕?",
    State.IMPAIRED: "!",
    State.DOWN: "↓",
    State.INSUFFICIENT: "?",
    State.MIXED: "≠",
    State.UNKNOWN: "~",
}
HEIGHTS = {
    State.OK: 12,
    State.DEGRADED: 16,
    State.BLOCKED: 22,
    State.LIKELY_BLOCKED: 20,
    State.IMPAIRED: 16,
    State.DOWN: 16,
    State.INSUFFICIENT: 14,
    State.MIXED: 18,
    State.UNKNOWN: 14,
}
ABSENT = "no data"


class Bar(Struct, frozen=True, kw_only=True):
    """One hour; `state` is "none" and `sign` "" where there is no data."""

    x: int
    y: int
    height: int
    state: str
    sign: str
    title: str


class Tick(Struct, frozen=True, kw_only=True):
    x: int
    text: str


def bars(hours: Sequence[State | None], last_hour: int) -> list[Bar]:
    """The bars of 24 hours, oldest first; the last is `last_hour`."""
    first = last_hour - len(hours) + 1
    return [bar(i, state, first + i) for i, state in enumerate(hours)]


def bar(i: int, state: State | None, hour: int) -> Bar:
    """The bar of one hour, at its place."""
    words = ABSENT if state is None else STATE_WORDS[state]
    height = 0 if state is None else HEIGHTS[state]
    return Bar(
        x=i * CELL_WIDTH,
        y=HEIGHT - height,
        height=height,
        state="none" if state is None else state.value,
        sign="" if state is None else SIGNS[state],
        title=f"{hour_span(hour)} UTC: {words}",
    )


def ticks(count: int, last_hour: int) -> list[Tick]:
    """The ticks of the axis: the hours that it names."""
    first = last_hour - count + 1
    room = range(count - 1)  # a label at the end would be cut off
    return [Tick(x=i * CELL_WIDTH, text=clock_hour(first + i)) for i in room if (first + i) % LABEL_EVERY == 0]


def in_words(hours: Sequence[State | None]) -> str:
    """The timeline in words, such as `20 h no interference seen, 3 h blocked, 1 h no data`."""
    counts = Counter(hours)
    known = [(state, counts[state]) for state in State if counts[state]]
    said = [f"{n} h {STATE_WORDS[state]}" for state, n in sorted(known, key=lambda item: -item[1])]
    return ", ".join([*said, f"{counts[None]} h {ABSENT}"] if counts[None] else said)
