"""Waiting: hours that stand as an earlier basis judged them, until they are judged again in place, newest first.

They are noted in the transaction that changes the basis, and taken out in the one that writes them: whatever stops the
judging, it goes on where it was, and meanwhile their old rows are shown. `apart` are the keys, blocked or let in since,
of whom the rows that stand do not tell yet what they sent.

All functions work on a connection inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
from msgspec import Struct

from collector.warehouse import basis as bases
from collector.warehouse import outbox
from collector.warehouse.basis import Basis
from probe.model import HOUR_MS

COLUMNS = {"target": "VARCHAR", "hour": "BIGINT"}
META = {"apart": "VARCHAR[]"}

NEXT = "SELECT target, hour FROM waiting ORDER BY hour DESC, target LIMIT $1"
LEFT = "SELECT count(*), max(hour) FROM waiting"
APART = "SELECT unnest(apart) FROM meta"
_GIVEN = "SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour"

Hour = tuple[str, int]  # target, hours since 1970


class Left(Struct, frozen=True):
    """How many (target, hour) wait, and the newest hour among them."""

    hours: int = 0
    newest: int | None = None

    @property
    def since_ms(self) -> int | None:
        """What began at that time or later is judged on the basis that holds now; None: everything is."""
        return None if self.newest is None else (self.newest + 1) * HOUR_MS


def change_basis(
    connection: duckdb.DuckDBPyConnection,
    basis: Basis,
    hours: Collection[Hour],
    apart: Collection[str],
    since_hour: int = 0,
) -> None:
    """From now on all is judged on this basis; these hours are to be judged again, with other rules every one since
    `since_hour`: before, all is frozen.
    """
    ((version,),) = connection.execute("SELECT rules_version FROM meta").fetchall()
    _add(connection, _GIVEN, *_columns(hours))
    if version != basis.rules_version:
        _add(connection, "SELECT DISTINCT target, hour FROM verdict WHERE hour >= $1", since_hour)
    bases.write(connection, basis)
    if version != basis.rules_version:
        outbox.note_rules(connection)
    connection.execute("UPDATE meta SET apart = $1", [sorted(apart)])


def done(connection: duckdb.DuckDBPyConnection, hours: Collection[Hour]) -> None:
    """These hours are judged again. After the last, all is as if it had never been judged otherwise."""
    if not hours:
        return
    connection.execute(f"DELETE FROM waiting WHERE (target, hour) IN ({_GIVEN})", _columns(hours))
    ((left,),) = connection.execute("SELECT count(*) FROM waiting").fetchall()
    if not left:
        connection.execute("UPDATE meta SET apart = []")
        outbox.notice_anew(connection)


def _add(connection: duckdb.DuckDBPyConnection, rows: str, *parameters: object) -> None:
    connection.execute(f"INSERT INTO waiting ({rows}) EXCEPT SELECT target, hour FROM waiting", list(parameters))


def _columns(hours: Collection[Hour]) -> list[list[object]]:
    return [[target for target, _ in hours], [hour for _, hour in hours]]
