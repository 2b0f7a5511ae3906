"""A row's 24 hours as a drawing. The same few bars stand in all rows of a page, and in those of the next minutes: each
is made once, and kept.
"""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup

from collector.front.page import timeline
from collector.front.page.look import Look
from collector.front.page.templating import made

BARS, ROWS = 2_048, 1_024  # that are kept: of one hour at most 24 places and 10 states


@lru_cache(ROWS)
def drawn(hours: tuple[Look | None, ...], last_hour: int) -> Markup:
    """The drawing of these hours, oldest first; the last is `last_hour`."""
    return made(
        "timeline.html",
        bars=[_bar(place, look, last_hour - len(hours) + 1 + place) for place, look in enumerate(hours)],
        axis=_axis(len(hours), last_hour),
        words=in_words(hours),
        width=len(hours) * timeline.CELL_WIDTH,
        height=timeline.HEIGHT,
    )


@lru_cache(ROWS)
def in_words(hours: tuple[Look | None, ...]) -> str:
    return timeline.in_words(hours)


@lru_cache(BARS)
def _bar(place: int, look: Look | None, hour: int) -> Markup:
    bar = timeline.bar(place, look, hour)
    return made("bar.html", bar=bar, cell_width=timeline.CELL_WIDTH, height=timeline.HEIGHT)


@lru_cache(1)
def _axis(count: int, last_hour: int) -> Markup:
    return made("axis.html", ticks=timeline.ticks(count, last_hour), height=timeline.HEIGHT)
