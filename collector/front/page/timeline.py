"""A row's 24 hours as shapes, each as look.py says.

An hour without data is a dot on the ground line: an absence, not a low bar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from collector.front.page.look import LOOKS, RELAY_REACHED, Look
from collector.front.page.words import clock_hour, hour_span

CELL_WIDTH = 18
HEIGHT = 22
LABEL_EVERY = 6  # hours

ABSENT = "without data"


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


def bars(hours: Sequence[Look | None], last_hour: int) -> list[Bar]:
    """The bars of 24 hours, oldest first; the last is `last_hour`."""
    first = last_hour - len(hours) + 1
    return [bar(i, look, first + i) for i, look in enumerate(hours)]


def bar(i: int, look: Look | None, hour: int) -> Bar:
    """The bar of one hour, at its place."""
    height = 0 if look is None else look.height
    return Bar(
        x=i * CELL_WIDTH,
        y=HEIGHT - height,
        height=height,
        state="none" if look is None else look.name,
        sign="" if look is None else look.sign,
        title=f"{hour_span(hour)} UTC: {ABSENT if look is None else look.words}",
    )


def ticks(count: int, last_hour: int) -> list[Tick]:
    """The ticks of the axis: the hours that it names."""
    first = last_hour - count + 1
    room = range(count - 1)  # a label at the end would be cut off
    return [Tick(x=i * CELL_WIDTH, text=clock_hour(first + i)) for i in room if (first + i) % LABEL_EVERY == 0]


def in_words(hours: Sequence[Look | None]) -> str:
    """The timeline in words, such as `20 h no interference seen, 3 h blocked, 1 h without data`."""
    counts = Counter(hours)
    known = [(look, counts[look]) for look in (*LOOKS.values(), RELAY_REACHED) if counts[look]]
    said = [f"{n} h {look.words}" for look, n in sorted(known, key=lambda item: -item[1])]
    return ", ".join([*said, f"{counts[None]} h {ABSENT}"] if counts[None] else said)
