"""Who measures, with which release, and how late it arrives: hourly points of each place and release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from collector.influx.line import Value, line
from collector.influx.rollups import HOUR, start_ns
from collector.influx.schema import COVERAGE_1H
from collector.influx.vocabulary import Place, Vocabulary
from collector.warehouse import Warehouse

_OF_HOURS = "hour IN (SELECT unnest($hours::BIGINT[])) AND hour BETWEEN $first AND $last"
SOFTWARE = f"SELECT DISTINCT software FROM verdict WHERE NOT is_control AND {_OF_HOURS}"
_WHERE = "hour, country, asn, operator, access, word, simulated"
COVERAGE = f"""
WITH words AS (SELECT unnest($software::VARCHAR[]) AS software, unnest($words::VARCHAR[]) AS word),
seen AS (
    SELECT {_WHERE}, key, target, state, row(started_ms, round, uid) AS age, received_ms - started_ms AS lag
    FROM verdict JOIN words USING (software) WHERE NOT is_control AND {_OF_HOURS}
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
VACATED = f"SELECT DISTINCT hour, country, asn, operator, access, software FROM vacated WHERE {_OF_HOURS}"
FIELDS = ("lines", "measurements", "lag_ms_p50", "lag_ms_p95", "judged", "interfered")

Where = tuple[int, Place, str]  # hour, network and access, release


def coverage(warehouse: Warehouse, words: Vocabulary, hours: Sequence[int]) -> Iterator[str]:
    """Points of these hours (since 1970)."""
    if not hours:
        return
    bounds = {"hours": list(hours), "first": min(hours), "last": max(hours)}
    counted: dict[Where, tuple[int, ...]] = {
        _where(words, *place): (0,) * len(FIELDS) for place in warehouse.select(VACATED, bounds)
    }
    releases = {software: words.software(software) for (software,) in warehouse.select(SOFTWARE, bounds)}
    named = {"software": list(releases), "words": list(releases.values())}
    for *place, _simulated, lines, measurements, median, late, judged, interfered in warehouse.select(
        COVERAGE, bounds | named
    ):
        # What was measured comes last, and stands in place of what was simulated.
        counted[_where(words, *place)] = (lines, measurements, median, late, judged, interfered)
    for (hour, where, release), counts in sorted(counted.items()):
        tags = words.place(where)
        if tags is not None:
            fields: dict[str, Value | None] = dict(zip(FIELDS, counts, strict=True))
            yield line(COVERAGE_1H, {**tags, "software": release}, fields, start_ns(hour, HOUR))


def _where(words: Vocabulary, *columns: Any) -> Where:
    hour, country, asn, operator, access, software = columns
    return hour, (country, asn, operator, access), words.software(software)
