"""What was found, held against what stands in the warehouse: only what differs is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from collector.judging.quarantine import Identity
from collector.judging.rows import JudgedRow
from collector.warehouse.interface import Hour, Warehouse
from collector.warehouse.owed import Owed
from collector.warehouse.tables import (
    QUARANTINE_COLUMNS,
    SHARE_COLUMNS,
    VERDICT_COLUMNS,
    Change,
    Kept,
    QuarantineRow,
    kept_from,
    quarantine_from,
)

Place = tuple[str, int, str, str]  # target, hour, key, uid: of a verdict

_KEPT = ", ".join(f"t.{name}" for name in VERDICT_COLUMNS | SHARE_COLUMNS)
_HELD = ", ".join(f"t.{name}" for name in QUARANTINE_COLUMNS)
_AT = """
FROM {} AS t JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour,
           unnest($3::VARCHAR[]) AS key, unnest($4::VARCHAR[]) AS uid
) AS place USING (target, hour, key, uid) WHERE t.hour BETWEEN $5 AND $6
"""
_IN = """
FROM {} AS t JOIN (SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour) AS place USING (target, hour)
WHERE t.hour BETWEEN $3 AND $4
"""


class Standing(Struct, frozen=True):
    """Rows that stand, by whose they are."""

    kept: Mapping[Identity, list[Kept]]
    quarantine: Mapping[Identity, list[QuarantineRow]]


def standing_at(warehouse: Warehouse, found: Mapping[Identity, JudgedRow], places: set[Place]) -> Standing:
    """What stands of these verdicts, where they are to stand and in other places."""
    every = places | {_place(row.kept) for row in found.values()}
    columns = [list(column) for column in zip(*sorted(every), strict=True)]
    return _standing(warehouse, _AT, columns)


def standing_in(warehouse: Warehouse, hours: Iterable[Hour]) -> Standing:
    """All that stands in these hours."""
    return _standing(warehouse, _IN, [list(column) for column in zip(*sorted(hours), strict=True)])


def _standing(warehouse: Warehouse, where: str, columns: list[list[object]]) -> Standing:
    kept: dict[Identity, list[Kept]] = {}
    held: dict[Identity, list[QuarantineRow]] = {}
    if columns:
        hours = [int(str(hour)) for hour in columns[1]]
        given = [*columns, min(hours), max(hours)]
        for values in warehouse.select(f"SELECT {_KEPT} {where.format('verdict')}", given):
            row = kept_from(values)
            kept.setdefault((row.verdict.key, row.verdict.uid), []).append(row)
        for values in warehouse.select(f"SELECT {_HELD} {where.format('quarantine')}", given):
            one = quarantine_from(values)
            held.setdefault((one.key, one.uid), []).append(one)
    return Standing(kept, held)


def difference(found: Mapping[Identity, JudgedRow], standing: Standing) -> Change:
    """What is to change so that what was found stands, and of all whose places were looked up nothing else.

    Where lines are counted, the sums are owed from then on.
    """
    before = {row for rows in standing.kept.values() for row in rows}
    after = {row.kept for row in found.values()}
    went, came = before - after, [row.kept for row in found.values() if row.kept not in before]
    seen = {row.verdict for row in went}
    was_held = {row for rows in standing.quarantine.values() for row in rows}
    is_held = {row.quarantine for row in found.values() if row.quarantine is not None}
    gone = {
        "verdict": tuple(map(_place, went)),
        "quarantine": tuple((row.target, row.hour, row.key, row.uid) for row in was_held - is_held),
    }
    return Change(
        verdicts=tuple(row for row in came if row.verdict not in seen),
        quiet=tuple(row for row in came if row.verdict in seen),
        quarantine=tuple(is_held - was_held),
        gone={table: keys for table, keys in gone.items() if keys},
        owed=_owed((*went, *came)),
    )


def _owed(changed: Iterable[Kept]) -> tuple[Owed, ...]:
    """The places where these are counted. Controls are not lines."""
    return tuple(sorted({_owed_by(row) for row in changed if not row.verdict.is_control}))


def _owed_by(row: Kept) -> Owed:
    one = row.verdict
    place = (one.target, one.hour, one.country, one.asn, one.operator, one.access, one.simulated)
    return Owed(*place, told=one.established, failing=bool(row.share.failing))


def _place(row: Kept) -> Place:
    verdict = row.verdict
    return verdict.target, verdict.hour, verdict.key, verdict.uid
