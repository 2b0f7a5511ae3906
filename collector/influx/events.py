"""Events as annotations: a release, a targets file, rules, a control for the first
time. So that a change of the world can be told from one of the instrument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from collector.influx.line import MS_NS, Value, line
from collector.influx.schema import EVENT
from collector.influx.vocabulary import OTHER, UNKNOWN, Vocabulary
from collector.warehouse.outbox import Noticed
from collector.warehouse.store import Warehouse

SEEN = """
SELECT kind, country, asn, operator, word, simulated, first_ms FROM seen
WHERE kind <> 'network' ORDER BY first_ms, kind, word
"""


class FirstSeen(Struct, frozen=True):
    """A row of what was first heard of when the collector's clock showed `first_ms`."""

    kind: str
    country: str
    asn: int
    operator: str
    word: str
    simulated: bool
    first_ms: int


class Event(Struct, frozen=True, kw_only=True):
    kind: str
    title: str
    text: str
    tags: dict[str, str] = {}


class Told(Struct, frozen=True):
    """An event of a simulated story, which happens at `at_ms` because the story says so."""

    event: Event
    at_ms: int


def events(warehouse: Warehouse, words: Vocabulary) -> Iterator[str]:
    """All events, each at the moment when what it tells was first received."""
    told: set[str] = set()

    def written(row: tuple[Any, ...]) -> str | None:
        seen = FirstSeen(*row)
        event = EVENTS[Noticed(seen.kind)](words, seen)
        if event is None or event.title in told:
            return None
        told.add(event.title)
        return _line(event, seen.first_ms, simulated=seen.simulated)

    yield from filter(None, warehouse.faults.each("events", written, warehouse.select(SEEN)))


def told_lines(told: Iterable[Told]) -> Iterator[str]:
    """What a simulated story tells, each at its moment in the story."""
    return (_line(each.event, each.at_ms, simulated=True) for each in told)


def _line(event: Event, at_ms: int, *, simulated: bool) -> str:
    digest = hashlib.blake2b(event.title.encode(), digest_size=8).digest()
    fields: dict[str, Value | None] = {"title": event.title, "text": event.text, "simulated": int(simulated)}
    when_ns = at_ms * MS_NS + int.from_bytes(digest) % MS_NS
    return line(EVENT, {**event.tags, "kind": event.kind}, fields, when_ns)


def _release(words: Vocabulary, seen: FirstSeen) -> Event | None:
    word = words.software(seen.word)
    if word == OTHER:
        return None
    return Event(
        kind="release", title=f"First measurement by {word}", text="A release of the probe was first heard of."
    )


def _targets(words: Vocabulary, seen: FirstSeen) -> Event:
    return Event(
        kind="targets",
        title=f"Targets file {seen.word[:12]}",
        text="Probes began to measure another list of targets.",
    )


def _rules(words: Vocabulary, seen: FirstSeen) -> Event:
    return Event(
        kind="rules",
        title=f"Rules {seen.word}",
        text="All measurements up to here were judged again, by other rules.",
    )


def _control(words: Vocabulary, seen: FirstSeen) -> Event | None:
    tags = words.place((seen.country, seen.asn, seen.operator, "unknown"))
    if tags is None:
        return None
    where = f"{tags['operator']}, {tags['country']}" if seen.asn != UNKNOWN.asn else "an unknown network"
    return Event(
        kind="control",
        title=f"First control in {where}",
        text="What controls see decides whether a service is down or interfered with.",
        tags={name: tags[name] for name in ("country", "asn", "operator")},
    )


EVENTS: dict[Noticed, Callable[[Vocabulary, FirstSeen], Event | None]] = {
    Noticed.SOFTWARE: _release,
    Noticed.TARGETS: _targets,
    Noticed.RULES: _rules,
    Noticed.CONTROL: _control,
}
