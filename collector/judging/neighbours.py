"""Neighbours: what established lines of other operators in the country met at the addresses where a line failed.

Before an accusation they show that a service keeps nobody of the country out; where they all fail too, that no
operator is told from the others. Of each line counts what it met nearest in time, as of a control: one that got through
an hour ago says nothing of a site that went out of order since. Of one source one line counts: nobody turns "not
working" into an accusation alone. Who is established, and from which source, is decided elsewhere and comes in as an
argument.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from collector.judging.who_counts import Source, WhoCounts, count_sources
from collector.log import Record
from probe.failure import is_own
from probe.judge.evidence import NEAR_MS, Neighbours
from probe.judge.in_time import Control, FailureSpan, Look, one_of_each_cycle, standing
from probe.model import Attempt, Network

Line = tuple[Network, str]  # its key, in the network from which it measured


class Tried:
    """Which lines tried which addresses, when, and whether they got through."""

    def __init__(self, records: Iterable[Record], who: WhoCounts) -> None:
        looks: dict[str, dict[Line, list[tuple[str, Look]]]] = {}
        self._sources: dict[str, set[Source]] = {}  # by key
        for record in filter(who.established, records):
            self._sources.setdefault(record.key, set()).add(who.source(record))
            for address, through in tried_addresses(record).items():
                look = Look(record.key, record.started_ms, through)
                of_line = looks.setdefault(address, {}).setdefault((record.network, record.key), [])
                of_line.append((record.measurement.cycle, look))
        self._looks = {
            address: {line: sorted(one_of_each_cycle(each), key=_moment) for line, each in lines.items()}
            for address, lines in looks.items()
        }

    def beside(self, record: Record, failed: FailureSpan) -> dict[str, Neighbours]:
        """By address that this measurement dialled, the lines of other operators within ±60 min of it."""
        if not is_placed(record):
            return {}
        dialled = {each.address for each in record.measurement.attempts if each.address is not None}
        found = {address: self._at(address, record, failed) for address in sorted(dialled)}
        return {address: seen for address, seen in found.items() if seen.reached or seen.failed}

    def _at(self, address: str, record: Record, failed: FailureSpan) -> Neighbours:
        """A line that got through before this one failed, and has not tried since, is waited for."""
        looks: dict[str, list[Look]] = {}
        for (network, key), every in self._looks.get(address, {}).items():
            if key != record.key and _is_another(network, record.network):
                looks.setdefault(key, []).extend(_near(every, record.started_ms))
        found = {key: standing(each, failed) for key, each in looks.items() if each}
        return Neighbours(reached=self._count(found, Control.ALIVE), failed=self._count(found, Control.UNKNOWN))

    def _count(self, found: dict[str, Control], state: Control) -> int:
        """Of one that was in several places, one counts, and always the same."""
        keys = [key for key, each in found.items() if each is state]
        return count_sources(min(self._sources[key], key=repr) for key in keys)


def _near(looks: list[Look], moment: int) -> list[Look]:
    first = bisect_left(looks, moment - NEAR_MS, key=_moment)
    return looks[first : bisect_right(looks, moment + NEAR_MS, key=_moment)]


def _moment(look: Look) -> int:
    return look.at_ms


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
    """None when nothing was tried, or the device itself was at fault."""
    if attempt.grade is not None:
        return True
    last = attempt.observations[-1] if attempt.observations else None
    return False if last is not None and last.failure is not None and not is_own(last.failure) else None


def reached_addresses(records: Iterable[Record]) -> frozenset[str]:
    """The addresses at which these records completed a handshake."""
    return frozenset(address for record in records for address, through in tried_addresses(record).items() if through)
