"""A row's 24 hours as a drawing. The same few bars stand in all rows of a page, and in those of the next minutes: each
is made once, and kept.
"""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup

from collector.front.page import timeline
from collector.front.page.templating import made
from probe.model import State

BARS, ROWS = 2_048, 1_024  # that are kept: of one hour at most 24 places and 10 states


@lru_cache(ROWS)
def drawn(hours: tuple[State | None, ...], last_hour: int) -> Markup:
    """The drawing of these hours, oldest first; the last is `last_hour`."""
    return made(
        "timeline.html",
        bars=[_bar(place, state, last_hour - len(hours) + 1 + place) for place, state in enumerate(hours)],
        axis=_axis(len(hours), last_hour),
        words=in_words(hours),
        width=len(hours) * timeline.CELL_WIDTH,
        height=timeline.HEIGHT,
    )


@lru_cache(ROWS)
def in_words(hours: tuple[State | None, ...]) -> str:
    return timeline.in_words(hours)


@lru_cache(BARS)
def _bar(place: int, state: State | None, hour: int) -> Markup:
    bar = timeline.bar(place, state, hour)
    return made("bar.html", bar=bar, cell_width=timeline.CELL_WIDTH, height=timeline.HEIGHT)


@lru_cache(1)
def _axis(count: int, last_hour: int) -> Markup:
    return made("axis.html", ticks=timeline.ticks(count, last_hour), height=timeline.HEIGHT)
