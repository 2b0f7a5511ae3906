"""Enrolment: how many new keys may begin to count, of one source and of one autonomous system in a day.

Keys are free, so whoever keeps a thousand of them for a week would have a thousand that count. So a key takes a *place*
first, and its days count towards its standing from then on (standing.py). A day has few places for each source, not
many for a /16 or /32, and for an autonomous system; who finds none is kept like all others, and asks again on its next
day. In a full day the first of each source come before the second of any, and the first of each /16 or /32 before the
second of any: many keys of few sources take nothing from a volunteer of another, and many sources in one wider prefix
nothing from one in another. And nothing is ever taken from those who have a place.

Of one source the earlier day goes first, and of one day a lot, drawn with the source's bucket, which nobody outside
knows: no key can be made so that it wins. Who has a place follows from the set of what was received, in no order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from collector.facts.buckets import wider

OF_SOURCE = 4  # in a day; two of them count in a cell
OF_WIDER = 16  # a /16 or /32
OF_ASN = 32
FREE = ""  # the source of what was received before there were buckets: no quota

Asking = Mapping[int, str]  # days since 1970 on which a key asks for a place, and its source on each
Lot = tuple[int, bytes, str]  # the first day on which it asked, what was drawn, its key
Ranked = tuple[int, Lot]  # how many go before it in its group


def places(asking: Mapping[str, Asking], before: Mapping[str, int] | None = None, since: int = 0) -> dict[str, int]:
    """The day on which each key of an autonomous system took its place; who is not in it waits.

    `before` is what this said earlier; its places of days before `since` stay, and only later ones are given anew.
    """
    held = {key: day for key, day in (before or {}).items() if day < since}
    for day, waiting in sorted(_by_day(asking, since).items()):
        still = {key: source for key, source in waiting.items() if key not in held}
        first = {key: min(asking[key]) for key in still}
        held.update(dict.fromkeys(_taking(still, first), day))
    return held


def _by_day(asking: Mapping[str, Asking], since: int) -> dict[int, dict[str, str]]:
    days: dict[int, dict[str, str]] = {}
    for key, asked in asking.items():
        for day, source in asked.items():
            if day >= since:
                days.setdefault(day, {})[key] = source
    return days


def _taking(waiting: Mapping[str, str], first: Mapping[str, int]) -> Iterator[str]:
    """The keys that take a place on a day on which these wait, each with its source."""
    sources: dict[str, list[Ranked]] = {}
    for key, source in waiting.items():
        if source == FREE:
            yield key
        else:
            sources.setdefault(source, []).append((0, (first[key], _drawn(source, key), key)))
    prefixes: dict[str, list[Ranked]] = {}
    for source, asking in sources.items():
        prefixes.setdefault(wider(source), []).extend(_served(asking, OF_SOURCE))
    everybody = [ranked for each in prefixes.values() for ranked in _served(each, OF_WIDER)]
    for _, (*_, key) in _served(everybody, OF_ASN):
        yield key


def _served(group: Iterable[Ranked], most: int) -> Iterator[Ranked]:
    """The first of a group, at most so many, numbered from 0."""
    return enumerate(lot for _, lot in sorted(group)[:most])


def _drawn(source: str, key: str) -> bytes:
    return hashlib.blake2s(f"{source} {key}".encode(), digest_size=16).digest()
