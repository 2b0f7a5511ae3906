"""The warehouse: verdicts, hourly cells, failing addresses and steps in one DuckDB file. A projection of the log,
which may be thrown away.

One process holds the file. What changes it goes through one connection under one lock, from any thread: transactions
are short, for nothing is judged inside them. Who reads waits for nobody (readers.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from msgspec import Struct

from collector.damaged import set_aside
from collector.isolation import Faults
from collector.warehouse import basis as bases
from collector.warehouse import outbox, owed, waiting
from collector.warehouse.basis import SCHEMA, Basis
from collector.warehouse.interface import Hour, Parameters
from collector.warehouse.readers import Readers
from collector.warehouse.tables import (
    CELL_COLUMNS,
    FAILING_COLUMNS,
    QUARANTINE_COLUMNS,
    SHARE_COLUMNS,
    STEP_COLUMNS,
    VERDICT_COLUMNS,
    Change,
    cell_values,
    failing_values,
    kept_values,
    quarantine_values,
    step_values,
    verdict_values,
)
from probe.failure import UserError

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.2.0",  # so that DuckDB 1.4 still opens what 2.0 wrote
    "memory_limit": "256MB",
    "threads": 2,
    "autoinstall_known_extensions": False,  # nothing is ever fetched
}

DAMAGE = (  # in DuckDB's words
    "Corrupt database file",
    "Corrupt WAL file",
    "not a valid DuckDB database file",
    "Could not read enough bytes",
    "database has been invalidated",
)

Values = tuple[object, ...]
T = TypeVar("T")


class Table(Struct, frozen=True):
    """A table of the projection. Its `key` tells all of its rows apart; a dump has them in their `order`."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    rows: Callable[[Change], list[Values]]
    order: tuple[str, ...] = ()

    @property
    def ordered(self) -> str:
        return f"ORDER BY {', '.join(self.order or self.key)}"

    @property
    def delete(self) -> str:
        return f"DELETE {self._with_keys}"

    @property
    def select(self) -> str:
        return f"SELECT * {self._with_keys}"

    @property
    def _with_keys(self) -> str:
        """The rows with these keys, a list per column. The bounds are for speed: rows of an hour lie together."""
        given = (f"unnest(${i}::{self.columns[name]}[])" for i, name in enumerate(self.key, 1))
        hours = f"hour BETWEEN ${len(self.key) + 1} AND ${len(self.key) + 2}"
        return f"FROM {self.name} WHERE {hours} AND ({', '.join(self.key)}) IN (SELECT {', '.join(given)})"

    def keys(self, rows: Sequence[Values]) -> list[Values]:
        places = [list(self.columns).index(name) for name in self.key]
        return [tuple(row[place] for place in places) for row in rows]


TABLES = (
    Table(
        "verdict",
        VERDICT_COLUMNS | SHARE_COLUMNS,
        ("target", "hour", "key", "uid"),
        lambda change: [kept_values(row) for row in (*change.verdicts, *change.quiet)],
        order=("target", "hour", "started_ms", "key", "uid"),
    ),
    Table(
        "cell",
        CELL_COLUMNS,
        ("target", "hour", "country", "asn", "operator", "access", "simulated", "shown_from_ms"),
        lambda change: [cell_values(row) for row in change.cells],
    ),
    Table(
        "failing",
        FAILING_COLUMNS,
        ("target", "hour", "host", "port", "transport", "handshake", "address"),
        lambda change: [failing_values(row) for row in change.failing],
    ),
    Table(
        "step",
        STEP_COLUMNS,
        ("target", "hour", "country", "asn", "operator", "access", "simulated", "step"),
        lambda change: [step_values(row) for row in change.steps],
    ),
    Table(
        "quarantine",
        QUARANTINE_COLUMNS,
        ("target", "hour", "key", "uid"),
        lambda change: [quarantine_values(row) for row in change.quarantine],
    ),
)


def _create(table: str, columns: Mapping[str, str]) -> str:
    return f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


def _insert(table: str, columns: Mapping[str, str]) -> str:
    """One list per column: row by row (executemany) is 30 times slower."""
    return f"INSERT INTO {table} SELECT {', '.join(f'unnest(${i}::{k}[])' for i, k in enumerate(columns.values(), 1))}"


META_COLUMNS = {
    "schema": "BIGINT",
    "cursor": "BIGINT",
    **bases.COLUMNS,
    **waiting.META,
    **outbox.META,
}


class Warehouse:
    """The file `path`, made when it lacks; None keeps all in memory. `close` it at the end.

    A file that is damaged, or no warehouse, is set aside, and an empty one made in its place. `is_damaged` is True when
    that is found later. Raises UserError when another process holds the file, or it cannot be opened at all.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.faults = Faults()  # met by those who read it
        self._lock = threading.RLock()
        self._settle_feed: Callable[[], None] = _nothing
        self._connection = _open_or_make_again(path)
        self._readers = Readers(self._connection)
        self.is_damaged = False

    def close(self) -> None:
        with self._lock, self._readers.nobody():
            self._connection.close()
            # aiohttp's caches outlive the application that uses this, and DuckDB complains at exit of what is left.
            del self._connection, self._readers

    # --- What stands in it

    def select(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """The rows of a constant statement; whatever varies is in `parameters`."""
        with self._readers.cursor() as cursor, self._watching():
            return cursor.execute(statement, parameters).fetchall()

    def cursor(self) -> int:
        """Position in the log up to which all batches are judged."""
        ((cursor,),) = self.select("SELECT cursor FROM meta")
        return int(cursor)

    def basis(self) -> Basis | None:
        """What the content was judged by; None for a new file."""
        ((schema,),) = self.select("SELECT schema FROM meta")
        if schema != SCHEMA:  # its other columns are not ours to read
            return Basis(schema=schema, rules_version=0, log="")
        return bases.written(self.select(bases.SELECT)[0])

    def next_waiting(self, limit: int) -> list[Hour]:
        """Hours that are to be judged again, the newest first."""
        return [(target, hour) for target, hour in self.select(waiting.NEXT, [limit])]

    def left(self) -> waiting.Left:
        """What is still to be judged again."""
        return waiting.Left(*self.select(waiting.LEFT)[0])

    def apart(self) -> frozenset[str]:
        """Keys of whom the rows that stand do not tell yet what they sent."""
        return frozenset(key for (key,) in self.select(waiting.APART))

    def dump(self) -> dict[str, list[Values]]:
        """All content in one canonical order, without the cursor: table → rows."""
        return {
            "basis": self.select("SELECT rules_version, standing, controls, blocked FROM meta"),
            **{table.name: self.select(f"SELECT * FROM {table.name} {table.ordered}") for table in TABLES},
        }

    # --- Changing it

    def begin(self, basis: Basis) -> None:
        """Notes what an empty warehouse is going to be judged by."""
        with self._lock:
            bases.write(self._connection, basis)

    def change_basis(self, basis: Basis, hours: Collection[Hour], apart: Collection[str], since_hour: int) -> None:
        """Judges on this basis from now on, and lets these hours wait to be judged again (waiting.py)."""
        self.change(lambda connection: waiting.change_basis(connection, basis, hours, apart, since_hour))

    def feed(self, name: str | None) -> None:
        """Marks changes for the InfluxDB of this name from now on (outbox.py), or for none any more."""

        def settle() -> None:
            if self._is_current():  # another schema has no marks, and is about to be made again
                self.change(lambda connection: outbox.feed(connection, name))

        with self._lock:
            self._settle_feed = settle
            settle()

    def put(self, change: Change, cursor: int, waited: Sequence[Hour] = ()) -> None:
        """Makes a change and moves the cursor, in one transaction. Hours that `waited` are judged again by it."""

        def work(connection: duckdb.DuckDBPyConnection) -> None:
            _put(connection, change, cursor)
            waiting.done(connection, waited)

        self.change(work)

    def change(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Does `work` in one transaction; returns what it does."""
        with self._lock, self._watching():
            self._connection.begin()
            try:
                result = work(self._connection)
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
        return result

    def start_again(self) -> None:
        """Sets the damaged file aside, and takes an empty one in its place."""
        if self.path is None:
            raise UserError("A warehouse in memory cannot be set aside; make another.")
        with self._lock:
            with self._readers.nobody():
                self._connection.close()
                set_aside(self.path)
                self._connection, self.is_damaged = _open(self.path), False
                self._readers.of(self._connection)
            self._settle_feed()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Notes a damage that DuckDB finds by its checksums, when it reads a block."""
        try:
            yield
        except duckdb.Error as error:
            self.is_damaged = self.is_damaged or _is_damage(error)
            raise

    def adopt(self, path: Path) -> None:
        """Takes the closed warehouse file `path` in place of its own, at once."""
        if self.path is None:
            raise UserError("A warehouse in memory cannot take over a file; give it a path.")
        with self._lock:
            self._hand_on_to(path)
            with self._readers.nobody():
                self._connection.close()
                # A journal left behind would be replayed into the file that takes its place.
                _journal(self.path).unlink(missing_ok=True)
                os.replace(path, self.path)
                self._connection = _open(self.path)
                self._readers.of(self._connection)
            self._settle_feed()

    def _hand_on_to(self, path: Path) -> None:
        """Marks in the file to be adopted what is marked here, and what the adoption changes."""
        if not self._is_current():
            return
        ((own,),) = self.select("SELECT current_database()")
        self._connection.execute(f"ATTACH '{_quoted(str(path))}' AS adopted")
        try:
            self._connection.execute("USE adopted")
            self.change(lambda connection: outbox.carry(connection, f'"{own}"'))
            self._connection.execute("CHECKPOINT")
        finally:
            self._connection.execute(f'USE "{own}"')
            self._connection.execute("DETACH adopted")

    def _is_current(self) -> bool:
        return self.select("SELECT schema FROM meta") == [(SCHEMA,)]


def _nothing() -> None: ...


def _put(connection: duckdb.DuckDBPyConnection, change: Change, cursor: int) -> None:
    places: set[Hour] = set()
    left = _left(connection, change)
    for table in TABLES:
        rows, gone = table.rows(change), change.gone.get(table.name, ())
        if gone:  # to plan a statement that does nothing takes as long as one that does
            hours = [int(key[1]) for key in gone]
            connection.execute(table.delete, [*_columns(gone, len(table.key)), min(hours), max(hours)])
        if rows:
            connection.execute(_insert(table.name, table.columns), _columns(rows, len(table.columns)))
        quiet = table.keys([kept_values(row) for row in change.quiet]) if table.name == "verdict" else ()
        touched = {*gone, *table.keys(rows)}.difference(quiet)
        places |= {(str(key[0]), int(str(key[1]))) for key in touched}
    owed.note(connection, change.owed)
    owed.done(connection, change.summed)
    outbox.note(connection, sorted(places), [verdict_values(row.verdict) for row in change.verdicts], left)
    connection.execute("UPDATE meta SET cursor = $1", [cursor])


def _left(connection: duckdb.DuckDBPyConnection, change: Change) -> list[Values]:
    """The verdicts that stand where none will stand any more."""
    table = TABLES[0]
    gone = change.gone.get(table.name, ())
    if not gone:
        return []
    hours = [int(key[1]) for key in gone]
    found = connection.execute(table.select, [*_columns(gone, len(table.key)), min(hours), max(hours)]).fetchall()
    after = {outbox.placed(verdict_values(row.verdict)) for row in (*change.verdicts, *change.quiet)}
    return [row for row in found if outbox.placed(row) not in after]


def fresh(path: Path) -> Warehouse:
    """An empty warehouse in the file `path`, whatever an interrupted attempt left there."""
    path.unlink(missing_ok=True)
    _journal(path).unlink(missing_ok=True)
    return Warehouse(path)


def _columns(rows: Sequence[Values], width: int) -> list[list[object]]:
    return [[row[i] for row in rows] for i in range(width)]


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _journal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _open_or_make_again(path: Path | None) -> duckdb.DuckDBPyConnection:
    try:
        return _open(path)
    except duckdb.Error as error:
        if path is None or not _is_damage(error):
            raise UserError(f"The warehouse {path} cannot be opened ({error}): give another data directory.") from error
    set_aside(path)
    return _open(path)


def _is_damage(error: duckdb.Error) -> bool:
    return any(sign in str(error) for sign in DAMAGE)


def _open(path: Path | None) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(":memory:" if path is None else str(path), config=SETTINGS)
    except duckdb.IOException as error:
        if "Could not set lock" in str(error):
            raise UserError(f"{path} is held by another process; ask that one over HTTP, or stop it.") from error
        raise
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables:
        _lay_out(connection)
    elif "meta" not in tables:
        connection.close()
        raise UserError(f"{path} is another program's database: give another data directory.")
    return connection


def _lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    connection.begin()
    connection.execute(_create("meta", META_COLUMNS))
    for table in TABLES:
        connection.execute(_create(table.name, table.columns))
    connection.execute(_create("waiting", waiting.COLUMNS))
    connection.execute(_create("owed", owed.COLUMNS))
    outbox.lay_out(connection)
    connection.execute("INSERT INTO meta (schema, cursor, apart, marks) VALUES ($1, 0, [], 0)", [SCHEMA])
    connection.commit()
