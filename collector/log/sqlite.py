"""The embedded log: one SQLite file, durable before `append` returns, read from any thread meanwhile."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from collector.facts.start import corrected_start
from collector.log import Appended, Conflict, Record, schema
from collector.log.committer import Committer, Connect
from collector.log.inflated import InflatedBodies
from probe.codecs.seal import SealedBatch, measurement_at
from probe.model import HOUR_MS, Link, Measurement, Network

COLUMNS = """
m.batch, m.line, p.key, m.started_ms, m.clock_known, b.received_ms, b.country, b.asn, b.operator, b.resolver_networks,
b.targets, b.software, m.sha256, m.uid, m.target, m.cycle, m.round
"""
JOINED = "JOIN batches AS b ON b.id = m.batch JOIN probes AS p ON p.id = m.probe"
# The same set of records gives the same order, whatever the order of arrival.
BY_START = "ORDER BY m.started_ms, p.key, m.uid"


class _Arrival(Struct, frozen=True):
    """A batch, and what the collector knows of its delivery."""

    batch: SealedBatch
    data: bytes
    received_ms: int
    network: Network
    resolver_networks: dict[str, Network]


class Altered(Exception):
    """A line is not the one that was received: the disk has lost a bit of it."""


class _Line(Struct, frozen=True):
    number: int
    sha256: bytes
    measurement: Measurement


class SqliteLog:
    """A Log in the file `path`, which is made when it lacks; `close` it at the end.

    Raises UserError when the file is no log or a later one. `connect` opens the writing connection.
    """

    def __init__(self, path: Path, connect: Connect | None = None) -> None:
        schema.create(path)
        self._path = path
        self._committer = Committer(connect or partial(schema.writing_connection, path))
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._bodies = InflatedBodies(self._body)
        self._networks = msgspec.json.Decoder(dict[str, Network])

    def close(self) -> None:
        """Writes what waits; no call may follow, and none may be under way."""
        self._committer.close()
        while self._readers:
            self._readers.pop().close()

    async def append(
        self,
        batch: SealedBatch,
        data: bytes,
        received_ms: int,
        network: Network,
        resolver_networks: dict[str, Network],
    ) -> Appended:
        """Keeps a batch; durable on return. Raises Conflict or LogFull, and then nothing of it is kept."""
        arrival = _Arrival(batch, data, received_ms, network, resolver_networks)
        return await self._committer.commit(partial(_store, arrival))

    async def put_targets(self, digest: str, body: bytes) -> None:
        """Keeps a targets file; durable on return. Raises LogFull."""
        await self._committer.commit(partial(_store_targets, digest, body))

    def cursor(self) -> int:
        """The position of the latest batch; 0 when there is none."""
        (latest,) = self._read("SELECT coalesce(max(id), 0) FROM batches").fetchone()
        return int(latest)

    def records(self, after: int, limit: int) -> list[Record]:
        where = "WHERE m.batch IN (SELECT id FROM batches WHERE id > ? ORDER BY id LIMIT ?)"
        return list(self._records("batch", f"{where} ORDER BY m.batch, m.line", after, limit))

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        where = "WHERE m.target = ? AND m.started_ms >= ? AND m.started_ms < ?"
        span = (first_hour * HOUR_MS, (last_hour + 1) * HOUR_MS)
        return list(self._records("target", f"{where} {BY_START}", target, *span))

    def siblings(self, key: str, cycle: str, target: str | None = None) -> list[Record]:
        where = "WHERE p.key = ? AND m.cycle = ?"
        parameters: tuple[str, ...] = (key, cycle)
        if target is not None:
            where, parameters = f"{where} AND m.target = ?", (*parameters, target)
        return list(self._records("cycle", f"{where} ORDER BY m.round, m.uid", *parameters))

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        where = "WHERE p.key IN (SELECT value FROM json_each(?)) AND m.started_ms >= ? AND m.started_ms < ?"
        parameters: tuple[str | int, ...] = (msgspec.json.encode(list(keys)).decode(), since_ms, until_ms)
        if target is not None:
            where, parameters = f"{where} AND m.target = ?", (*parameters, target)
        return list(self._records("probe", f"{where} {BY_START}", *parameters))

    def targets(self, digest: str) -> bytes | None:
        found = self._read("SELECT body FROM targets WHERE digest = ?", digest).fetchone()
        return None if found is None else bytes(found[0])

    def _read(self, statement: str, *parameters: str | int) -> sqlite3.Cursor:
        """The rows of a statement, on the calling thread's own connection."""
        if not hasattr(self._own, "connection"):
            self._own.connection = schema.reading_connection(self._path)
            self._readers.append(self._own.connection)
        connection: sqlite3.Connection = self._own.connection
        return connection.execute(statement, parameters)

    def _records(self, index: str, where: str, *parameters: str | int) -> Iterator[Record]:
        """The records by the index that is named: left to itself, SQLite would read all that a probe ever sent."""
        table = f"measurements AS m INDEXED BY measurements_by_{index}"
        for row in self._read(f"SELECT {COLUMNS} FROM {table} {JOINED} {where}", *parameters).fetchall():
            yield self._record(*row)

    def _record(
        self, batch: int, line: int, key: str, started_ms: int, clock_known: int, received_ms: int, *about: Any
    ) -> Record:
        country, asn, operator, resolver_networks, targets, software, sha256, *known = about
        measurement, damage = self._measurement(batch, line, sha256)
        return Record(
            cursor=batch,
            line=line,
            key=key,
            measurement=measurement or _stub(started_ms, *known),
            damage=damage,
            started_ms=started_ms,
            clock_known=bool(clock_known),
            received_ms=received_ms,
            network=Network(country=country, asn=asn, operator=operator),
            resolver_networks=self._networks.decode(resolver_networks),
            targets=targets,
            software=software,
        )

    def _measurement(self, batch: int, line: int, sha256: bytes) -> tuple[Measurement | None, str | None]:
        """The measurement as received, or the class of the exception that says why it cannot be read any more."""
        try:
            lines = self._bodies.lines(batch)
            if hashlib.sha256(lines[line]).digest() != sha256:
                raise Altered
            return measurement_at(lines, line), None
        except (Altered, gzip.BadGzipFile, zlib.error, EOFError, IndexError, ValueError, msgspec.MsgspecError) as error:
            return None, type(error).__name__

    def _body(self, batch: int) -> bytes:
        (body,) = self._read("SELECT body FROM batches WHERE id = ?", batch).fetchone()
        return bytes(body)


def _stub(started_ms: int, uid: str, target: str, cycle: str, round: int) -> Measurement:
    """What the index knows of a measurement that cannot be read any more."""
    return Measurement(
        uid=uid,
        target=target,
        cycle=cycle,
        round=round,
        started_ms=started_ms,
        clock_offset_ms=None,
        link=Link(up=False),
    )


def _store(arrival: _Arrival, connection: sqlite3.Connection) -> Appended:
    """Stores a batch, inside a transaction. Raises Conflict."""
    batch = arrival.batch
    probe = _probe(connection, batch.header.key)
    known = _known(connection, probe, [measurement.uid for measurement in batch.measurements])
    lines = [
        _Line(number, hashlib.sha256(line).digest(), measurement)
        for number, (line, measurement) in enumerate(
            zip(batch.lines, batch.measurements, strict=True), start=1 + batch.header.contexts
        )
    ]
    fresh = [line for line in lines if _is_new(line, known)]
    if fresh:
        _insert(connection, arrival, probe, fresh)
    return Appended(len(fresh), len(lines) - len(fresh))


def _is_new(line: _Line, known: dict[str, bytes]) -> bool:
    uid = line.measurement.uid
    if known.get(uid, line.sha256) != line.sha256:
        raise Conflict(f"Measurement {uid} of this key was received before with other content.")
    return uid not in known


def _probe(connection: sqlite3.Connection, key: str) -> int:
    """The number that stands for a key."""
    connection.execute("INSERT OR IGNORE INTO probes (key) VALUES (?)", (key,))
    (probe,) = connection.execute("SELECT id FROM probes WHERE key = ?", (key,)).fetchone()
    return int(probe)


def _known(connection: sqlite3.Connection, probe: int, uids: list[str]) -> dict[str, bytes]:
    """The measurements that the log has: uid → SHA-256 of the line."""
    statement = "SELECT uid, sha256 FROM measurements WHERE probe = ? AND uid IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(statement, (probe, msgspec.json.encode(uids).decode())))


def _insert(connection: sqlite3.Connection, arrival: _Arrival, probe: int, lines: list[_Line]) -> None:
    header, network = arrival.batch.header, arrival.network
    cursor = connection.execute(
        "INSERT INTO batches (probe, sealed_ms, received_ms, software, targets, country, asn, operator,"
        " resolver_networks, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(probe, header.sealed_ms, arrival.received_ms, header.software, header.targets),
            *(network.country, network.asn, network.operator),
            *(msgspec.json.encode(arrival.resolver_networks), arrival.data),
        ),
    )
    connection.executemany(
        "INSERT INTO measurements (batch, probe, uid, line, sha256, target, cycle, round, started_ms, clock_known)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(cursor.lastrowid, probe, *_index_row(arrival, line)) for line in lines],
    )


def _index_row(arrival: _Arrival, line: _Line) -> tuple[str | int | bytes, ...]:
    seen, sealed_ms = line.measurement, arrival.batch.header.sealed_ms
    start = corrected_start(seen.started_ms, seen.clock_offset_ms, sealed_ms, arrival.received_ms)
    return (seen.uid, line.number, line.sha256, seen.target, seen.cycle, seen.round, start.ms, start.known)


def _store_targets(digest: str, body: bytes, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT OR IGNORE INTO targets (digest, body) VALUES (?, ?)", (digest, body))
