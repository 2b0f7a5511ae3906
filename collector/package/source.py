"""Lines of an export, as they leave the collector: JSON, in order of time, a piece at a time.

What is in memory at once is a day of cells, or one target's hour of verdicts or measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from collector.facts.credits import Credit
from collector.facts.kept_targets import TargetBodies
from collector.facts.pseudonyms import Pseudonyms
from collector.judging.evidence import TargetFiles
from collector.judging.index import Index
from collector.log import Log, Record
from collector.package import ooni
from collector.package.tables import cell_row, verdict_row
from collector.warehouse.basis import SCHEMA
from collector.warehouse.privacy_floor import VISIBLE
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CELL_COLUMNS, VERDICT_COLUMNS, VerdictRow, cell_from, verdict_from
from probe import targets as targets_file
from probe.failure import UserError
from probe.model import HOUR_MS, Json

DAY_HOURS = 24

WANTED = """
hour BETWEEN $first_hour AND $last_hour AND ($country IS NULL OR country = $country) AND simulated = $simulated
"""
DAYS = f"SELECT DISTINCT hour // {DAY_HOURS} AS day FROM cell WHERE {WANTED} AND {VISIBLE} ORDER BY day"
CELLS = f"""
SELECT {", ".join(CELL_COLUMNS)} FROM cell WHERE {WANTED} AND {VISIBLE}
ORDER BY hour, target, country, asn, operator, access
"""
HOURS = f"SELECT DISTINCT hour, target FROM verdict WHERE {WANTED} ORDER BY hour, target"
VERDICTS = f"""
SELECT {", ".join(VERDICT_COLUMNS)} FROM verdict
WHERE {WANTED} AND target = $target AND started_ms >= $since_ms AND started_ms < $until_ms
ORDER BY started_ms, key, uid
"""


class Wanted(Struct, frozen=True, kw_only=True):
    """The part to export: since_ms ≤ t < until_ms; `country` None: any. Simulated and real never stand together.

    `full`: exact counts, and what is below the privacy floor; else what everybody may see at `now_ms`.
    """

    since_ms: int
    until_ms: int
    now_ms: int
    country: str | None = None
    simulated: bool = False
    full: bool = False


class Source(Struct, frozen=True, kw_only=True):
    log: Log
    index: Index
    targets: TargetBodies
    warehouse: Warehouse
    pseudonyms: Pseudonyms
    credits: Callable[[], tuple[Credit, ...]] = tuple  # of the networks' names


class About(Struct, frozen=True, kw_only=True):
    """The provenance of an export. `unjudged`: batches in the log of which nothing is concluded yet; `waiting`: hours
    of a target that stand as earlier rules, controls or blocked keys had them.
    """

    rules_version: int
    unjudged: int = 0
    waiting: int = 0
    credits: tuple[Credit, ...] = ()


def about(source: Source) -> About:
    """The provenance of an export. Raises UserError when the warehouse holds nothing that can be exported."""
    basis = source.warehouse.basis()
    if basis is None or basis.schema != SCHEMA:
        raise UserError("Nothing is judged yet, or by another version: start the collector on this directory first.")
    unjudged = source.log.latest() - source.warehouse.cursor()
    return About(
        rules_version=basis.rules_version,
        unjudged=unjudged,
        waiting=source.warehouse.left().hours,
        credits=source.credits(),
    )


def cells(source: Source, wanted: Wanted) -> Iterator[bytes]:
    """Cells whose hour begins in the interval."""
    first, last = -(-wanted.since_ms // HOUR_MS), (wanted.until_ms - 1) // HOUR_MS
    bound = {**_bound(wanted, first, last), "public_at": None if wanted.full else wanted.now_ms}
    for (day,) in source.warehouse.select(DAYS, bound):
        hours = {"first_hour": max(first, day * DAY_HOURS), "last_hour": min(last, (day + 1) * DAY_HOURS - 1)}
        rows = source.warehouse.select(CELLS, bound | hours)
        yield b"".join(
            source.warehouse.faults.each("exported cells", lambda r: _line(cell_row(cell_from(r), wanted.full)), rows)
        )


def verdicts(source: Source, wanted: Wanted) -> Iterator[bytes]:
    """Verdicts of measurements that start in the interval; of single lines."""
    for _, _, rows in _verdicts(source, wanted):
        made = source.warehouse.faults.each(
            "exported verdicts", lambda row: _line(verdict_row(row, source.pseudonyms)), rows
        )
        yield b"".join(made)


def measurements(source: Source, wanted: Wanted) -> Iterator[bytes]:
    """Measurements that start in the interval, with their verdicts, in OONI's format; of single lines."""
    files = TargetFiles(source.targets, targets_file.parse)
    for hour, target, rows in _verdicts(source, wanted):
        judged = {(row.key, row.uid): row for row in rows}
        records = [record for record in source.index.measurements(target, hour, hour) if record.damage is None]

        def line(pair: tuple[Record, VerdictRow]) -> bytes:
            record, verdict = pair
            target = files.target(record.targets, record.measurement.target)
            return _line(ooni.measurement(record, verdict, target, source.pseudonyms))

        pairs = ((record, judged.get((record.key, record.measurement.uid))) for record in records)
        known = [(record, verdict) for record, verdict in pairs if verdict is not None]
        yield b"".join(source.warehouse.faults.each("exported measurements", line, known))


DATASETS: Mapping[str, Callable[[Source, Wanted], Iterator[bytes]]] = {
    "cells": cells,
    "verdicts": verdicts,
    "measurements": measurements,
}
PUBLIC = frozenset({"cells"})  # the others are of single lines


def _verdicts(source: Source, wanted: Wanted) -> Iterator[tuple[int, str, list[VerdictRow]]]:
    """The verdicts of each (hour, target), in order."""
    bound = _bound(wanted, wanted.since_ms // HOUR_MS, (wanted.until_ms - 1) // HOUR_MS)
    span = {"since_ms": wanted.since_ms, "until_ms": wanted.until_ms}
    for hour, target in source.warehouse.select(HOURS, bound):
        one = {**bound, **span, "first_hour": hour, "last_hour": hour, "target": target}
        rows = source.warehouse.select(VERDICTS, one)
        yield hour, target, list(source.warehouse.faults.each("verdicts", verdict_from, rows))


def _bound(wanted: Wanted, first_hour: int, last_hour: int) -> dict[str, object]:
    hours = {"first_hour": first_hour, "last_hour": last_hour}
    return {**hours, "country": wanted.country, "simulated": wanted.simulated}


def _line(row: dict[str, Json]) -> bytes:
    return msgspec.json.encode(row) + b"\n"
