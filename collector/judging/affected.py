"""Whom it concerns that records arrive: the measurements whose inputs they change, and nobody else.

A measurement that is not consumed yet needs no care: it is judged when it is, and finds all this in the index. So those
to look for stand in the warehouse, with what they asked (asked.py); what others' lines answered them is kept nearby.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.judging.asked import Asked
from collector.judging.evidence import Gatherer, TargetFiles
from collector.judging.index import Index
from collector.judging.nearby import Asker
from collector.judging.neighbours import is_placed, tried_addresses
from collector.judging.quarantine import VERSION, Identity
from collector.judging.resolver_lines import resolver_prefixes
from collector.log import Record
from collector.warehouse.interface import Hour, Warehouse
from probe.judge.evidence import CALIBRATION_MS, NEAR_MS
from probe.model import HOUR_MS

LINES = Asked.NEIGHBOURS | Asked.RESOLVER_LINES

# Asked with bounds over all windows, so that only the hours in question are read and not the target's history.
OF_CONTROLS = f"""
SELECT DISTINCT v.target, v.key, v.uid, v.cycle
FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::VARCHAR[]) AS key, unnest($3::BIGINT[]) AS at_ms,
           unnest($4::BOOLEAN[]) AS simulated
) AS seen ON v.target = seen.target AND v.key <> seen.key AND (v.simulated OR NOT seen.simulated)
WHERE v.hour BETWEEN $5 AND $6 AND v.asked > 0 AND (
    ((v.asked & {Asked.CONTROLS:d}) > 0 AND abs(v.started_ms - seen.at_ms) <= {NEAR_MS}) OR
    ((v.asked & {Asked.CALIBRATION:d}) > 0 AND v.started_ms BETWEEN seen.at_ms AND seen.at_ms + {CALIBRATION_MS})
)
"""
OF_CYCLES = f"""
SELECT v.target, v.key, v.uid, v.cycle
FROM verdict AS v JOIN (SELECT unnest($1::VARCHAR[]) AS key, unnest($2::VARCHAR[]) AS cycle) AS seen
ON v.key = seen.key AND v.cycle = seen.cycle WHERE v.asked >= {Asked.REACHED:d}
"""
ASKED_HOURS = f"""
SELECT DISTINCT v.target, v.hour
FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour, unnest($3::VARCHAR[]) AS country
) AS seen ON v.target = seen.target AND v.country = seen.country
WHERE v.hour BETWEEN seen.hour - 1 AND seen.hour + 1 AND v.hour BETWEEN $4 AND $5 AND (v.asked & {LINES:d}) > 0
"""
ASKED_IN = f"SELECT key, uid FROM verdict WHERE target = $1 AND hour = $2 AND (asked & {LINES:d}) > 0"
AWAITED = "SELECT DISTINCT targets FROM verdict WHERE NOT targets_known"
AWAITING = """
SELECT target, key, uid, cycle FROM verdict WHERE NOT targets_known AND targets IN (SELECT unnest($1::VARCHAR[]))
"""
OUTDATED = """
SELECT v.target, v.key, v.uid, v.cycle FROM verdict AS v JOIN quarantine AS q USING (target, hour, key, uid)
WHERE q.software <> $1
"""


class Affected:
    """Finds whom records concern, among those that stand in a warehouse."""

    def __init__(self, index: Index, gatherer: Gatherer, files: TargetFiles) -> None:
        self._index, self._gatherer, self._files = index, gatherer, files

    def by(self, lines: Sequence[Record], warehouse: Warehouse) -> set[Asker]:
        """Whom it concerns that these records have come, have gone, or count otherwise than before.

        What the gatherer knows of others' lines must have been told of them already.
        """
        controls = [r for r in lines if self._gatherer.is_control(r)]
        others = [r for r in lines if not self._gatherer.is_control(r)]
        return {
            *self._second_rounds(lines),
            *self._of_controls(controls, warehouse),
            *self._of_cycles(lines, warehouse),
            *self._of_lines(others, warehouse),
        }

    def since(self, warehouse: Warehouse) -> set[Asker]:
        """Those whose targets file has come, and those whom another version of the collector could not judge."""
        come = [digest for (digest,) in warehouse.select(AWAITED) if self._files.known(digest)]
        awaiting = warehouse.select(AWAITING, [come]) if come else []
        return {Asker(*row) for row in (*awaiting, *warehouse.select(OUTDATED, [VERSION]))}

    def _second_rounds(self, lines: Iterable[Record]) -> set[Asker]:
        """A first round that comes late changes the second."""
        first = {(r.key, r.measurement.cycle, r.measurement.target) for r in lines if r.measurement.round == 1}
        return {named(r) for place in sorted(first) for r in self._index.siblings(*place, round=2)}

    def _of_controls(self, controls: Iterable[Record], warehouse: Warehouse) -> set[Asker]:
        seen = [r for r in controls if r.clock_known]
        if not seen:
            return set()
        hours = [r.hour for r in seen]
        columns = [
            [r.measurement.target for r in seen],
            [r.key for r in seen],
            [r.started_ms for r in seen],
            [r.measurement.simulated for r in seen],
        ]
        span = (min(hours) - 1, max(hours) + 1 + CALIBRATION_MS // HOUR_MS)
        return {Asker(*row) for row in warehouse.select(OF_CONTROLS, [*columns, *span])}

    def _of_cycles(self, lines: Iterable[Record], warehouse: Warehouse) -> set[Asker]:
        """What it reached at any target shows which prefixes its line has a way to."""
        cycles = sorted({(r.key, r.measurement.cycle) for r in lines if any(tried_addresses(r).values())})
        if not cycles:
            return set()
        return {Asker(*row) for row in warehouse.select(OF_CYCLES, [list(each) for each in zip(*cycles, strict=True)])}

    def _of_lines(self, lines: Sequence[Record], warehouse: Warehouse) -> set[Asker]:
        """In the country: who asked about the addresses that were tried, or how many use the same resolver."""
        tried = [(r, tried_addresses(r), resolver_prefixes(r)) for r in lines]
        telling = [each for each in tried if each[1] or each[2]]
        self._need([r for r, _, _ in telling], warehouse)
        nearby = self._gatherer.nearby
        found: set[Asker] = set()
        for record, addresses, prefixes in telling:
            found |= nearby.askers(record, addresses, others=True) if is_placed(record) else set()
            found |= nearby.askers(record, prefixes, others=False)
        return found

    def _need(self, lines: Iterable[Record], warehouse: Warehouse) -> None:
        """Has the gatherer know the hours in which anybody asked who may be told something new by these."""
        places = sorted({(r.measurement.target, r.hour, r.network.country) for r in lines})
        around = {(target, near) for target, hour, _ in places for near in (hour - 1, hour, hour + 1)}
        if all(map(self._gatherer.nearby.knows, around)):
            return
        hours = [hour for _, hour, _ in places]
        columns = [list(each) for each in zip(*places, strict=True)]
        found: list[Hour] = sorted(warehouse.select(ASKED_HOURS, [*columns, min(hours) - 1, max(hours) + 1]))
        for target, hour in found:
            self._gatherer.nearby.need(target, [hour], self._gatherer.asked_in)


def asked_in(warehouse: Warehouse, target: str, hour: int) -> set[Identity]:
    """Who, of a target in an hour, asked of others' lines."""
    return {(key, uid) for key, uid in warehouse.select(ASKED_IN, [target, hour])}


def named(record: Record) -> Asker:
    measurement = record.measurement
    return Asker(measurement.target, record.key, measurement.uid, measurement.cycle)
