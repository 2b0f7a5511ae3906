"""The embedded log: a directory of SQLite files, one a day, durable before `append` returns, read meanwhile."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import zip_longest
from pathlib import Path

from collector.log import Appended, Entry, Envelope, reading, rewriting, segment
from collector.log.committer import Committer
from collector.log.reading import ID_FILE, LATEST, Readers
from collector.log.rewriting import Gone
from collector.log.segment import Segment, day_of
from probe import durable
from probe.failure import UserError

Open = Callable[[Path], sqlite3.Connection]

log = logging.getLogger(__name__)


class SqliteLog:
    """A Log in `directory`, which is made when it lacks; `close` it at the end.

    Raises UserError when what is there is no log or a later one. `connect` opens the writing connections.
    """

    def __init__(self, directory: Path, connect: Open = segment.writing_connection) -> None:
        self._directory, self._connect = directory, connect
        self.id = _id(directory)
        self._segments = reading.segments(directory, self.id)
        self._readers, self._past = Readers(), Readers()  # what others read must not hold up the writing thread
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
        return reading.latest(self._segments, self._readers)

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
        return reading.read(self._segments, self._readers, after, limit)

    def erase(self, tombstones: Mapping[int, bytes]) -> None:
        """Puts tombstones in the place of the bodies at these positions. Raises OSError, sqlite3.Error, LogFull."""
        for one, later in zip_longest(self._segments, self._segments[1:]):
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
        """Begins the segment of a day, in the writing thread, unless a later one has begun; closes those before it."""
        older = self._segments
        if older and day <= older[-1].day:
            return
        self._segments = [*older, segment.create(self._directory, day, self.id, self.latest() + 1)]
        for one in older:
            self._finish(one)

    def _forget_readers(self, one: Segment) -> None:
        self._readers.forget(one)
        self._past.forget(one)

    def _finish(self, older: Segment) -> None:
        """Closes a segment; one that the process which judges still reads, when the next day begins."""
        if segment.is_closed(older):
            return
        self._forget_readers(older)
        try:
            segment.close(older)
        except (sqlite3.OperationalError, OSError) as error:
            log.info("The log of a past day is not closed yet (%s); that is done when the next day begins.", error)

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
