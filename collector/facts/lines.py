"""Lines: which keys of an autonomous system are one line, one after the other, by the successions that they signed.

A key has one heir and follows one key: of several successions the first received counts, of a moment the least digest.
It is born with its past or without: a succession counts only if nothing was received of the new key, from that system,
on a day before, so that no two living keys become one. And an heir itself names whom it follows before it has an heir.

From the first day of its quarter on, and the day after the succession was received, the new key is the line, and the
old one no more: on no day are there two lines that have one past. Days are those of a measurement's start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from probe.codecs.succession import first_day, is_genuine
from probe.model import HOUR_MS, BatchHeader

DAY_MS = 24 * HOUR_MS
FOR_EVER = 2**31  # days

Span = tuple[str, int, int]  # a line, and the days on which a key begins and ceases to be it


class Said(Struct, frozen=True, order=True):
    """A succession as it was received first. `digest` is that of its batch, hex."""

    received_ms: int
    digest: str
    old: str
    new: str
    asn: int
    quarter: int

    @property
    def day(self) -> int:
        return self.received_ms // DAY_MS

    @property
    def name(self) -> tuple[str, str, int, int]:
        """What it says, whenever it was received."""
        return self.old, self.new, self.asn, self.quarter


def said(header: BatchHeader, received_ms: int, digest: bytes) -> Said | None:
    """What a batch says of keys; None, where it is nothing that they signed: an earlier version did not look at it."""
    one = header.succession
    if one is None or header.key not in (one.old, one.new) or not is_genuine(one):
        return None
    return Said(received_ms, digest.hex(), one.old, one.new, one.asn, one.quarter)


class Lines:
    """The lines of one autonomous system; a line is named by its first key. `first_days`: of keys that were received.

    It follows from the set of what was said, and from no order.
    """

    def __init__(self, every: Iterable[Said] = (), first_days: Mapping[str, int] | None = None) -> None:
        self._begins: dict[str, tuple[str, int]] = {}  # key → its line, and since when it is that
        self._ends: dict[str, int] = {}  # key → the day from which its heir is the line
        self._keys: dict[str, list[str]] = {}  # line → its keys
        for one in sorted(every):
            if self._is_taken(one) or (first_days or {}).get(one.new, one.day) < one.day:
                continue
            line, since = self._begins.get(one.old, (one.old, 0))
            day = max(since, first_day(one.quarter), one.day + 1)
            self._begins[one.new], self._ends[one.old] = (line, day), day
            self._keys.setdefault(line, [line]).append(one.new)

    def _is_taken(self, one: Said) -> bool:
        return one.old in self._ends or one.new in self._begins or one.new in self._ends

    def on(self, key: str, day: int) -> str | None:
        """The line that a key is on a day; None: it is none, for another key is that line."""
        line, since = self._begins.get(key, (key, day))
        return line if since <= day < self._ends.get(key, FOR_EVER) else None

    def line(self, key: str) -> str:
        """The line that a key is at any time."""
        return self._begins.get(key, (key, 0))[0]

    def keys(self, line: str) -> list[str]:
        """The keys of a line, in their order."""
        return self._keys.get(line, [line])

    def before(self, key: str) -> str | None:
        """The key that this one follows."""
        keys = self.keys(self.line(key))
        place = keys.index(key) if key in self._begins else 0
        return keys[place - 1] if place else None

    def since_day(self, key: str) -> int:
        """The day from which on a key is its line; 0: from its first."""
        return self._begins.get(key, (key, 0))[1]

    def turns(self, other: Lines) -> dict[str, int]:
        """The keys that on some day are another line than in `other`, and the first such day."""
        keys = self._begins.keys() | self._ends.keys() | other._begins.keys() | other._ends.keys()
        return {key: day for key in keys if (day := _parting(self._span(key), other._span(key))) is not None}

    def _span(self, key: str) -> Span:
        return self.line(key), self.since_day(key), self._ends.get(key, FOR_EVER)


def _parting(one: Span, other: Span) -> int | None:
    """The first day on which these differ."""
    if one == other:
        return None
    if one[:2] == other[:2]:
        return min(one[2], other[2])
    return min(one[1], other[1])


def closure(keys: Iterable[str], successions: Iterable[tuple[str, str]]) -> frozenset[str]:
    """These keys, and all that anybody said to follow one of them: pairs of old and new."""
    heirs: dict[str, list[str]] = {}
    for old, new in successions:
        heirs.setdefault(old, []).append(new)
    found, waiting = set(keys), list(keys)
    while waiting:
        for heir in heirs.get(waiting.pop(), []):
            if heir not in found:
                found.add(heir)
                waiting.append(heir)
    return frozenset(found)
