"""Standing: since when a key counts, by what the collector itself saw of it (design.md, section 1, "established").

Keys are free, so a key counts only after it was seen on seven days, with fifty results that hang together: the probe's
own self-check passed, its neutral targets answered, from the same autonomous system. Never by agreement with others,
for then a liar would only have to repeat what honest lines say.

A day is the collector's, at receipt, UTC. A key is established from the midnight after the day that completed both,
so that nothing received today changes who counts today: standing follows from whole days, and from nothing in their
order. What was received before does not count afterwards, and what was once reached does not lapse: days on which
everything fails are those on which a line matters.

A key belongs to one autonomous system: the same key in another one starts anew there. Its days count from the one on
which it found a place among the new keys of its source (enrolment.py). A key that follows another is one line with it
(lines.py): the days and the place of both are the line's, and on each day it is one of them that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from collector.facts.enrolment import FREE, places
from collector.facts.lines import Lines, Said
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
    """Who is established since when. It grows by days and successions; what it says is a function of their sets."""

    def __init__(
        self, days: Mapping[Subscriber, Mapping[int, Day]] | None = None, successions: Iterable[Said] = ()
    ) -> None:
        self._days: dict[int, dict[str, dict[int, Day]]] = {}  # by autonomous system and key
        self._said: dict[int, dict[tuple[str, str, int, int], Said]] = {}
        self._heirs: dict[int, set[str]] = {}
        self._lines: dict[int, Lines] = {}
        self._places: dict[int, dict[str, int]] = {}  # of lines
        self._since: dict[Subscriber, int | None] = {}  # of lines
        self.add(days or {}, successions)

    def add(
        self, days: Mapping[Subscriber, Mapping[int, Day]], successions: Iterable[Said] = ()
    ) -> dict[Subscriber, int]:
        """Adds days and successions; returns the keys that count on another day than they did, with the earliest."""
        unsettled = self._told(successions) | {
            asn for (key, asn), more in days.items() if self._is_heir(key, asn, more)
        }
        asked = [(asn, self._join(key, asn, more)) for (key, asn), more in days.items()]
        lines = {(self._line(key, asn), asn) for key, asn in days}
        turned = self._turn(unsettled)
        lines |= {(line, asn) for (key, asn) in turned for line in (key, self._line(key, asn))}
        asked += [(asn, self._first_from(key, asn, day)) for (key, asn), day in turned.items()]
        changed: dict[int, int] = {}
        for asn, day in asked:
            if day is not None:
                changed[asn] = min(day, changed.get(asn, day))
        for asn, day in changed.items():
            lines |= {(line, asn) for line in self._enrol(asn, day)}
        began = {one: day for one in lines if (day := self._settle(one)) is not None}
        return _earliest(
            turned, {(key, asn): day for (line, asn), day in began.items() for key in self._keys(line, asn)}
        )

    # --- Lines

    def _line(self, key: str, asn: int) -> str:
        return self._lines[asn].line(key) if asn in self._lines else key

    def _keys(self, line: str, asn: int) -> list[str]:
        return self._lines[asn].keys(line) if asn in self._lines else [line]

    def _on(self, key: str, asn: int, day: int) -> str | None:
        return self._lines[asn].on(key, day) if asn in self._lines else key

    def _of(self, line: str, asn: int) -> dict[int, Day]:
        """The days of a line: of each of its keys those on which it is it."""
        every = self._days.get(asn, {})
        if asn not in self._lines:
            return every.get(line, {})
        keys = self._lines[asn].keys(line)
        return {
            day: seen
            for key in keys
            for day, seen in every.get(key, {}).items()
            if self._lines[asn].on(key, day) == line
        }

    def _first_from(self, key: str, asn: int, first: int) -> int | None:
        return min((day for day in self._days.get(asn, {}).get(key, {}) if day >= first), default=None)

    def _is_heir(self, key: str, asn: int, more: Mapping[int, Day]) -> bool:
        """Whether these are days of a key that is said to follow another, and earlier ones than were known of it."""
        if key not in self._heirs.get(asn, ()):
            return False
        first = self._first_from(key, asn, 0)
        return first is None or min(more, default=first) < first

    def _told(self, successions: Iterable[Said]) -> set[int]:
        """Takes successions in; returns the systems in which one is new, or was received earlier than was known."""
        changed = set()
        for one in successions:
            known = self._said.setdefault(one.asn, {})
            if one.name not in known or one < known[one.name]:
                known[one.name] = one
                changed.add(one.asn)
        return changed

    def _turn(self, unsettled: Iterable[int]) -> dict[Subscriber, int]:
        """Makes the lines of systems anew; returns the keys that are another line, and since when."""
        turned: dict[Subscriber, int] = {}
        for asn in unsettled:
            before, every = self._lines.get(asn, Lines()), self._said[asn].values()
            self._heirs[asn] = {one.new for one in every}
            known = {key: self._days.get(asn, {}).get(key) for key in self._heirs[asn]}
            self._lines[asn] = Lines(every, {key: min(days) for key, days in known.items() if days})
            turned |= {(key, asn): day for key, day in self._lines[asn].turns(before).items()}
        return turned

    # --- Places and days

    def _join(self, key: str, asn: int, more: Mapping[int, Day]) -> int | None:
        """The first day from which on others may have places than before; None: nobody has."""
        days, place = self._days.setdefault(asn, {}).setdefault(key, {}), None
        asking: list[int] = []
        for day, seen in more.items():
            before, line = days.get(day, Day()), self._on(key, asn, day)
            days[day] = _joined(before, seen)
            place = self._places.get(asn, {}).get(line or "")
            if line is not None and days[day].source != before.source and (place is None or day <= place):
                asking.append(day)
        return min(asking, default=None)

    def _enrol(self, asn: int, since: int) -> set[str]:
        """Gives the places of that day and of later ones anew; returns the lines that have another than before."""
        before = self._places.get(asn, {})
        asking: dict[str, dict[int, str]] = {line: {} for line, day in before.items() if day >= since}
        for key, days in self._days.get(asn, {}).items():
            for day, seen in days.items():
                line = None if seen.source is None else self._on(key, asn, day)
                if line is not None and seen.source is not None and before.get(line, since) >= since:
                    asking.setdefault(line, {})[day] = seen.source
        self._places[asn] = after = places(asking, before, since)
        return {line for line in asking if before.get(line) != after.get(line)}

    def _settle(self, one: Subscriber) -> int | None:
        line, asn = one
        place, before = self._places.get(asn, {}).get(line), self._since.get(one)
        days = self._of(line, asn)
        since = None if place is None else since_day({day: seen for day, seen in days.items() if day >= place})
        self._since[one] = since
        return None if since == before else min(day for day in (before, since) if day is not None)

    def unlike(self, other: Standings) -> dict[Subscriber, int]:
        """The keys that count on another day than with `other`, with the earliest."""
        found: dict[Subscriber, int] = {}
        for line, asn in self._since.keys() | other._since.keys():
            days = {self._since.get((line, asn)), other._since.get((line, asn))}
            if len(days) > 1:
                first = min(day for day in days if day is not None)
                keys = {*self._keys(line, asn), *other._keys(line, asn)}
                found = _earliest(found, {(key, asn): first for key in keys})
        for asn in self._lines.keys() | other._lines.keys():
            turned = self._lines.get(asn, Lines()).turns(other._lines.get(asn, Lines()))
            found = _earliest(found, {(key, asn): day for key, day in turned.items()})
        return found

    # --- Questions

    def day(self, one: Subscriber, day: int) -> Day:
        key, asn = one
        return self._days.get(asn, {}).get(key, {}).get(day, Day())

    def since_ms(self, key: str, asn: int) -> int | None:
        """When the key was established in that autonomous system, in ms; None: it is not."""
        since = self._since.get((self._line(key, asn), asn))
        begins = self._lines[asn].since_day(key) if asn in self._lines else 0
        return None if since is None else max(since, begins) * DAY_MS

    def before(self, key: str, asn: int) -> str | None:
        """The key that this one follows there."""
        return self._lines[asn].before(key) if asn in self._lines else None

    def is_established(self, key: str, asn: int, received_ms: int, started_ms: int | None = None) -> bool:
        """Whether what was received of the key at that moment counts. `started_ms`: None, if that was on the same day.

        Of two keys that are one line, it is by its start of which of them it must be.
        """
        day = day_of(received_ms if started_ms is None else started_ms)
        since = self._since.get((self._on(key, asn, day) or "", asn))
        return since is not None and received_ms >= since * DAY_MS


def _earliest(one: Mapping[Subscriber, int], other: Mapping[Subscriber, int]) -> dict[Subscriber, int]:
    keys = one.keys() | other.keys()
    return {key: min(each[key] for each in (one, other) if key in each) for key in keys}
