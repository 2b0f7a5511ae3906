"""Standing: since when a key counts, by what the collector itself saw of it (design.md, section 1, "established").

Keys are free, so a key counts only after it was seen on seven days, with fifty results that hang together: the probe's
own self-check passed, its neutral targets answered, from the same autonomous system. Never by agreement with others,
for then a liar would only have to repeat what honest lines say.

A day is the collector's, at receipt, UTC. A key is established from the midnight after the day that completed both,
so that nothing received today changes who counts today: standing follows from whole days, and from nothing in their
order. What was received before does not count afterwards, and what was once reached does not lapse: days on which
everything fails are those on which a line matters.

A key belongs to one autonomous system: the same key in another one starts anew there. Its days count from the one on
which it found a place among the new keys of its source (enrolment.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from collector.facts.enrolment import FREE, places
from probe.model import HOUR_MS, Measurement

DAY_MS = 24 * HOUR_MS
DAYS = 7  # distinct ones, on which the self-check ran
RESULTS = 50  # that hang together

Subscriber = tuple[str, int]  # key in hex, number of the autonomous system


class Sighting(Struct, frozen=True, kw_only=True):
    """A sighting: one measurement of a key, as the collector received it. (key, uid) identifies it."""

    key: str
    uid: str
    asn: int
    day: int  # of the receipt, since 1970, UTC
    checked: bool  # the self-check ran
    consistent: bool  # it passed, and most neutral targets answered
    source: str | None = FREE  # its bucket on that day; None: not known, for it was measured on another


class Day(Struct, frozen=True):
    """One day of a key in one autonomous system. `consistent` counts results.

    `source`: the least of those from which its checked lines came; None: none is known, so it asks for no place.
    """

    checked: bool = False
    consistent: int = 0
    source: str | None = None


def day_of(moment_ms: int) -> int:
    return moment_ms // DAY_MS


def sighting(key: str, asn: int, received_ms: int, measurement: Measurement, source: str | None = FREE) -> Sighting:
    """The sighting that a measurement is. What was simulated was not seen of any line."""
    link, real = measurement.link, not measurement.simulated
    answered = sum(neutral.failure is None for neutral in link.neutrals)
    passed = link.up and link.void is None and answered * 2 > len(link.neutrals)
    return Sighting(
        key=key,
        uid=measurement.uid,
        asn=asn,
        day=day_of(received_ms),
        checked=real and bool(link.neutrals),
        consistent=real and passed and measurement.not_attempted is None,
        source=source,
    )


def days_of(sightings: Iterable[Sighting]) -> dict[Subscriber, dict[int, Day]]:
    """The days of each key, from a set of sightings. Where the network is not known (ASN 0), nothing is counted."""
    found: dict[Subscriber, dict[int, Day]] = {}
    for seen in sightings:
        if seen.asn:
            days = found.setdefault((seen.key, seen.asn), {})
            source = seen.source if seen.checked else None
            days[seen.day] = _joined(days.get(seen.day, Day()), Day(seen.checked, int(seen.consistent), source))
    return found


def _joined(one: Day, other: Day) -> Day:
    sources = [each.source for each in (one, other) if each.source is not None]
    return Day(one.checked or other.checked, one.consistent + other.consistent, min(sources, default=None))


def since_day(days: Mapping[int, Day]) -> int | None:
    """The first day on which a key with these days is established; None: not yet."""
    checked = results = 0
    for day in sorted(days):
        checked += days[day].checked
        results += days[day].consistent
        if checked >= DAYS and results >= RESULTS:
            return day + 1
    return None


class Standings:
    """Who is established since when. It grows by days; what it says is a function of the set of sightings."""

    def __init__(self, days: Mapping[Subscriber, Mapping[int, Day]] | None = None) -> None:
        self._days: dict[int, dict[str, dict[int, Day]]] = {}  # by autonomous system and key
        self._places: dict[int, dict[str, int]] = {}
        self._since: dict[Subscriber, int | None] = {}
        self.add(days or {})

    def add(self, days: Mapping[Subscriber, Mapping[int, Day]]) -> dict[Subscriber, int]:
        """Adds days; returns the keys whose standing begins on another day than it did, with the earlier of both."""
        affected, changed = set(days), dict[int, int]()
        for (key, asn), more in days.items():
            asked = self._join(key, asn, more)
            if asked is not None:
                changed[asn] = min(asked, changed.get(asn, asked))
        for asn, day in changed.items():
            affected |= {(key, asn) for key in self._enrol(asn, day)}
        return {one: since for one in affected if (since := self._settle(one)) is not None}

    def _join(self, key: str, asn: int, more: Mapping[int, Day]) -> int | None:
        """The first day from which on others may have places than before; None: nobody has."""
        days, place = self._days.setdefault(asn, {}).setdefault(key, {}), self._places.get(asn, {}).get(key)
        asking: list[int] = []
        for day, seen in more.items():
            before = days.get(day, Day())
            days[day] = _joined(before, seen)
            if days[day].source != before.source and (place is None or day <= place):
                asking.append(day)
        return min(asking, default=None)

    def _enrol(self, asn: int, since: int) -> set[str]:
        """Gives the places of that day and of later ones anew; returns the keys that have another than before."""
        before = self._places.get(asn, {})
        asking = {
            key: {day: seen.source for day, seen in days.items() if seen.source is not None}
            for key, days in self._days[asn].items()
            if before.get(key, since) >= since
        }
        self._places[asn] = after = places(asking, before, since)
        return {key for key in asking if before.get(key) != after.get(key)}

    def _settle(self, one: Subscriber) -> int | None:
        key, asn = one
        place, before = self._places.get(asn, {}).get(key), self._since.get(one)
        days = self._days[asn][key]
        since = None if place is None else since_day({day: seen for day, seen in days.items() if day >= place})
        self._since[one] = since
        return None if since == before else min(day for day in (before, since) if day is not None)

    def unlike(self, other: Standings) -> dict[Subscriber, int]:
        """The keys whose standing begins on another day than with `other`, with the earlier of both."""
        found = {}
        for one in self._since.keys() | other._since.keys():
            days = {self._since.get(one), other._since.get(one)}
            if len(days) > 1:
                found[one] = min(day for day in days if day is not None)
        return found

    def day(self, one: Subscriber, day: int) -> Day:
        key, asn = one
        return self._days.get(asn, {}).get(key, {}).get(day, Day())

    def since_ms(self, key: str, asn: int) -> int | None:
        """When the key was established in that autonomous system, in ms; None: it is not."""
        since = self._since.get((key, asn))
        return None if since is None else since * DAY_MS

    def is_established(self, key: str, asn: int, received_ms: int) -> bool:
        """Whether what was received of the key at that moment counts."""
        since_ms = self.since_ms(key, asn)
        return since_ms is not None and received_ms >= since_ms
