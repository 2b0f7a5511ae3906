"""Editions: what strangers are told of an hour changes in steps, of which none is less than the privacy floor asks.

A cell that grew by one line would tell who reads it before and after what that line saw. So the first edition of a cell
is made of what was received until its hour had been over for one. What is received later waits until midnight, UTC, and
joins then: as another edition, if the lines that are new or say something else since the last are as many, of as many
sources, as a cell must have. Fewer wait for more; the owner sees them at once.

A network whose lines once stood in the sum of small ones stays there, and one that stood alone stays alone: else one
sum less another would be its lines. What an edition's lines say is judged anew when others' evidence comes (a control,
two lines of another network): it is of the same lines still.

All this follows from the set of what was received. What was simulated is in the first edition, for it hides nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from collector.facts.standing import DAY_MS
from collector.warehouse.privacy_floor import DELAY_MS, OTHER, hides
from probe.judge.cells import Line
from probe.model import Access, Network

FOR_EVER_MS = 2**53

Order = tuple[int, int, str]  # start, round, uid: what a line said last is what counts


class Heard(Struct, frozen=True, kw_only=True):
    """What an established line said, in which network, and when the collector received it, ms."""

    network: Network
    key: str
    order: Order
    received_ms: int
    line: Line


class Edition(Struct, frozen=True, kw_only=True):
    """A cell as it is public from one moment until before another; of several networks where `network` says so."""

    network: Network
    lines: tuple[Line, ...]
    from_ms: int
    until_ms: int = FOR_EVER_MS


def editions(heard: Iterable[Heard], access: Access, end_ms: int) -> list[Edition]:
    """The editions of all networks of one country and access, of an hour or a day that ends then."""
    country = _Country(access)
    by_moment = sorted(heard, key=lambda one: (joins_ms(one.received_ms, end_ms), one.network.asn, one.key, one.order))
    for moment_ms, arrived in groupby(by_moment, key=lambda one: joins_ms(one.received_ms, end_ms)):
        country.hear(arrived)
        country.publish(moment_ms)
    return [edition for each in country.cells() for edition in each.editions]


def joins_ms(received_ms: int, end_ms: int) -> int:
    """When what was received then may first be public, of an hour or a day that ends at `end_ms`."""
    over_ms = end_ms + DELAY_MS
    return over_ms if received_ms <= over_ms else (received_ms // DAY_MS + 1) * DAY_MS


class _Cell:
    """A cell that grows by editions."""

    def __init__(self, network: Network, access: Access) -> None:
        self.network, self._access = network, access
        self._shown: dict[str, Heard] = {}
        self.editions: list[Edition] = []

    def publish(self, moment_ms: int, lines: Mapping[str, Heard]) -> bool:
        """Makes an edition of these lines, by key, if enough of them are other than those that are shown."""
        changed = [(self._access, one.line.bucket) for key, one in lines.items() if self._shown.get(key) != one]
        if not hides(changed):
            return False
        self._shown = dict(lines)
        if self.editions:
            self.editions[-1] = replace(self.editions[-1], until_ms=moment_ms)
        said = tuple(lines[key].line for key in sorted(lines))
        self.editions.append(Edition(network=self.network, lines=said, from_ms=moment_ms))
        return True


class _Country:
    """The networks of a country: those that stand alone, and those that are summed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._heard: dict[Network, dict[str, Heard]] = {}  # by network and key, what it said last
        self._alone: dict[Network, _Cell] = {}
        self._summed: set[Network] = set()
        self._sum: _Cell | None = None

    def hear(self, arrived: Iterable[Heard]) -> None:
        for one in arrived:
            lines = self._heard.setdefault(one.network, {})
            lines[one.key] = _later(lines.get(one.key), one)

    def publish(self, moment_ms: int) -> None:
        for network in self._heard.keys() - self._summed:
            cell = self._alone.get(network) or _Cell(network, self._access)
            if cell.publish(moment_ms, self._heard[network]):
                self._alone[network] = cell
        small = self._heard.keys() - self._alone.keys()
        if small:
            self._publish_sum(moment_ms, small)

    def _publish_sum(self, moment_ms: int, small: Set[Network]) -> None:
        together: dict[str, Heard] = {}
        for network in small:
            for key, one in self._heard[network].items():
                together[key] = _later(together.get(key), one)
        country = next(network.country for network in small)
        sum_ = self._sum or _Cell(Network(country=country, operator=OTHER), self._access)
        if sum_.publish(moment_ms, together):
            self._sum, self._summed = sum_, self._summed | small

    def cells(self) -> list[_Cell]:
        return [*self._alone.values(), *([self._sum] if self._sum else [])]


def _later(one: Heard | None, other: Heard) -> Heard:
    return other if one is None or one.order < other.order else one
