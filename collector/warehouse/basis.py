"""The basis of a warehouse: what, beside the log, its content follows from; written in the file itself, in `meta`."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from msgspec import Struct

SCHEMA = 15  # of the tables, and of how records follow from envelopes; a file of another one is remade

COLUMNS = {
    "rules_version": "BIGINT",
    "standing": "VARCHAR",
    "controls": "VARCHAR[]",
    "blocked": "VARCHAR[]",
    "log": "VARCHAR",
}
SELECT = f"SELECT {', '.join(COLUMNS)} FROM meta"


class Basis(Struct, frozen=True, kw_only=True):
    """Keys are hex, and kept themselves: only so can it be told which records a change of them bears on."""

    rules_version: int
    standing: str = ""  # how it is reckoned who counts
    controls: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    log: str  # its id
    schema: int = SCHEMA


def written(row: Sequence[object]) -> Basis | None:
    """A row of SELECT; None for that of a new file."""
    version, standing, controls, blocked, log = row
    if not isinstance(version, int):
        return None
    keys = [frozenset(each) if isinstance(each, list) else frozenset[str]() for each in (controls, blocked)]
    return Basis(rules_version=version, standing=str(standing), controls=keys[0], blocked=keys[1], log=str(log))


def write(connection: duckdb.DuckDBPyConnection, basis: Basis) -> None:
    """In the caller's transaction."""
    values = [basis.rules_version, basis.standing, sorted(basis.controls), sorted(basis.blocked), basis.log]
    columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(COLUMNS, 1))
    connection.execute(f"UPDATE meta SET {columns}", values)
