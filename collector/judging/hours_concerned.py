"""On which hours records bear, whatever was asked there: where it is decided anew who is a control, and who is there.

When records arrive, affected.py finds the measurements that they concern. When a whole key counts otherwise than it
did, these are its hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.judging.controls import calibrated_hours, near_hours
from collector.judging.evidence import TargetFiles
from collector.judging.index import Index
from collector.judging.neighbours import tried_addresses
from collector.judging.resolver_lines import resolver_prefixes
from collector.log import Record
from collector.warehouse.interface import Hour, Warehouse

# Asked with bounds over all windows, so that only the hours in question are read and not the target's history.
NEIGHBOUR_HOURS = """
SELECT DISTINCT v.target, v.hour
FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour,
           unnest($3::VARCHAR[]) AS country, unnest($4::BIGINT[]) AS asn
) AS seen ON v.target = seen.target AND v.country = seen.country
WHERE v.asn <> seen.asn AND v.hour BETWEEN seen.hour - 1 AND seen.hour + 1 AND v.hour BETWEEN $5 AND $6
"""
RESOLVER_HOURS = """
SELECT DISTINCT v.target, v.hour
FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour, unnest($3::VARCHAR[]) AS country
) AS seen ON v.target = seen.target AND v.country = seen.country
WHERE v.hour BETWEEN seen.hour - 1 AND seen.hour + 1 AND v.hour BETWEEN $4 AND $5
"""
LATER_HOURS = """
SELECT DISTINCT v.target, v.hour, v.targets
FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS first, unnest($3::BIGINT[]) AS last
) AS seen ON v.target = seen.target
WHERE v.hour BETWEEN seen.first AND seen.last AND v.hour BETWEEN $4 AND $5
"""
AWAITED = "SELECT DISTINCT targets FROM verdict WHERE NOT targets_known"
AWAITING_HOURS = """
SELECT DISTINCT target, hour FROM verdict WHERE NOT targets_known AND targets IN (SELECT unnest($1::VARCHAR[]))
"""


def dirty_hours(
    arrived: Sequence[Record], index: Index, warehouse: Warehouse, control_keys: frozenset[str], files: TargetFiles
) -> set[Hour]:
    """The (target, hour) to judge again because these records arrived, or because their targets file did."""
    controls = [r for r in arrived if r.key in control_keys]
    lines = [r for r in arrived if r.key not in control_keys]
    return {
        *((r.measurement.target, r.hour) for r in arrived),
        *_of_siblings(arrived, index),
        *_of_controls(controls, warehouse, files),
        *_of_neighbours(lines, warehouse),
        *_of_resolvers(lines, warehouse),
        *_of_targets_files(warehouse, files),
    }


def _of_siblings(arrived: Iterable[Record], index: Index) -> set[Hour]:
    """A first round that comes late changes the second, and any target of a cycle what the cycle is known to reach."""
    cycles = {(r.key, r.measurement.cycle) for r in arrived}
    return {(r.measurement.target, r.hour) for key, cycle in sorted(cycles) for r in index.siblings(key, cycle)}


def _of_controls(controls: Iterable[Record], warehouse: Warehouse, files: TargetFiles) -> set[Hour]:
    seen = sorted({(r.measurement.target, r.hour) for r in controls if r.clock_known})
    if not seen:
        return set()
    near = {(target, hour) for target, control_hour in seen for hour in near_hours(control_hour)}
    spans = [(target, calibrated_hours(hour)) for target, hour in seen]
    first, last = min(s[0] for _, s in spans), max(s[-1] for _, s in spans)
    windows = [[t for t, _ in spans], [s[0] for _, s in spans], [s[-1] for _, s in spans], first, last]
    later = warehouse.select(LATER_HOURS, windows)
    return near | {(target, hour) for target, hour, digest in later if files.uncalibrated(digest, target)}


def _of_neighbours(lines: Iterable[Record], warehouse: Warehouse) -> set[Hour]:
    """Of the lines of other networks in the country, to whom it matters that an address was reached, or was not."""
    seen = sorted(
        {(r.measurement.target, r.hour, r.network.country, r.network.asn) for r in lines if tried_addresses(r)}
    )
    if not seen:
        return set()
    columns = [list(column) for column in zip(*seen, strict=True)]
    hours = [hour for _, hour, _, _ in seen]
    found = warehouse.select(NEIGHBOUR_HOURS, [*columns, min(hours) - 1, max(hours) + 1])
    return {(target, hour) for target, hour in found}


def _of_resolvers(lines: Iterable[Record], warehouse: Warehouse) -> set[Hour]:
    """Of the lines in the country, to whom it matters how many use the same resolver."""
    seen = sorted({(r.measurement.target, r.hour, r.network.country) for r in lines if resolver_prefixes(r)})
    if not seen:
        return set()
    columns = [list(column) for column in zip(*seen, strict=True)]
    hours = [hour for _, hour, _ in seen]
    found = warehouse.select(RESOLVER_HOURS, [*columns, min(hours) - 1, max(hours) + 1])
    return {(target, hour) for target, hour in found}


def _of_targets_files(warehouse: Warehouse, files: TargetFiles) -> set[Hour]:
    """Those that were judged without their targets file, when it has come since."""
    come = [digest for (digest,) in warehouse.select(AWAITED) if files.known(digest)]
    return {(target, hour) for target, hour in warehouse.select(AWAITING_HOURS, [come])} if come else set()
