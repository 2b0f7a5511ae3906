"""The embedded log: a directory of SQLite files, one a day, durable before `append` returns, read meanwhile."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from collector.log import Appended, Entry, Envelope, rewriting, segment
from collector.log.committer import Committer
from collector.log.rewriting import Gone
from collector.log.segment import Segment, day_of
from probe import durable
from probe.failure import UserError

ID_FILE = "id"
LATEST = "SELECT coalesce((SELECT max(position) FROM envelope), 0), coalesce((SELECT max(position) FROM tombstone), 0)"
MOST_READERS = 16  # files that are open to read at once

Open = Callable[[Path], sqlite3.Connection]

log = logging.getLogger(__name__)


class SqliteLog:
    """A Log in `directory`, which is made when it lacks; `close` it at the end.

    Raises UserError when what is there is no log or a later one. `connect` opens the writing connections.
    """

    def __init__(self, directory: Path, connect: Open = segment.writing_connection) -> None:
        self._directory, self._connect = directory, connect
        self.id = _id(directory)
        self._segments = _segments(directory, self.id)
        self._readers, self._past = _Readers(), _Readers()  # what others read must not hold up the writing thread
        for older in self._segments[:-1]:
            self._finish(older)
        for newest in self._segments[-1:]:
            segment.bring_up(newest)
        self._committer = Committer(lambda: self._connect(self._segments[-1].path))

    def close(self) -> None:
        """Writes what waits; no call may follow, and none may be under way."""
        self._committer.close()
        self._readers.close()
        self._past.close()

    async def append(self, envelope: Envelope, sealed_ms: int) -> Appended:
        """Keeps an envelope; durable on return. Raises LogFull, and then nothing of it is kept."""
        day = day_of(envelope.received_ms)
        if not self._segments or day > self._segments[-1].day:
            await self._committer.alone(partial(self._begin, day))
        return await self._committer.commit(partial(self._store, envelope, day_of(sealed_ms)))

    def latest(self) -> int:
        """The position of the latest envelope, which may be forgotten since; 0 when there is none."""
        if not self._segments:
            return 0
        newest = self._segments[-1]
        ((of_bodies, of_tombstones),) = self._readers.select(newest, LATEST)
        return max(newest.first - 1, int(of_bodies), int(of_tombstones))

    @property
    def days(self) -> tuple[Segment, ...]:
        """Its segments, oldest first; the last is the one that is written to."""
        return tuple(self._segments)

    def let_go(self, one: Segment, held: Collection[bytes]) -> Gone:
        """Lets the bodies of a past day go, but for those with these digests. Raises OSError, sqlite3.Error."""
        going = rewriting.positions(one, held)
        if not going:
            return Gone()
        self._forget_readers(one)  # another process's keep the file as it was
        gone = rewriting.rewrite(one, going, {})
        self._forget_readers(one)
        return gone

    def read(self, after: int, limit: int) -> list[Entry]:
        found: list[Entry] = []
        for one in _from(self._segments, after):
            found += self._read(one, after, limit - len(found))
            if len(found) == limit:
                break
        return found

    def _read(self, one: Segment, after: int, limit: int) -> list[Entry]:
        statement = f"SELECT {segment.COLUMNS} FROM envelope WHERE position > ? ORDER BY position LIMIT ?"
        try:
            return [segment.entry(row) for row in self._readers.select(one, statement, after, limit)]
        except sqlite3.OperationalError:  # locked, or a disk that may come back
            raise
        except sqlite3.DatabaseError as error:
            log.error("%s is damaged (%s): `ringback-collector verify` tells all.", one.path, error)
            return self._read_singly(one, after, limit)

    def _read_singly(self, one: Segment, after: int, limit: int) -> list[Entry]:
        """What can be read of a damaged segment; each batch that cannot is told of, and holds up no other."""
        known = "SELECT position FROM digest WHERE position > ? ORDER BY position LIMIT ?"
        statement = f"SELECT {segment.COLUMNS} FROM envelope WHERE position = ?"
        found: list[Entry] = []
        for (position,) in self._readers.select(one, known, after, limit):
            try:
                found += [segment.entry(row) for row in self._readers.select(one, statement, position)]
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                found.append(segment.lost(position))
        return found

    def erase(self, tombstones: Mapping[int, bytes]) -> None:
        """Puts tombstones in the place of the bodies at these positions. Raises OSError, sqlite3.Error, LogFull."""
        for one, later in zip(self._segments, [*self._segments[1:], None], strict=True):
            own = {
                at: each for at, each in tombstones.items() if one.first <= at and (later is None or at < later.first)
            }
            if own and later is not None:
                self._forget_readers(one)
                rewriting.rewrite(one, (), own)
                self._forget_readers(one)
            elif own:
                self._committer.alone_now(partial(rewriting.erase_in_place, one, own))

    def _begin(self, day: int) -> None:
        """Begins the segment of a day, in the writing thread, unless a later one has begun; closes the one before."""
        older = self._segments
        if older and day <= older[-1].day:
            return
        self._segments = [*older, segment.create(self._directory, day, self.id, self.latest() + 1)]
        if older:
            self._finish(older[-1])

    def _forget_readers(self, one: Segment) -> None:
        self._readers.forget(one)
        self._past.forget(one)

    def _finish(self, older: Segment) -> None:
        self._forget_readers(older)
        try:
            segment.close(older)
        except (sqlite3.OperationalError, OSError) as error:
            log.warning("The log of a past day is not closed yet (%s); that is done at the next start.", error)

    def _store(self, envelope: Envelope, sealed_day: int, connection: sqlite3.Connection) -> Appended:
        """Stores an envelope in the newest segment, inside a transaction."""
        digest = envelope.digest
        known = self._known(digest, sealed_day, connection)
        if known is not None:
            return Appended(known, is_new=False)
        position = max(self._segments[-1].first - 1, *connection.execute(LATEST).fetchone()) + 1
        segment.insert(connection, Entry(position, envelope), digest)
        return Appended(position, is_new=True)

    def _known(self, digest: bytes, sealed_day: int, connection: sqlite3.Connection) -> int | None:
        """The position of a body that the log has. None is received before the day that precedes its sealing."""
        statement = "SELECT position FROM digest WHERE sha256 = ?"
        found = connection.execute(statement, (digest,)).fetchone()
        if found is not None:
            return int(found[0])
        newest = self._segments[-1].day
        for one in reversed(self._segments[:-1]):
            if one.day < min(sealed_day, newest) - 1:
                break
            if rows := self._past.select(one, statement, digest):
                return int(rows[0][0])
        return None


class _Readers:
    """Reading connections, one a segment, asked by any thread one after the other; those used last are kept open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[int, sqlite3.Connection] = OrderedDict()

    def select(self, one: Segment, statement: str, *parameters: object) -> list[Any]:
        with self._lock:
            connection = self._open.pop(one.day, None) or segment.reading_connection(one.path)
            self._open[one.day] = connection
            if len(self._open) > MOST_READERS:
                self._open.popitem(last=False)[1].close()
            return connection.execute(statement, parameters).fetchall()

    def forget(self, one: Segment) -> None:
        """Closes what is open of a segment, whose file is about to change."""
        with self._lock:
            connection = self._open.pop(one.day, None)
            if connection is not None:
                connection.close()

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _id(directory: Path) -> str:
    """The log's id, of 32 hex digits, drawn when the directory is made. Raises UserError."""
    try:
        durable.make_directory(directory)
        durable.create(directory / ID_FILE, secrets.token_hex(16).encode())
        return (directory / ID_FILE).read_text()
    except OSError as error:
        raise UserError(
            f"The log {directory} cannot be used: {error.strerror}. Give another data directory."
        ) from error


def _segments(directory: Path, id: str) -> list[Segment]:
    """The segments of the log that has this id. Raises UserError."""
    found = segment.segments(directory)
    for one in found:
        if one.log != id:
            raise UserError(f"{one.path} is a part of another log: restore all of {directory} from one backup.")
    return found


def _from(segments: list[Segment], after: int) -> list[Segment]:
    """Those that may hold positions greater than `after`."""
    start = next((i for i in range(len(segments) - 1, 0, -1) if segments[i].first <= after + 1), 0)
    return segments[start:]
