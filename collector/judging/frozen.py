"""Freezing and thawing: what the warehouse says of hours whose bodies go is kept in the log, for every later warehouse.

The rows are kept as they stand, with the version of the rules that made each; a verdict's row is also the sighting of
its key, so standing is kept with them. A warehouse that is made again begins with them, and judges what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from msgspec import Struct

from collector.facts.enrolment import FREE
from collector.facts.standing import DAY_MS, Sighting, day_of
from collector.judging import frozen_without
from collector.judging.frozen_without import Lines
from collector.judging.index import Hour, SqliteIndex
from collector.log import freezes, segment
from collector.log.freezes import NONE, Freeze, Freezes
from collector.warehouse import outbox
from collector.warehouse.store import TABLES, Table, Warehouse
from probe import durable
from probe.model import Network

# As the days of a key are asked of a warehouse (kept_standing.py).
SIGHTED = f"""
key, uid, received_ms, country, asn, operator, checked, consistent, CASE
    WHEN bucket IS NULL THEN '{FREE}' WHEN started_ms // {DAY_MS} = received_ms // {DAY_MS} THEN bucket
END
"""
ROWS = 10_000  # in memory at once


class Frozen:
    """The freezes of the log in `directory`; None has none. Raises UserError when one cannot be read."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.freezes: Freezes = NONE if directory is None else freezes.read(directory)

    def opens(self, hours: set[Hour]) -> set[Hour]:
        """Those of these hours that are judged, and not frozen."""
        return {(target, hour) for target, hour in hours if not self.holds(hour)}

    def holds(self, hour: int) -> bool:
        return hour < self.freezes.until_hour

    def freeze(self, warehouse: Warehouse, *, day: int, gone: int, until_hour: int, index: SqliteIndex) -> None:
        """Freezes the hours from where the last freeze ended up to that one. Raises OSError, duckdb.Error."""
        assert self._directory is not None
        part = freezes.begin(self._directory)
        since_hour = self.freezes.until_hour
        for table in TABLES:
            warehouse.select(_copied_out(table, part, f"hour >= {since_hour} AND hour < {until_hour}"))
        durable.write(part / freezes.HEARD, msgspec.json.encode(index.heard()))
        ((version,),) = warehouse.select("SELECT coalesce(rules_version, 0) FROM meta")
        one = Freeze(
            day=day,
            gone=gone,
            position=warehouse.cursor(),
            since_hour=since_hour,
            until_hour=until_hour,
            rules_version=version,
            copied=index.copied(gone),
            files=freezes.digests(part),
        )
        freezes.finish(part, one, f"{segment.name_of(day)}-1")
        self.freezes = freezes.read(self._directory)

    def leave_out(self, lines: Lines) -> None:
        """Makes again what is frozen, without these lines. Raises OSError, duckdb.Error."""
        assert self._directory is not None
        for place, one in zip(self.freezes.places, self.freezes.all, strict=True):
            frozen_without.leave_out(self._directory, place, one, lines)
        self.freezes = freezes.read(self._directory)

    def thaw(self, warehouse: Warehouse) -> None:
        """Puts what is frozen into the warehouse, in the place of what it says of those hours."""
        if self.freezes.all:
            warehouse.change(self._thaw)

    def _thaw(self, connection: duckdb.DuckDBPyConnection) -> None:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table.name} WHERE hour < $1", [self.freezes.until_hour])
            for path in self._files(table):
                connection.execute(_copied_in(connection, table, path))
        outbox.notice_all(connection)

    def _files(self, table: Table) -> Iterator[Path]:
        return (place / f"{table.name}.parquet" for place in self.freezes.places)


class FrozenLine(Struct, frozen=True, kw_only=True):
    """A frozen verdict, as a sighting of its key."""

    sighting: Sighting
    received_ms: int
    network: Network


def frozen_lines(log: Path) -> Iterator[FrozenLine]:
    """The verdicts that are frozen in a log's directory, beside whoever writes there. Raises UserError."""
    for place in freezes.read(log).places:
        with closing(duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})) as connection:
            source = f"SELECT {SIGHTED} FROM read_parquet({_quoted(place / 'verdict.parquet')})"
            found = connection.execute(source)
            while rows := found.fetchmany(ROWS):
                yield from map(_line, rows)


def _line(row: tuple[Any, ...]) -> FrozenLine:
    key, uid, received_ms, country, asn, operator, checked, consistent, source = row
    day = day_of(received_ms)
    return FrozenLine(
        sighting=Sighting(key=key, uid=uid, asn=asn, day=day, checked=checked, consistent=consistent, source=source),
        received_ms=received_ms,
        network=Network(country=country, asn=asn, operator=operator),
    )


def _copied_out(table: Table, part: Path, where: str) -> str:
    path = _quoted(part / f"{table.name}.parquet")
    rows = f"SELECT * FROM {table.name} WHERE {where} {table.ordered}"
    return f"COPY ({rows}) TO {path} (FORMAT parquet, COMPRESSION zstd)"


def _copied_in(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> str:
    """An older version's file may lack a column, or have one that is no more."""
    source = f"read_parquet({_quoted(path)})"
    there = {name for name, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    names = ", ".join(name for name in table.columns if name in there)
    return f"INSERT INTO {table.name} BY NAME SELECT {names} FROM {source}"


def _quoted(path: Path) -> str:
    text = str(path.absolute()).replace("'", "''")
    return f"'{text}'"
