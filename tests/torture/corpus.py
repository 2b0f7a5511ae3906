"""Genuine measurements of the targets that are really measured, answered and interfered with, and of every fact."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from collector.replay.episode import Episode, load
from collector.replay.play import moments
from collector.replay.simulate import cycle
from probe.model import Measurement, Targets
from tests import genuine

EPISODES = ("morocco-2016", "outage")
LINES = 3
EVERY_H = 24 * 30


def corpus(targets: Targets) -> list[Measurement]:
    """All start at one time: where they are put is for who uses them."""
    simulated = [each for name in EPISODES for each in _of(load(name), targets)]
    told = [replace(each, simulated=False, started_ms=genuine.STARTED_MS, clock_offset_ms=0) for each in simulated]
    rich = genuine.measurements()
    return [*rich, *told, *(replace(each, link=rich[0].link, resolutions=rich[0].resolutions) for each in told[::7])]


def _of(episode: Episode, targets: Targets) -> Iterator[Measurement]:
    for moment in moments(episode, EVERY_H):
        for line in episode.lines[:LINES]:
            made = cycle(episode, targets, line, moment)
            yield from () if made is None else made.measurements
