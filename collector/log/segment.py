"""A segment: one day of the log in an SQLite file of its own, named by the day (`2026-11-28.sqlite`).

The newest is written to. It is closed when the next begins: its journal is worked into it, and the file is read-only
from then on. Days never go back: what is received while the clock is behind goes into the newest segment.

`envelope` holds the truth, bodies as received; `digest` tells which bodies are known, and stays when they go: then
`gone` says when each was received, or `tombstone` why it was erased.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.log import Entry, Envelope
from probe.durable import PART, sync_directory
from probe.failure import UserError
from probe.model import Network

logger = logging.getLogger(__name__)

VERSION = 3  # of the log; 1 was one file of all days, in 2 nothing ever went
BUSY_S = 10.0  # how long to wait for another process's lock, such as a backup's
PAGE_BYTES = 1024  # a body is some kilobytes: the rest of its last page is smaller, and wasted
DAY_MS = 86_400_000

_NAME = re.compile(r"\d{4}-\d\d-\d\d\.sqlite")
_NAMED = msgspec.json.Decoder(dict[str, Network])

LEFT = """
CREATE TABLE IF NOT EXISTS gone ( -- bodies that were kept for as long as bodies are
    position INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tombstone (
    position INTEGER PRIMARY KEY,
    signed BLOB NOT NULL -- JSON (tombstone.py)
);
"""
TABLES = f"""
PRAGMA page_size = {PAGE_BYTES};
BEGIN;
CREATE TABLE meta (
    log TEXT NOT NULL, -- the id of the log that this is a part of
    first INTEGER NOT NULL -- the position of the first envelope of the segment
);
CREATE TABLE envelope (
    position INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    operator TEXT NOT NULL,
    named BLOB NOT NULL, -- deflated JSON: prefix → network
    bucket BLOB,
    body BLOB NOT NULL
);
CREATE TABLE digest (
    sha256 BLOB PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;
{LEFT}
PRAGMA user_version = {VERSION};
COMMIT;
"""
INSERT = """
INSERT INTO envelope (position, received_ms, country, asn, operator, named, bucket, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
COLUMNS = "position, received_ms, country, asn, operator, named, bucket, body"

Row = tuple[int, int, str, int, str, bytes, bytes | None, bytes]


class Segment(Struct, frozen=True, kw_only=True):
    """One day's file. `first` is the position of its first envelope, which may be still to come."""

    day: int  # since 1970, UTC
    path: Path
    log: str
    first: int


def day_of(moment_ms: int) -> int:
    return moment_ms // DAY_MS


def name_of(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}"


def path_of(directory: Path, day: int) -> Path:
    return directory / f"{name_of(day)}.sqlite"


def create(directory: Path, day: int, log: str, first: int) -> Segment:
    """Makes an empty segment, whole or not at all. Raises OSError, sqlite3.OperationalError."""
    made = Segment(day=day, path=path_of(directory, day), log=log, first=first)
    part = begin_beside(made)
    part.replace(made.path)
    sync_directory(directory)
    return made


def begin_beside(one: Segment) -> Path:
    """An empty file, to take the segment's place when it is filled."""
    part = one.path.with_name(one.path.name + PART)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(part, isolation_level=None)
    try:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO meta VALUES (?, ?)", (one.log, one.first))
    finally:
        connection.close()
    return part


def bring_up(one: Segment) -> None:
    """Gives the newest segment, which is written to, the tables that it lacks when an earlier version began it."""
    connection = writing_connection(one.path)
    try:
        connection.executescript(f"BEGIN; {LEFT} PRAGMA user_version = {VERSION}; COMMIT;")
    finally:
        connection.close()


def segments(directory: Path) -> list[Segment]:
    """The segments that a directory holds, in order. Raises UserError when a file is none, or of a later version."""
    for part in directory.glob(f"*{PART}"):
        part.unlink()
    return [_read(path) for path in sorted(directory.iterdir()) if _NAME.fullmatch(path.name)]


def _read(path: Path) -> Segment:
    try:
        connection = reading_connection(path)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise UserError(f"The log {path} was written by a later Ringback (format {version}): update this one.")
            log, first = connection.execute("SELECT log, first FROM meta").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise UserError(f"The log {path} cannot be opened: {error}. Restore it from a backup.") from error
    day = (date.fromisoformat(path.name.removesuffix(".sqlite")) - date(1970, 1, 1)).days
    return Segment(day=day, path=path, log=log, first=first)


def is_closed(segment: Segment) -> bool:
    return not segment.path.stat().st_mode & 0o200


def close(segment: Segment) -> None:
    """Works the journal into the file and makes it read-only; what another process keeps from that is done later.

    Raises sqlite3.OperationalError when another process reads it, or the disk is full.
    """
    if is_closed(segment):
        return
    connection = writing_connection(segment.path)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()
    segment.path.chmod(0o400)
    sync_directory(segment.path.parent)


def writing_connection(path: Path) -> sqlite3.Connection:
    """A connection in autocommit, durable at COMMIT, for any one thread at a time."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode the default syncs at checkpoints only
    return connection


def reading_connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


def insert(connection: sqlite3.Connection, entry: Entry, digest: bytes) -> None:
    """Puts an envelope into the segment of a writing connection."""
    connection.execute(INSERT, _row(entry))
    connection.execute("INSERT INTO digest VALUES (?, ?)", (digest, entry.position))


def _row(entry: Entry) -> Row:
    one = entry.envelope
    named = zlib.compress(msgspec.json.encode(one.named))
    network = (one.network.country, one.network.asn, one.network.operator)
    return (entry.position, one.received_ms, *network, named, one.bucket, one.body)


def lost(position: int) -> Entry:
    """Stands for a batch that the disk has lost, which nobody can open: whoever reads the log goes on behind it."""
    return Entry(position, Envelope(received_ms=0, network=Network(), named={}, body=b""))


def names(position: int, read: Callable[[], bytes]) -> dict[str, Network]:
    """Whose prefixes are; none where that is lost: less is then concluded of this batch, and no other is held up."""
    try:
        return _NAMED.decode(read())
    except (zlib.error, msgspec.MsgspecError) as error:
        logger.error("The networks that batch %d names cannot be read (%s).", position, type(error).__name__)
        return {}


def entry(row: Row) -> Entry:
    """The envelope of a row of COLUMNS."""
    position, received_ms, country, asn, operator, named, bucket, body = row
    return Entry(
        position,
        Envelope(
            received_ms=received_ms,
            network=Network(country=country, asn=asn, operator=operator),
            named=names(position, lambda: zlib.decompress(named)),
            bucket=bucket,
            body=body,
        ),
    )
