"""What an episode tells, for readers: the words before it begins, and its phases as annotations with their sources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from collector.influx.events import Event, Told
from collector.replay.episode import Episode, Phase


def begins(episode: Episode, since_ms: int, until_ms: int) -> Iterator[str]:
    """What it is going to show between two moments (ms)."""
    yield f"{episode.title}. Everything in it is simulated: it says nothing about any real network."
    shown = [phase for phase in episode.phases if phase.since_ms < until_ms and since_ms < phase.until_ms]
    yield from (f"  {_days(phase)}  {phase.words}" for phase in shown)
    if until_ms < episode.until_ms:
        yield f"It ends on {_date(until_ms)}; --until {_date(episode.until_ms)} goes on to the end of the story."


def events(episode: Episode) -> Iterator[Told]:
    """When each phase begins and ends, by whose word."""
    tags = {} if episode.country is None else {"country": episode.country}
    for phase in episode.phases:
        text = f"Simulated. Source: {phase.source}." if phase.source else "Simulated."
        for word, moment_ms in (("begins", phase.since_ms), ("ends", phase.until_ms)):
            yield Told(Event(kind="episode", title=f"{phase.words} ({word})", text=text, tags=tags), moment_ms)


def _days(phase: Phase) -> str:
    return f"{_date(phase.since_ms)} to {_date(phase.until_ms)}"


def _date(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms // 1000, UTC):%Y-%m-%d}"
