"""Neighbours: what established lines of other operators in the country met at the addresses where a line failed.

Before an accusation they show that a service keeps nobody of the country out; where they all fail too, that no
operator is told from the others. Of each line counts what it met nearest in time, as of a control: one that got through
an hour ago says nothing of a site that went out of order since. Of one source one line counts: nobody turns "not
working" into an accusation alone. Who is established, and from which source, is decided elsewhere.

They are looked for until it is known as much as any rule tells apart: that NEIGHBOURS_FLOOR of them get through; else
how many do; else whether any fails. So the answer names the lines on which it rests, and a thousandth one changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.judging.nearby import Answer, Nearby, Rests, Sight
from collector.judging.who_counts import Source, count_sources
from collector.log import Record
from probe.attempts import BARE_ACCEPT, is_of
from probe.failure import is_own
from probe.grades import is_positive
from probe.judge.evidence import NEAR_MS, NEIGHBOURS_FLOOR, Neighbours
from probe.judge.in_time import Control, FailureSpan, one_of_each_cycle
from probe.judge.looks import LooksOfOne, Window
from probe.model import Attempt, Measurement, Target


def neighbours_at(
    nearby: Nearby, address: str, record: Record, failed: FailureSpan
) -> tuple[Neighbours | None, Answer]:
    """Of a measurement at an address, with the lines on which that rests; None: nobody else tried it."""
    reached = _reached(nearby, address, record, failed)
    enough = len(reached) >= NEIGHBOURS_FLOOR
    if reached:
        rests = Answer(Rests.ON_ENOUGH if enough else Rests.OPEN, tuple(reached))
        return Neighbours(reached=len(reached)), rests
    for line in _lines(nearby.sights(record, address, through=False, others=True)):
        if _standing(nearby, address, record, failed, line) is Control.UNKNOWN:
            return Neighbours(failed=1), Answer(Rests.ON_A_FAILURE, (line,))
    return None, Answer()


def _reached(nearby: Nearby, address: str, record: Record, failed: FailureSpan) -> list[int]:
    """Lines that get through there, one of each source, on one day; at most NEIGHBOURS_FLOOR of them."""
    counted: dict[Source, int] = {}
    standing: dict[int, Control | None] = {}
    for sight in nearby.sights(record, address, through=True, others=True):
        if sight.source in counted or sight.line in counted.values():
            continue
        if sight.line not in standing:
            standing[sight.line] = _standing(nearby, address, record, failed, sight.line)
        if standing[sight.line] is Control.ALIVE:
            counted[sight.source] = sight.line
            if count_sources(counted) >= NEIGHBOURS_FLOOR:
                break
    most = max((day for day, _ in counted), key=lambda day: sum(day == each for each, _ in counted), default=0)
    return [line for (day, _), line in counted.items() if day == most]


def _standing(nearby: Nearby, address: str, record: Record, failed: FailureSpan, line: int) -> Control | None:
    """A line that got through before this one failed, and has not tried since, is waited for."""
    window = Window(record.started_ms - NEAR_MS, record.started_ms + NEAR_MS)
    return LooksOfOne(one_of_each_cycle(nearby.looks(record, address, line))).standing(window, failed)


def _lines(sights: Iterable[Sight]) -> Iterator[int]:
    """Each once."""
    met: set[int] = set()
    for sight in sights:
        if sight.line not in met:
            met.add(sight.line)
            yield sight.line


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
