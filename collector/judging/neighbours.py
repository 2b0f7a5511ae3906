"""Neighbours: what established lines of other operators in the country met at the addresses where a line failed.

Before an accusation they show that a service keeps nobody of the country out; where they all fail too, that no
operator is told from the others. Who is established is decided elsewhere and comes in as an argument.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from collector.log import Record
from probe.judge.evidence import NEAR_MS, Neighbours
from probe.model import Attempt, Network

Standing = Callable[[Record], bool]  # whether the line was established when this was received
Times = dict[tuple[Network, str], list[int]]  # of another operator's line: when, in order


def everybody(record: Record) -> bool:
    """Until the collector keeps standing."""
    return True


class Tried:
    """Which lines reached which addresses, and which failed there, and when."""

    def __init__(self, records: Iterable[Record], standing: Standing) -> None:
        self._reached: dict[str, Times] = {}
        self._failed: dict[str, Times] = {}
        for record in sorted(records, key=lambda r: r.started_ms):
            for address, through in tried_addresses(record).items() if standing(record) else ():
                lines = (self._reached if through else self._failed).setdefault(address, {})
                lines.setdefault((record.network, record.key), []).append(record.started_ms)

    def beside(self, record: Record) -> dict[str, Neighbours]:
        """By address that this measurement dialled, the lines of other operators within ±60 min of it."""
        if not is_placed(record):
            return {}
        dialled = {each.address for each in record.measurement.attempts if each.address is not None}
        found = {address: self._at(address, record) for address in sorted(dialled)}
        return {address: seen for address, seen in found.items() if seen.reached or seen.failed}

    def _at(self, address: str, record: Record) -> Neighbours:
        """A line that got through once in that time reached it."""
        reached = _lines(self._reached.get(address, {}), record)
        return Neighbours(reached=len(reached), failed=len(_lines(self._failed.get(address, {}), record) - reached))


def _lines(times: Times, record: Record) -> set[str]:
    return {
        key
        for (network, key), moments in times.items()
        if key != record.key and _is_another(network, record.network) and is_near(moments, record.started_ms)
    }


def _is_another(network: Network, own: Network) -> bool:
    """Another operator of the same country: of another AS, which may still be the same operator's."""
    same_operator = network.operator == own.operator != Network().operator
    return network.country == own.country and network.asn != own.asn and not same_operator


def is_near(times: list[int], moment: int) -> bool:
    i = bisect_left(times, moment - NEAR_MS)
    return i < len(times) and times[i] <= moment + NEAR_MS


def is_placed(record: Record) -> bool:
    """Where an AS is not known, it may well be the same."""
    return record.network.country != "ZZ" and record.network.asn != 0


def tried_addresses(record: Record) -> dict[str, bool]:
    """The addresses that were dialled, and whether a handshake completed there, where it is known from which network.

    Behind a VPN or a portal, it was not this network that reached anything or failed.
    """
    link = record.measurement.link
    if not is_placed(record) or not record.clock_known or link.void is not None or not link.up:
        return {}
    found: dict[str, bool] = {}
    for attempt in record.measurement.attempts:
        if attempt.address is not None and (through := _got_through(attempt)) is not None:
            found[attempt.address] = found.get(attempt.address, False) or through
    return found


def _got_through(attempt: Attempt) -> bool | None:
    """None when nothing was tried."""
    if attempt.grade is not None:
        return True
    last = attempt.observations[-1] if attempt.observations else None
    return False if last is not None and last.failure is not None else None


def reached_addresses(records: Iterable[Record]) -> frozenset[str]:
    """The addresses at which these records completed a handshake."""
    return frozenset(address for record in records for address, through in tried_addresses(record).items() if through)
