"""Coverage: who measures, with which release, and how late it arrives, for each place and release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from collector.influx.line import Value, line
from collector.influx.rollups import start_ns
from collector.influx.schema import Span
from collector.influx.vocabulary import Place, Vocabulary
from collector.warehouse.store import Warehouse

_IN_SLOTS = "hour BETWEEN $first AND $last AND hour // $span IN (SELECT unnest($slots::BIGINT[]))"
SOFTWARE = f"SELECT DISTINCT software FROM verdict WHERE NOT is_control AND {_IN_SLOTS}"
_WHERE = "slot, country, asn, operator, access, word, simulated"
_SEEN = f"""
SELECT *, hour // $span AS slot, received_ms - started_ms AS lag
FROM verdict JOIN (
    SELECT unnest($software::VARCHAR[]) AS software, unnest($words::VARCHAR[]) AS word
) AS named USING (software) WHERE NOT is_control AND {_IN_SLOTS}
"""
LINES = f"""
SELECT {_WHERE}, count(DISTINCT key), sum(measurements)::BIGINT,
       count(DISTINCT key) FILTER (state <> 'insufficient'),
       count(DISTINCT key) FILTER (state IN ('blocked', 'likely_blocked', 'degraded'))
FROM (
    SELECT {_WHERE}, key, target, arg_max(state, row(started_ms, round, uid)) AS state, count(*) AS measurements
    FROM ({_SEEN}) GROUP BY ALL
) GROUP BY ALL ORDER BY simulated DESC
"""
# To two digits: a day of many probes has too many to sort.
LAGS = f"""
SELECT {_WHERE}, lag // unit * unit AS about, count(*)
FROM (SELECT *, pow(10, greatest(length(abs(lag)::VARCHAR) - 2, 0))::BIGINT AS unit FROM ({_SEEN}))
GROUP BY ALL ORDER BY about
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

    def written(counted: tuple[Where, tuple[int, ...]]) -> str | None:
        (slot, place, release), counts = counted
        tags = words.place(place)
        if tags is None:
            return None
        fields: dict[str, Value | None] = dict(zip(FIELDS, counts, strict=True))
        return line(span.coverage, {**tags, "software": release}, fields, start_ns(slot, span.hours))

    rows = sorted(_counted(warehouse, words, slots, bounds | {"span": span.hours}))
    yield from filter(None, warehouse.faults.each("points of coverage", written, rows))


def _counted(
    warehouse: Warehouse, words: Vocabulary, slots: Sequence[int], bounds: Mapping[str, int]
) -> Iterable[tuple[Where, tuple[int, ...]]]:
    bound = {**bounds, "slots": list(slots)}
    counted = {_where(words, *place): (0,) * len(FIELDS) for place in warehouse.select(VACATED, bound)}
    releases = {software: words.software(software) for (software,) in warehouse.select(SOFTWARE, bound)}
    named = bound | {"software": list(releases), "words": list(releases.values())}
    lags = _lags(warehouse.select(LAGS, named))
    for *place, simulated, lines, measurements, judged, interfered in warehouse.select(LINES, named):
        median, late = (share(lags[*place, simulated], part) for part in (0.5, 0.95))
        # What was measured comes last, and stands in place of what was simulated.
        counted[_where(words, *place)] = (lines, measurements, median, late, judged, interfered)
    return counted.items()


def _lags(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[tuple[int, int]]]:
    """The lags: where → (lag in ms, how often), the smallest first."""
    found: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    for *where, lag, times in rows:
        found[tuple(where)].append((lag, times))
    return found


def share(counts: Sequence[tuple[int, int]], part: float) -> int:
    """The smallest value that this part of all does not exceed; `counts` are (value, how often) in order."""
    total = sum(times for _, times in counts)
    reached = accumulate(times for _, times in counts)
    return next(value for (value, _), sofar in zip(counts, reached, strict=True) if sofar >= part * total)


def _where(words: Vocabulary, *columns: Any) -> Where:
    slot, country, asn, operator, access, software = columns
    return slot, (country, asn, operator, access), words.software(software)
