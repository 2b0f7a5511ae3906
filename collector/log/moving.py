"""The way from the log of one file, which Ringback 0.1 first had, to segments: `log.sqlite` → `log/DAY.sqlite`.

Whoever is interrupted begins again: the segments are made beside their place and take it whole, and the old file goes
only when each of its batches has been found in them. Until then both need room on the disk.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from collector.log import Entry, Envelope, segment
from collector.log.reading import ID_FILE
from collector.log.segment import Segment, day_of
from collector.log.sqlite import SqliteLog
from probe import durable
from probe.failure import UserError
from probe.model import Network

VERSION = 1
GROUP = 500  # batches in one transaction
COLUMNS = "id, received_ms, country, asn, operator, resolver_networks, body"

logger = logging.getLogger(__name__)


def move(old: Path, directory: Path, keep_targets: Callable[[str, bytes], None]) -> None:
    """Moves the log `old`, if there is one, to segments in `directory`; its targets files are given away.

    Raises UserError when that is no log, a later one, or not the one that `directory` came from.
    """
    if not old.exists():
        return
    try:
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            _require_version(old, connection)
            if not directory.exists():
                logger.info("Moving %s to a file a day, in %s.", old, directory)
                _make(connection, directory)
            _require_moved(old, connection, directory)
            for digest, body in connection.execute("SELECT digest, body FROM targets"):
                keep_targets(digest, body)
        _remove(old)
    except sqlite3.DatabaseError as error:
        raise UserError(f"The log {old} cannot be read: {error}. Restore it from a backup.") from error
    except OSError as error:
        raise UserError(f"{old} cannot be moved ({error.strerror}): make room on the disk of --data.") from error


def _require_version(old: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise UserError(f"The log {old} was written by a later Ringback (format {version}): update this one.")
    if version < VERSION:
        raise UserError(f"{old} is no log of Ringback: move it away, or give another data directory.")


def _make(connection: sqlite3.Connection, directory: Path) -> None:
    """The segments, made in a directory of another name, which is given theirs at the end."""
    making = directory.with_name(f"{directory.name}{durable.PART}")
    shutil.rmtree(making, ignore_errors=True)
    durable.make_directory(making)
    log = secrets.token_hex(16)
    durable.write(making / ID_FILE, log.encode())
    current: Segment | None = None
    for group in _groups(_entries(connection)):
        for day, entries in _by_day(group, current.day if current else 0):
            if current is None or day > current.day:
                current = segment.create(making, day, log, entries[0].position)
            _fill(current, entries)
    making.rename(directory)
    durable.sync_directory(directory.parent)


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    for position, received_ms, country, asn, operator, named, body in connection.execute(
        f"SELECT {COLUMNS} FROM batches ORDER BY id"
    ):
        network = Network(country=country, asn=asn, operator=operator)
        envelope = Envelope(
            received_ms=received_ms, network=network, named=segment.names(position, partial(bytes, named)), body=body
        )
        yield Entry(position, envelope)


def _groups(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    for entry in entries:
        group.append(entry)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


def _by_day(entries: list[Entry], day: int) -> Iterator[tuple[int, list[Entry]]]:
    """Runs of one day; days never go back, not before `day` either."""
    run: list[Entry] = []
    for entry in entries:
        later = max(day, day_of(entry.envelope.received_ms))
        if run and later > day:
            yield day, run
            run = []
        day = later
        run.append(entry)
    if run:
        yield day, run


def _fill(one: Segment, entries: list[Entry]) -> None:
    with closing(segment.writing_connection(one.path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for entry in entries:
            segment.insert(connection, entry, entry.envelope.digest)
        connection.execute("COMMIT")


def _require_moved(old: Path, connection: sqlite3.Connection, directory: Path) -> None:
    """Raises UserError unless each batch is in the segments, too."""
    with closing(SqliteLog(directory)) as log:
        for position, body in connection.execute("SELECT id, body FROM batches"):
            found = log.read(position - 1, 1)
            if not found or found[0].envelope.digest != hashlib.sha256(body).digest():
                raise UserError(f"{old} and {directory} are two logs: move one of them away.")


def _remove(old: Path) -> None:
    for name in (f"{old.name}-shm", f"{old.name}-wal", old.name):
        old.with_name(name).unlink(missing_ok=True)
    durable.sync_directory(old.parent)
