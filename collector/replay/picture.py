"""A picture of a replayed episode: day by day and access by access, how many cells see interference, as an SVG.

    python -m collector.replay.picture morocco-2016 OUT.svg

replays the whole episode into a directory of its own that is gone afterwards, and draws what its collector concluded.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

from msgspec import Struct

from collector.front.page.words import ACCESSES, MONTHS
from collector.instance import Options, opened
from collector.judging.rules import RULES
from collector.replay import instance, load, moments
from collector.replay.episode import Episode
from collector.replay.play import Pace
from collector.warehouse.store import Warehouse
from probe.judge.cells import SPEAKS_AGAINST
from probe.model import HOUR_MS, State

ROLES = {"call": "Calls", "chat": "Messages"}
NAMES, WIDTH, RIGHT = 92, 960, 16  # px: room for names, all, and at the right
TOP, ROW, BETWEEN, TICKS = 78, 22, 26, 18
SHADES = 4
INK, SOFT, GROUND, CALM, AGAINST = "#1a1a1a", "#595959", "#ffffff", "#d6e8f4", "#8f2200"

DAYS = """
SELECT role, access, hour // 24 AS day, count(*) FILTER (state IN (SELECT unnest($1::VARCHAR[]))), count(*)
FROM cell WHERE simulated AND shown_from_ms = 0 AND target IN (
    SELECT DISTINCT target FROM verdict WHERE state <> 'insufficient' OR depth IS NOT NULL -- what is measurable
) GROUP BY ALL ORDER BY ALL
"""


class Day(Struct, frozen=True):
    """What the cells of one role on one access said on a day: how many of them saw interference."""

    role: str
    access: str
    day: int  # since 1970
    against: int
    cells: int


def days(warehouse: Warehouse) -> list[Day]:
    states = [State(each).value for each in SPEAKS_AGAINST]
    return [Day(*row) for row in warehouse.select(DAYS, [states])]


def draw(episode: Episode, seen: Sequence[Day]) -> str:
    """The picture, in which each rectangle carries its days."""
    rows = [(role, access) for role in ROLES for access in _accesses(seen, role)]
    height = TOP + len(rows) * ROW + len(ROLES) * BETWEEN + TICKS
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {height}"})
    root.set("role", "img")
    root.set("font-family", "system-ui, sans-serif")
    ElementTree.SubElement(root, "title").text = f"{episode.title} (simulated)"
    _box(root, (0, 0, WIDTH, height), GROUND)
    _text(root, 8, 24, f"{episode.title} (simulated)", size=16, weight="bold")
    _legend(root)
    across = _Across(episode)
    bottom = _draw_rows(root, rows, seen, across)
    for x, name in across.months():
        _text(root, x, bottom + TICKS - 6, name, size=11, colour=SOFT)
    ElementTree.indent(root, "")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


class _Run(Struct, frozen=True):
    """Days in a row that look alike; the shade is of SHADES."""

    first: int
    last: int
    shade: int


def _runs(seen: Iterable[Day]) -> list[_Run]:
    found: list[_Run] = []
    for day in sorted(seen, key=lambda each: each.day):
        shade = -(-day.against * SHADES // day.cells)  # rounded up: what is there is seen
        if found and found[-1].last == day.day - 1 and found[-1].shade == shade:
            found[-1] = _Run(found[-1].first, day.day, shade)
        else:
            found.append(_Run(day.day, day.day, shade))
    return found


class _Across:
    """Days → x."""

    def __init__(self, episode: Episode) -> None:
        self._first, self._last = episode.since_ms // (24 * HOUR_MS), (episode.until_ms - 1) // (24 * HOUR_MS)
        self.width = (WIDTH - NAMES - RIGHT) / (self._last - self._first + 1)

    def x(self, day: int) -> float:
        return NAMES + (day - self._first) * self.width

    def months(self) -> Iterable[tuple[float, str]]:
        """Where each month begins."""
        for day in range(self._first, self._last + 1):
            when = date(1970, 1, 1) + timedelta(day)
            if when.day == 1:
                yield self.x(day), MONTHS[when.month - 1] + (f" {when.year}" if when.month == 1 else "")


def _draw_rows(
    root: ElementTree.Element, rows: Sequence[tuple[str, str]], seen: Sequence[Day], across: _Across
) -> float:
    """Returns where the rows end."""
    y, last = float(TOP - BETWEEN), None
    for role, access in rows:
        if role != last:
            y, last = y + BETWEEN, role
            _text(root, 8, y - 6, ROLES[role], size=13, weight="bold")
        _text(root, 16, y + ROW - 7, ACCESSES.get(access, access), size=12)
        for run in _runs(each for each in seen if (each.role, each.access) == (role, access)):
            _draw_run(root, run, across, y)
        y += ROW
    return y


def _draw_run(root: ElementTree.Element, run: _Run, across: _Across, y: float) -> None:
    days = run.last - run.first + 1
    place = (across.x(run.first), y, days * across.width, ROW - 3)
    _box(root, place, CALM)
    if run.shade:
        _box(root, place, AGAINST).set("fill-opacity", f"{run.shade / SHADES:.2g}")
    root[-1].set("data-days", f"{run.first}-{run.last}")


def _legend(root: ElementTree.Element) -> None:
    for x, colour, words in (
        (8, CALM, "measured, no interference found"),
        (240, AGAINST, "interference on all operators and services measured (paler: on some)"),
        (690, GROUND, "blank: not measured"),
    ):
        _box(root, (x, 33, 12, 12), colour).set("stroke", SOFT)
        _text(root, x + 18, 43, words, size=12, colour=SOFT)


def _box(root: ElementTree.Element, place: tuple[float, float, float, float], fill: str) -> ElementTree.Element:
    names = zip(("x", "y", "width", "height"), place, strict=True)
    return ElementTree.SubElement(root, "rect", {**{name: f"{value:.6g}" for name, value in names}, "fill": fill})


def _text(
    root: ElementTree.Element, x: float, y: float, words: str, *, size: int, colour: str = INK, weight: str = "normal"
) -> None:
    at = {"x": f"{x:.6g}", "y": f"{y:.6g}", "fill": colour, "font-size": str(size), "font-weight": weight}
    ElementTree.SubElement(root, "text", at).text = words


def _accesses(seen: Iterable[Day], role: str) -> list[str]:
    there = {day.access for day in seen if day.role == role}
    return sorted(there, key=lambda access: [*ACCESSES, access].index(access))


def replayed(episode: Episode, every_h: int = 24) -> str:
    """The picture of the whole episode. Raises UserError."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        secret = instance.prepare(data, episode)
        given = instance.options_for(Options(data=data), episode, secret)
        when = moments(episode, every_h)
        clock = instance.StoryClock(when[0])
        playback = instance.Playback(episode=episode, when=when, secret=secret, pace=Pace())
        with opened(given, RULES, clock.now_ms, apart=True) as parts:
            asyncio.run(instance.run(playback, parts, given, clock, lambda _: None))
            return draw(episode, days(parts.warehouse))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(replayed(load(sys.argv[1])), encoding="utf-8")
