"""Operators as people name them, and which autonomous systems are one operator's: collector/operators.yaml.

A name is that of the day on which it is asked for: what was received before an operator was renamed keeps the old one,
for an envelope holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from collector.facts.networks import Networks
from probe.model import Network
from probe.strict_yaml import Section, compose

PACKAGED = Path(__file__).parent.parent / "operators.yaml"
MOST_ASN = 2**32 - 1
DAY_MS, EPOCH = 86_400_000, date(1970, 1, 1).toordinal()
UNKNOWN = Network()


class Name(Struct, frozen=True, kw_only=True):
    """A name, and the day since which it is in use, counted from 1970."""

    name: str
    since: int
    source: str


class System(Struct, frozen=True, kw_only=True):
    """An autonomous system of an operator's. `cgn`: its lines share addresses behind a carrier's NAT."""

    asn: int
    source: str
    cgn: bool = False


class Operator(Struct, frozen=True, kw_only=True):
    """`names` are in order of time."""

    id: str
    country: str
    systems: tuple[System, ...]
    names: tuple[Name, ...]

    def named(self, day: int) -> str:
        """Its name on a day since 1970; before the first of its names, the first."""
        return next((each.name for each in reversed(self.names) if each.since <= day), self.names[0].name)


class Named:
    """Networks of a table, under the names that people use. `now_ms` is the wall clock."""

    def __init__(self, networks: Networks, operators: tuple[Operator, ...], now_ms: Callable[[], int]) -> None:
        self._networks, self._now_ms = networks, now_ms
        self._operators = {system.asn: operator for operator in operators for system in operator.systems}
        self._cgn = frozenset(system.asn for operator in operators for system in operator.systems if system.cgn)

    def lookup(self, address: str) -> Network:
        found = self._networks.lookup(address)
        operator = self._operators.get(found.asn)
        if operator is None:
            return found
        country = operator.country if found.country == UNKNOWN.country else found.country
        return replace(found, country=country, operator=operator.named(self._now_ms() // DAY_MS))

    def is_cgn(self, address: str) -> bool:
        """Whether the table marks it, or its system is marked."""
        return self._networks.is_cgn(address) or self._networks.lookup(address).asn in self._cgn


def packaged() -> tuple[Operator, ...]:
    """Those that come with this program. Raises UserError."""
    return read(PACKAGED.read_bytes(), PACKAGED.name)


def read(body: bytes, file: str) -> tuple[Operator, ...]:
    """The operators of a file. Raises UserError with the line."""
    root = Section(file, "the file", compose(body, file), ("operators",))
    keys = ("country", "systems", "names")
    found = tuple(_operator(name, section) for name, section in root.sections("operators", "an operator", keys))
    _once_each(root, [system.asn for operator in found for system in operator.systems])
    return found


def _operator(name: str, section: Section) -> Operator:
    country = section.text("country")
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
        raise section.refused("country", "`country` must be two capital letters, such as MA.")
    systems = tuple(map(_system, _entries(section, "systems", ("asn", "source", "cgn"))))
    names = tuple(map(_name, _entries(section, "names", ("name", "from", "source"))))
    if not systems or not names:
        raise section.refused(None, f"`{name}` needs at least one system and one name.")
    if list(names) != sorted(names, key=lambda each: each.since):
        raise section.refused("names", "`names` must stand in order of time, the oldest first.")
    return Operator(id=name, country=country, systems=systems, names=names)


def _entries(section: Section, key: str, keys: tuple[str, ...]) -> Iterator[Section]:
    return (Section(section.file, f"an entry of `{key}`", node, keys) for node in section.items(key))


def _system(section: Section) -> System:
    return System(asn=section.integer("asn", 1, MOST_ASN), source=section.text("source"), cgn=section.flag("cgn"))


def _name(section: Section) -> Name:
    begun = section.date("from")
    since = date.fromisoformat(begun + "-01-01"[len(begun) - 4 :]).toordinal() - EPOCH
    return Name(name=section.text("name"), since=since, source=section.text("source"))


def _once_each(root: Section, asns: list[int]) -> None:
    twice = next((asn for number, asn in enumerate(asns) if asn in asns[:number]), None)
    if twice is not None:
        raise root.refused("operators", f"AS{twice} stands in the file twice: a system has one operator.")
