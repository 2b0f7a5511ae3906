"""Questions to the warehouse: constant statements, everything that varies bound as a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from collector.warehouse.privacy_floor import SHOWN, VISIBLE
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CELL_COLUMNS, VERDICT_COLUMNS, CellRow, VerdictRow, cell_from, verdict_from
from probe.model import HOUR_MS, AlsoDial, Target

# The bounds on `hour` are for speed: rows of an hour lie together.
VERDICTS = f"""
SELECT {", ".join(VERDICT_COLUMNS)} FROM verdict
WHERE hour BETWEEN $first_hour AND $last_hour AND started_ms >= $since_ms AND started_ms < $until_ms
  AND ($target IS NULL OR target = $target) AND ($country IS NULL OR country = $country)
  AND ($asn IS NULL OR asn = $asn) AND ($access IS NULL OR access = $access)
ORDER BY started_ms DESC, target, key, uid LIMIT $limit
"""
CELLS = f"""
SELECT {", ".join(CELL_COLUMNS)} FROM cell
WHERE hour BETWEEN $first_hour AND $last_hour AND since_ms >= $since_ms AND since_ms < $until_ms
  AND ($country IS NULL OR country = $country) AND ($asn IS NULL OR asn = $asn)
  AND ($operator IS NULL OR operator = $operator) AND ($access IS NULL OR access = $access)
  AND ($service IS NULL OR service = $service) AND ($role IS NULL OR role = $role) AND {VISIBLE}
ORDER BY since_ms DESC, target, country, asn, operator, access, simulated LIMIT $limit
"""
# Places with few lines: what each line saw last in each hour.
HOURLY_VERDICTS = f"""
SELECT {", ".join(f"v.{column}" for column in VERDICT_COLUMNS)}
FROM verdict AS v JOIN (
    SELECT country, asn, operator, access, simulated FROM verdict
    WHERE hour BETWEEN $first_hour AND $last_hour AND NOT is_control
    GROUP BY ALL HAVING count(DISTINCT key) < $most_lines
) AS place USING (country, asn, operator, access, simulated)
WHERE v.hour BETWEEN $first_hour AND $last_hour AND NOT v.is_control
QUALIFY row_number() OVER (
    PARTITION BY v.target, v.hour, v.key, v.country, v.asn, v.operator, v.access, v.simulated
    ORDER BY v.started_ms DESC, v.round DESC, v.uid DESC
) = 1
ORDER BY v.country, v.asn, v.operator, v.access, v.simulated, v.target, v.started_ms, v.round, v.uid
LIMIT $limit
"""
# How many failed there orders what the owner is told; in what strangers are, one line more would show.
COUNTS = (
    "CASE WHEN $public_at::BIGINT IS NULL THEN established END DESC, CASE WHEN $public_at IS NULL THEN lines END DESC"
)
# Each address once, by its latest hour; none so many that they keep another endpoint's from being seen.
FAILING = f"""
SELECT target, host, port, transport, handshake, address FROM (
    SELECT f.* FROM failing AS f JOIN (
        SELECT unnest($targets::VARCHAR[]) AS target, unnest($hosts::VARCHAR[]) AS host,
               unnest($ports::BIGINT[]) AS port, unnest($transports::VARCHAR[]) AS transport,
               unnest($handshakes::VARCHAR[]) AS handshake
    ) AS known USING (target, host, port, transport, handshake)
    WHERE f.hour BETWEEN $first_hour AND $last_hour AND {SHOWN}
    QUALIFY row_number() OVER (
        PARTITION BY f.target, f.host, f.port, f.transport, f.handshake, f.address ORDER BY f.hour DESC
    ) = 1
) QUALIFY row_number() OVER (
    PARTITION BY target, host, port, transport, handshake, contains(address, ':')
    ORDER BY hour DESC, {COUNTS}, address
) <= $most_each
ORDER BY hour DESC, {COUNTS}, target, host, port, transport, handshake, address LIMIT $limit
"""
# What lines of a cell said last in its hour: of each state the commonest reason.
REASONS = """
SELECT target, hour, country, asn, operator, access, simulated, state, mode(reason) AS reason, count(*) AS lines
FROM (
    SELECT v.* FROM verdict AS v JOIN (
        SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour, unnest($3::VARCHAR[]) AS country,
               unnest($4::BIGINT[]) AS asn, unnest($5::VARCHAR[]) AS operator, unnest($6::VARCHAR[]) AS access,
               unnest($7::BOOLEAN[]) AS simulated
    ) AS asked USING (target, hour, country, asn, operator, access, simulated)
    WHERE NOT v.is_control AND v.hour BETWEEN $8 AND $9
    QUALIFY row_number() OVER (
        PARTITION BY v.target, v.hour, v.country, v.asn, v.operator, v.access, v.simulated, v.key
        ORDER BY v.started_ms DESC, v.round DESC, v.uid DESC
    ) = 1
) GROUP BY ALL ORDER BY ALL
"""
CONTROLS = """
SELECT count(DISTINCT key) FROM verdict
WHERE hour BETWEEN $first_hour AND $last_hour AND is_control AND (NOT simulated OR $simulated)
"""
MEASURED = "SELECT target FROM verdict WHERE target = $1 OR service = $1 LIMIT 1"


class VerdictQuery(Struct, frozen=True, kw_only=True):
    """Verdicts with since_ms ≤ started_ms < until_ms; None asks for any."""

    since_ms: int
    until_ms: int
    target: str | None = None
    country: str | None = None
    asn: int | None = None
    access: str | None = None
    limit: int = 1000


class CellQuery(Struct, frozen=True, kw_only=True):
    """Cells whose hour begins with since_ms ≤ start < until_ms; None asks for any. `public_at`: for strangers, who see
    what is public at that moment, ms.
    """

    since_ms: int
    until_ms: int
    country: str | None = None
    asn: int | None = None
    operator: str | None = None
    access: str | None = None
    service: str | None = None
    role: str | None = None
    public_at: int | None = None
    limit: int = 10_000


def verdicts(warehouse: Warehouse, query: VerdictQuery) -> list[VerdictRow]:
    """The verdicts that a query asks for, newest first."""
    return list(warehouse.faults.each("verdicts", verdict_from, warehouse.select(VERDICTS, _parameters(query))))


def cells(warehouse: Warehouse, query: CellQuery) -> list[CellRow]:
    """The cells that a query asks for, newest first."""
    return list(warehouse.faults.each("cells", cell_from, warehouse.select(CELLS, _parameters(query))))


def hourly_verdicts(
    warehouse: Warehouse, first_hour: int, last_hour: int, *, most_lines: int, limit: int
) -> list[VerdictRow]:
    """The latest verdict of each line in each hour, of the networks and accesses with fewer than `most_lines` lines.

    Those of one place (network, access, simulated or not) stand together, by target and time.
    """
    hours = {"first_hour": first_hour, "last_hour": last_hour}
    rows = warehouse.select(HOURLY_VERDICTS, {**hours, "most_lines": most_lines, "limit": limit})
    return list(warehouse.faults.each("verdicts", verdict_from, rows))


class Reason(Struct, frozen=True):
    """Of the lines of a cell in one state: the commonest reason, and how many they are."""

    state: str
    reason: str
    lines: int


def reasons(warehouse: Warehouse, rows: Iterable[CellRow]) -> dict[tuple[Any, ...], list[Reason]]:
    """What lines of these cells said, by `place_of` the cell."""
    places = sorted({place_of(row) for row in rows})
    if not places:
        return {}
    hours = [place[1] for place in places]
    columns = [list(column) for column in zip(*places, strict=True)]
    found: dict[tuple[Any, ...], list[Reason]] = {}
    for *place, state, reason, lines in warehouse.select(REASONS, [*columns, min(hours), max(hours)]):
        found.setdefault(tuple(place), []).append(Reason(state, reason, lines))
    return found


def place_of(row: CellRow) -> tuple[Any, ...]:
    return row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated


def controls(warehouse: Warehouse, first_hour: int, last_hour: int, *, simulated: bool = False) -> int:
    """The number of controls that measured in these hours; simulated ones only where a simulation is shown."""
    bound = {"first_hour": first_hour, "last_hour": last_hour, "simulated": simulated}
    ((count,),) = warehouse.select(CONTROLS, bound)
    return int(count)


def failing(
    warehouse: Warehouse,
    targets: Iterable[Target],
    since_ms: int,
    until_ms: int,
    *,
    public_at: int | None = None,
    most_each: int,
    limit: int,
) -> list[AlsoDial]:
    """Addresses at which these targets' endpoints failed, in the hours of since ≤ t < until; at most `most_each` of
    an endpoint and family. The newest hour first, then where most established lines failed, then where most did:
    nobody's fresh keys push out what others see. `public_at`: for strangers, as in a
    CellQuery; which of them come first follows from nothing but the hour and the address.
    """
    places = {(t.id, e.host, e.port, e.transport.value, e.handshake) for t in targets for e in t.endpoints}
    if not places or until_ms <= since_ms:
        return []
    columns = zip(
        ("targets", "hosts", "ports", "transports", "handshakes"), zip(*sorted(places), strict=True), strict=True
    )
    hours = {"first_hour": since_ms // HOUR_MS, "last_hour": (until_ms - 1) // HOUR_MS}
    bound = {name: list(values) for name, values in columns} | hours | {"public_at": public_at}
    bound |= {"most_each": most_each, "limit": limit}
    rows = warehouse.select(FAILING, bound)
    return list(warehouse.faults.each("addresses", _dial, rows))


def is_measured(warehouse: Warehouse, word: str) -> bool:
    """Whether a target or a service of this name was ever measured."""
    return bool(warehouse.select(MEASURED, [word]))


def _parameters(query: VerdictQuery | CellQuery) -> dict[str, object]:
    hours = {"first_hour": query.since_ms // HOUR_MS, "last_hour": query.until_ms // HOUR_MS}
    return {**msgspec.structs.asdict(query), **hours}


def _dial(row: tuple[Any, ...]) -> AlsoDial:
    return msgspec.convert(dict(zip(AlsoDial.__struct_fields__, row, strict=True)), AlsoDial)
