"""Who measures, with which release, and how late it arrives: totals of each place and release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from collector.influx.line import Value, line
from collector.influx.rollups import start_ns
from collector.influx.schema import Span
from collector.influx.vocabulary import Place, Vocabulary
from collector.warehouse import Warehouse

_IN_SLOTS = "hour BETWEEN $first AND $last AND hour // $span IN (SELECT unnest($slots::BIGINT[]))"
SOFTWARE = f"SELECT DISTINCT software FROM verdict WHERE NOT is_control AND {_IN_SLOTS}"
_WHERE = "slot, country, asn, operator, access, word, simulated"
COVERAGE = f"""
WITH words AS (SELECT unnest($software::VARCHAR[]) AS software, unnest($words::VARCHAR[]) AS word),
seen AS (
    SELECT hour // $span AS slot, country, asn, operator, access, word, simulated, key, target, state,
           row(started_ms, round, uid) AS age, received_ms - started_ms AS lag
    FROM verdict JOIN words USING (software) WHERE NOT is_control AND {_IN_SLOTS}
),
latest AS (SELECT {_WHERE}, key, target, arg_max(state, age) AS state FROM seen GROUP BY ALL),
lines AS (
    SELECT {_WHERE}, count(DISTINCT key) AS lines, count(DISTINCT key) FILTER (state <> 'insufficient') AS judged,
           count(DISTINCT key) FILTER (state IN ('blocked', 'likely_blocked', 'degraded')) AS interfered
    FROM latest GROUP BY ALL
),
lags AS (
    SELECT {_WHERE}, count(*) AS measurements, quantile_disc(lag, 0.5) AS median, quantile_disc(lag, 0.95) AS late
    FROM seen GROUP BY ALL
)
SELECT {_WHERE}, lines, measurements, median, late, judged, interfered FROM lines JOIN lags USING ({_WHERE})
ORDER BY simulated DESC
"""
VACATED = f"""
SELECT DISTINCT hour // $span AS slot, country, asn, operator, access, software FROM vacated WHERE {_IN_SLOTS}
"""
FIELDS = ("lines", "measurements", "lag_ms_p50", "lag_ms_p95", "judged", "interfered")

Where = tuple[int, Place, str]  # slot, network and access, release


def coverage(warehouse: Warehouse, span: Span, words: Vocabulary, slots: Sequence[int]) -> Iterator[str]:
    """Points of these hours, or days, since 1970."""
    if not slots:
        return
    bounds = {"first": min(slots) * span.hours, "last": (max(slots) + 1) * span.hours - 1}
    for (slot, place, release), counts in sorted(_counted(warehouse, words, slots, bounds | {"span": span.hours})):
        tags = words.place(place)
        if tags is not None:
            fields: dict[str, Value | None] = dict(zip(FIELDS, counts, strict=True))
            yield line(span.coverage, {**tags, "software": release}, fields, start_ns(slot, span.hours))


def _counted(
    warehouse: Warehouse, words: Vocabulary, slots: Sequence[int], bounds: Mapping[str, int]
) -> Iterable[tuple[Where, tuple[int, ...]]]:
    bound = {**bounds, "slots": list(slots)}
    counted = {_where(words, *place): (0,) * len(FIELDS) for place in warehouse.select(VACATED, bound)}
    releases = {software: words.software(software) for (software,) in warehouse.select(SOFTWARE, bound)}
    named = {"software": list(releases), "words": list(releases.values())}
    for row in warehouse.select(COVERAGE, bound | named):
        place, counts = row[: -len(FIELDS) - 1], row[-len(FIELDS) :]
        # What was measured comes last, and stands in place of what was simulated.
        counted[_where(words, *place)] = counts
    return counted.items()


def _where(words: Vocabulary, *columns: Any) -> Where:
    slot, country, asn, operator, access, software = columns
    return slot, (country, asn, operator, access), words.software(software)
