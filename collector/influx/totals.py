"""What is counted for totals, asked of the warehouse: lines by their latest verdict, controls, steps.

A bucket is a target and a slot: hours since 1970, or days. What was simulated is counted apart, and is only shown
where nothing was measured: the two are never mixed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from collector.influx.vocabulary import Place
from collector.warehouse.store import Warehouse

Bucket = tuple[str, int]
T = TypeVar("T")

IN_BUCKETS = """
hour BETWEEN $first AND $last
AND (target, hour // $span) IN (SELECT unnest($targets::VARCHAR[]), unnest($slots::BIGINT[]))
"""
WORDS = ("state", "mechanism", "depth", "rule", "paths")  # of a verdict: what a cell is made of
STRUCT = ", ".join(f"'{word}': {word}" for word in WORDS)
_SAID = f"{{{STRUCT}, 'established': established, 'bucket': bucket}}"
_OF_SAID = ", ".join(f"said.{word}" for word in (*WORDS, "established", "bucket"))
LINES = f"""
SELECT target, slot, country, asn, operator, access, simulated,
       {_OF_SAID}, count(*), sum(measurements)::BIGINT
FROM (
    SELECT target, hour // $span AS slot, country, asn, operator, access, simulated, key, count(*) AS measurements,
           arg_max({_SAID}, row(started_ms, round, uid)) AS said
    FROM verdict WHERE NOT is_control AND {IN_BUCKETS} GROUP BY ALL
) GROUP BY ALL ORDER BY ALL
"""
LINES_OF_COUNTRIES = f"""
SELECT target, slot, country, simulated, said.state, NULL, NULL, NULL, NULL, said.established, said.bucket,
       count(*), sum(measurements)::BIGINT
FROM (
    SELECT target, hour // $span AS slot, country, simulated, key, count(*) AS measurements,
           arg_max({_SAID}, row(started_ms, round, uid)) AS said
    FROM verdict WHERE NOT is_control AND {IN_BUCKETS} GROUP BY ALL
) GROUP BY ALL
"""
CONTROLS = f"""
SELECT target, hour // $span AS slot, simulated, count(DISTINCT key),
       count(DISTINCT key) FILTER (state IN ('ok', 'degraded') OR depth IS NOT NULL)
FROM verdict WHERE is_control AND {IN_BUCKETS} GROUP BY ALL
"""
STEPS = f"""
SELECT target, hour // $span AS slot, country, asn, operator, access, simulated, step,
       sum(passed)::BIGINT, sum(failed)::BIGINT
FROM step WHERE {IN_BUCKETS} GROUP BY ALL
"""
VACATED = f"""
SELECT DISTINCT target, hour // $span AS slot, country, asn, operator, access FROM vacated WHERE {IN_BUCKETS}
"""


class Said(NamedTuple):
    """What a line said last, with what it counts by: whether it was established, and its source on that day."""

    state: str
    mechanism: str | None
    depth: str | None
    rule: str | None
    paths: str | None
    established: bool
    bucket: str | None


class Tally(Struct, kw_only=True):
    """A tally by what lines said last: how many lines, and how many measurements they made."""

    simulated: bool
    said: Counter[Said]
    measurements: int = 0

    @property
    def lines(self) -> int:
        return self.said.total()

    def states(self) -> Counter[str]:
        states: Counter[str] = Counter()
        for said, lines in self.said.items():
            states[said.state] += lines
        return states


class Controls(Struct, frozen=True):
    """Distinct controls; `answered` are those whom the service answered: of a call, whose relay did."""

    seen: int = 0
    answered: int = 0


def of_places(warehouse: Warehouse, buckets: Sequence[Bucket], span: int) -> dict[Bucket, dict[Place, Tally]]:
    """The tallies by network and access. `span` is how many hours a slot has."""
    return _tallies(
        ((target, slot), (country, asn, operator, access), *counts)
        for target, slot, country, asn, operator, access, *counts in rows_of(warehouse, LINES, buckets, span)
    )


def of_countries(warehouse: Warehouse, buckets: Sequence[Bucket], span: int) -> dict[Bucket, dict[str, Tally]]:
    """The tallies by country: a line that was in several of its places counts once."""
    return _tallies(
        ((target, slot), country, *counts)
        for target, slot, country, *counts in rows_of(warehouse, LINES_OF_COUNTRIES, buckets, span)
    )


def of_controls(warehouse: Warehouse, buckets: Sequence[Bucket], span: int) -> dict[Bucket, dict[bool, Controls]]:
    """The controls, by whether they are simulated."""
    found: dict[Bucket, dict[bool, Controls]] = defaultdict(dict)
    for target, slot, simulated, seen, answered in rows_of(warehouse, CONTROLS, buckets, span):
        found[target, slot][simulated] = Controls(seen, answered)
    return found


def of_steps(
    warehouse: Warehouse, buckets: Sequence[Bucket], span: int
) -> dict[Bucket, dict[tuple[Place, bool], dict[str, tuple[int, int]]]]:
    """The steps by place, and whether simulated: step → (passed, failed)."""
    found: dict[Bucket, dict[tuple[Place, bool], dict[str, tuple[int, int]]]] = defaultdict(lambda: defaultdict(dict))
    for target, slot, *place, simulated, step, passed, failed in rows_of(warehouse, STEPS, buckets, span):
        found[target, slot][_place(place), simulated][step] = (passed, failed)
    return found


def vacated(warehouse: Warehouse, buckets: Sequence[Bucket], span: int) -> dict[Bucket, set[Place]]:
    """The places of which totals were written that nothing may stand for any more."""
    found: dict[Bucket, set[Place]] = defaultdict(set)
    for target, slot, *place in rows_of(warehouse, VACATED, buckets, span):
        found[target, slot].add(_place(place))
    return found


def _tallies(rows: Iterable[tuple[Any, ...]]) -> dict[Bucket, dict[T, Tally]]:
    """Rows of (bucket, where, simulated, what was said, lines, measurements)."""
    both: dict[Bucket, dict[T, dict[bool, Tally]]] = defaultdict(lambda: defaultdict(dict))
    for bucket, where, simulated, *said, lines, measurements in rows:
        tally = both[bucket][where].setdefault(simulated, Tally(simulated=simulated, said=Counter()))
        tally.said[Said(*said)] += lines
        tally.measurements += measurements
    return {bucket: {where: _shown(each) for where, each in places.items()} for bucket, places in both.items()}


def _shown(both: Mapping[bool, Tally]) -> Tally:
    """What was measured; only where nothing was, what was simulated."""
    return both.get(False) or both[True]


def rows_of(warehouse: Warehouse, statement: str, buckets: Sequence[Bucket], span: int) -> list[tuple[Any, ...]]:
    """The rows of a statement about IN_BUCKETS."""
    if not buckets:
        return []
    targets, slots = zip(*buckets, strict=True)
    bounds = {"first": min(slots) * span, "last": (max(slots) + 1) * span - 1, "span": span}
    return warehouse.select(statement, {"targets": list(targets), "slots": list(slots), **bounds})


def _place(columns: Sequence[Any]) -> Place:
    country, asn, operator, access = columns
    return country, asn, operator, access
