"""Neighbours: what established lines of other operators in the country met at the addresses where a line failed.

Before an accusation they show that a service keeps nobody of the country out; where they all fail too, that no
operator is told from the others. Of each line counts what it met nearest in time, as of a control: one that got through
an hour ago says nothing of a site that went out of order since. Of one source one line counts: nobody turns "not
working" into an accusation alone. Who is established, and from which source, is decided elsewhere and comes in as an
argument.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from collector.judging.who_counts import Source, WhoCounts, count_sources
from collector.log import Record
from probe.attempts import BARE_ACCEPT, is_of
from probe.failure import is_own
from probe.grades import is_positive
from probe.judge.evidence import NEAR_MS, Neighbours
from probe.judge.in_time import Control, FailureSpan, Look, one_of_each_cycle
from probe.judge.looks import LooksOfOne, Window
from probe.model import Attempt, Measurement, Network, Target

Line = tuple[Network, str]  # its key, in the network from which it measured


class Tried:
    """Which lines tried which addresses, when, and whether they got through."""

    def __init__(self, records: Iterable[Record], who: WhoCounts) -> None:
        rounds: dict[str, dict[Line, list[tuple[str, Look]]]] = {}
        sources: dict[str, set[Source]] = {}
        for record in filter(who.established, records):
            sources.setdefault(record.key, set()).add(who.source(record))
            for address, through in tried_addresses(record).items():
                look = Look(record.key, record.started_ms, through)
                of_line = rounds.setdefault(address, {}).setdefault((record.network, record.key), [])
                of_line.append((record.measurement.cycle, look))
        self._lines = {
            address: {line: one_of_each_cycle(each) for line, each in lines.items()}
            for address, lines in rounds.items()
        }
        # Of one that was in several places, one counts, and always the same.
        self._sources = {key: min(each, key=repr) for key, each in sources.items()}
        self._others: dict[tuple[str, Network], dict[str, LooksOfOne]] = {}

    def beside(self, record: Record, failed: FailureSpan, target: Target | None = None) -> dict[str, Neighbours]:
        """By address at which this measurement failed, the lines of other operators within ±60 min of it."""
        if not is_placed(record):
            return {}
        found = {address: self._at(address, record, failed) for address in sorted(in_doubt(record.measurement, target))}
        return {address: seen for address, seen in found.items() if seen.reached or seen.failed}

    def _at(self, address: str, record: Record, failed: FailureSpan) -> Neighbours:
        """A line that got through before this one failed, and has not tried since, is waited for."""
        window = Window(record.started_ms - NEAR_MS, record.started_ms + NEAR_MS)
        others = self._of_others(address, record.network)
        found = {key: looks.standing(window, failed) for key, looks in others.items() if key != record.key}
        return Neighbours(reached=self._count(found, Control.ALIVE), failed=self._count(found, Control.UNKNOWN))

    def _count(self, found: dict[str, Control | None], state: Control) -> int:
        return count_sources(self._sources[key] for key, each in found.items() if each is state)

    def _of_others(self, address: str, network: Network) -> dict[str, LooksOfOne]:
        """By its key, what each line met there that is of another operator than this network's."""
        if (address, network) not in self._others:
            looks: dict[str, list[Look]] = {}
            for (other, key), every in self._lines.get(address, {}).items():
                if _is_another(other, network):
                    looks.setdefault(key, []).extend(every)
            self._others[address, network] = {key: LooksOfOne(every) for key, every in looks.items()}
        return self._others[address, network]


def in_doubt(measurement: Measurement, target: Target | None) -> set[str]:
    """The addresses at which it was dialled, but for those where nothing failed and the service answered as itself."""
    endpoints = target.endpoints if target else ()
    return {
        attempt.address
        for attempt in measurement.attempts
        if attempt.address is not None
        and (
            attempt.handshake == BARE_ACCEPT
            or not any(is_of(attempt, each) and is_positive(attempt, each) for each in endpoints)
        )
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
    """None when nothing was tried, or the device itself was at fault."""
    if attempt.grade is not None:
        return True
    last = attempt.observations[-1] if attempt.observations else None
    return False if last is not None and last.failure is not None and not is_own(last.failure) else None


def reached_addresses(records: Iterable[Record]) -> frozenset[str]:
    """The addresses at which these records completed a handshake."""
    return frozenset(address for record in records for address, through in tried_addresses(record).items() if through)
