"""Owed: places of which verdicts have changed, and the sums that follow from them not yet.

They are noted in the transaction that changes the verdicts, and taken out in the one that writes the sums: whatever
stops the judging, it goes on where it was. So sums of many steps are made once, while a backlog is judged.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
from msgspec import Struct

COLUMNS = {
    "target": "VARCHAR",
    "hour": "BIGINT",
    "country": "VARCHAR",
    "asn": "BIGINT",
    "operator": "VARCHAR",
    "access": "VARCHAR",
    "simulated": "BOOLEAN",
    "told": "BOOLEAN",
    "failing": "BOOLEAN",
}
ANY = "SELECT 1 FROM owed LIMIT 1"
HOURS = "SELECT DISTINCT target, hour FROM owed ORDER BY hour DESC, target"
_PLACE = ", ".join(list(COLUMNS)[:-2])
OF_HOURS = f"""
SELECT {_PLACE}, bool_or(told), bool_or(failing) FROM owed
WHERE (target, hour) IN (SELECT unnest($1::VARCHAR[]), unnest($2::BIGINT[])) GROUP BY ALL ORDER BY ALL
"""


class Owed(Struct, frozen=True, order=True):
    """A place in which verdicts have changed; `told` are those of established lines, `failing` name an address."""

    target: str
    hour: int
    country: str
    asn: int
    operator: str
    access: str
    simulated: bool
    told: bool
    failing: bool


def note(connection: duckdb.DuckDBPyConnection, owed: Collection[Owed]) -> None:
    """In the caller's transaction."""
    if owed:
        columns = [[getattr(one, name) for one in owed] for name in COLUMNS]
        given = ", ".join(f"unnest(${i}::{kind}[])" for i, kind in enumerate(COLUMNS.values(), 1))
        connection.execute(f"INSERT INTO owed SELECT {given}", columns)


def done(connection: duckdb.DuckDBPyConnection, hours: Collection[tuple[str, int]]) -> None:
    """What was owed in these hours is made, in the caller's transaction."""
    if hours:
        given = "SELECT unnest($1::VARCHAR[]), unnest($2::BIGINT[])"
        columns: list[list[object]] = [[target for target, _ in hours], [hour for _, hour in hours]]
        connection.execute(f"DELETE FROM owed WHERE (target, hour) IN ({given})", columns)
