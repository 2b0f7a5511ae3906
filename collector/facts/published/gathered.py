"""What was read of published tables: ranges that say whose an address is, and ranges that say in which country."""

from __future__ import annotations

import re
from collections.abc import Iterator

from collector.facts.ranges import Piece, Range, changes, joined, pieces
from probe.model import Network

BITS = {4: 32, 6: 128}
MOST_RANGES = 8_000_000  # of all that is read for one table
MOST_NAME = 100  # characters of an operator's name
UNKNOWN = Network()
NO_COUNTRY = frozenset({"", "-", "None", "ZZ", "XX"})

_ASN = re.compile(r"(?:AS)?([0-9]{1,10})")
_COUNTRY = re.compile("[A-Z]{2}")


class Gathered:
    """The ranges of both families. Who gives one says of it the AS number, the country, or both."""

    def __init__(self) -> None:
        self._owners: dict[int, list[Range[Network]]] = {4: [], 6: []}
        self._countries: dict[int, list[Range[Network]]] = {4: [], 6: []}
        self._kept: dict[Network, Network] = {UNKNOWN: UNKNOWN}
        self._left = MOST_RANGES

    def add(self, family: int, first: int, last: int, network: Network) -> None:
        """Takes a range. Raises ValueError with a sentence that lacks its full stop."""
        if first > last:
            raise ValueError("the range ends before it begins")
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"there are more than {MOST_RANGES} ranges, which no table has")
        if network.asn != UNKNOWN.asn:
            owner = Network(asn=network.asn, operator=network.operator)
            self._owners[family].append((first, last, self._same(owner)))
        if network.country != UNKNOWN.country:
            self._countries[family].append((first, last, self._same(Network(country=network.country))))

    def pieces(self, family: int) -> Iterator[Piece[Network]]:
        """What is known of all addresses of a family."""
        both = (pieces(ranges[family], BITS[family], UNKNOWN) for ranges in (self._owners, self._countries))
        return changes((at, self._same(_both(*said))) for at, said in joined(*both))

    def counts(self) -> tuple[int, int]:
        """How many ranges say whose an address is, and how many in which country."""
        return sum(map(len, self._owners.values())), sum(map(len, self._countries.values()))

    def _same(self, network: Network) -> Network:
        """One object for all that are equal: there are a million ranges."""
        return self._kept.setdefault(network, network)


def _both(owner: Network, place: Network) -> Network:
    return Network(country=place.country, asn=owner.asn, operator=owner.operator)


def asn_of(text: str) -> int:
    """An AS number as tables write it; 0 for none. Raises ValueError."""
    found = _ASN.fullmatch(text)
    if found is None or int(found[1]) >= 2**32:
        raise ValueError(f"the AS number must be below 2^32, not {text[:20]!r}")
    return int(found[1])


def country_of(text: str) -> str:
    """A country's two letters; ZZ for none. Raises ValueError."""
    if text in NO_COUNTRY:
        return UNKNOWN.country
    if not _COUNTRY.fullmatch(text):
        raise ValueError(f"the country must be two capital letters (ISO 3166), not {text[:20]!r}")
    return text


def operator_of(text: str) -> str:
    """The name of an autonomous system as it may be shown: on one line, and not long."""
    shown = "".join(each if each.isprintable() else " " if each.isspace() else "" for each in text)
    return " ".join(shown.split())[:MOST_NAME].rstrip() or UNKNOWN.operator
