"""Words that may become tags. Each new one makes series of its own, for ever: strangers must not be able to coin any.

Services and roles are those of targets files that this collector has; releases those up to its own; networks those of
its own table, and of those that nobody measured from before only so many a day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from collector.influx.line import MOST_TAG, clean
from probe.model import Access, Network

DAY_MS = 24 * 3_600_000
NEW_NETWORKS = 500  # a day
OTHER = "other"
UNKNOWN = Network()

_COUNTRY = re.compile("[A-Z]{2}")
_RELEASE = re.compile(r"ringback[ /](\d{1,3})\.(\d{1,3})(\.[0-9A-Za-z.+-]*)?")

Pair = tuple[str, int]  # country, AS number
Place = tuple[str, int, str, str]  # country, AS number, operator, access


class Vocabulary(Struct, frozen=True, kw_only=True):
    """The words. `targets` are ids, `release` the first two numbers of this collector's version."""

    targets: frozenset[str]
    networks: frozenset[Pair]
    release: tuple[int, int]

    def place(self, place: Place) -> dict[str, str] | None:
        """The tags of a network and access; None when the network came after too many others."""
        country, asn, operator, access = place
        if (country, asn) not in self.networks and asn != UNKNOWN.asn:
            return None
        return {
            "country": country_word(country),
            "asn": str(asn),
            "operator": clean(operator, MOST_TAG) or UNKNOWN.operator,
            "access": Access(access).value,
        }

    def target(self, target: str) -> dict[str, str] | None:
        """The tags of a target; None when no targets file has it."""
        service, _, role = target.partition("/")
        return {"service": service, "role": role} if target in self.targets else None

    def software(self, software: str) -> str:
        found = _RELEASE.fullmatch(software)
        if found is None or (int(found[1]), int(found[2])) > self.release:
            return OTHER
        return f"ringback/{int(found[1])}.{int(found[2])}"


def country_word(country: str) -> str:
    return country if _COUNTRY.fullmatch(country) else UNKNOWN.country


def elsewhere(place: Place) -> dict[str, str]:
    """The tags of a place whose network has no word of its own."""
    country, _, _, access = place
    return {"country": country_word(country), "asn": "0", "operator": OTHER, "access": Access(access).value}


def release_of(version: str) -> tuple[int, int]:
    """The release of a version: (1, 2) of `1.2.3`."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def admitted(first_seen: Iterable[tuple[str, int, int]], most: int = NEW_NETWORKS) -> frozenset[Pair]:
    """Of (country, asn, ms when it was first heard of) those that were among the first `most` of their UTC day.

    What comes later never undoes this: the decision about a network follows from those before it.
    """
    taken: Counter[int] = Counter()
    pairs: set[Pair] = set()
    numbered = (seen for seen in first_seen if seen[1] != UNKNOWN.asn)  # the others have no tags to be sparing with
    for country, asn, first_ms in sorted(numbered, key=lambda seen: (seen[2], seen[0], seen[1])):
        day = first_ms // DAY_MS
        taken[day] += 1
        if taken[day] <= most:
            pairs.add((country, asn))
    return frozenset(pairs)
