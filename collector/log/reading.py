"""Reading the segments of a log, also in another process than the one that writes them."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collector.log import Appended, Entry, Envelope, segment
from collector.log.segment import Segment
from probe.failure import UserError

ID_FILE = "id"
LATEST = "SELECT coalesce((SELECT max(position) FROM envelope), 0), coalesce((SELECT max(position) FROM tombstone), 0)"
MOST_READERS = 16  # files that are open to read at once

log = logging.getLogger(__name__)


class Readers:
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


class ReadingLog:
    """The Log in `directory` while another process writes it: nothing is appended here."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._readers = directory, Readers()
        self.id = (directory / ID_FILE).read_text()
        self._names: list[str] = []
        self._segments: list[Segment] = []

    async def append(self, envelope: Envelope, sealed_ms: int) -> Appended:
        raise NotImplementedError("the collector itself appends")

    def latest(self) -> int:
        return latest(self._found(), self._readers)

    def read(self, after: int, limit: int) -> list[Entry]:
        return read(self._found(), self._readers, after, limit)

    def forget(self) -> None:
        """Keeps no file open: that of a day may be exchanged for a smaller one."""
        self._readers.close()

    def _found(self) -> list[Segment]:
        """The segments; the collector may have begun another one, and then closes those that nobody keeps open."""
        names = sorted(name for name in os.listdir(self._directory) if name.endswith(".sqlite"))
        if names != self._names:
            self._readers.close()
            self._segments, self._names = segments(self._directory, self.id), names
        return self._segments


def segments(directory: Path, id: str) -> list[Segment]:
    """The segments of the log that has this id. Raises UserError."""
    found = segment.segments(directory)
    for one in found:
        if one.log != id:
            raise UserError(f"{one.path} is a part of another log: restore all of {directory} from one backup.")
    return found


def latest(segments: Sequence[Segment], readers: Readers) -> int:
    """The position of the latest envelope, which may be forgotten since; 0 when there is none."""
    if not segments:
        return 0
    newest = segments[-1]
    ((of_bodies, of_tombstones),) = readers.select(newest, LATEST)
    return max(newest.first - 1, int(of_bodies), int(of_tombstones))


def read(segments: Sequence[Segment], readers: Readers, after: int, limit: int) -> list[Entry]:
    """At most `limit` envelopes whose positions are greater than `after`, in order."""
    found: list[Entry] = []
    for one in _from(segments, after):
        found += _read(one, readers, after, limit - len(found))
        if len(found) == limit:
            break
    return found


def _read(one: Segment, readers: Readers, after: int, limit: int) -> list[Entry]:
    statement = f"SELECT {segment.COLUMNS} FROM envelope WHERE position > ? ORDER BY position LIMIT ?"
    try:
        return [segment.entry(row) for row in readers.select(one, statement, after, limit)]
    except sqlite3.OperationalError:  # locked, or a disk that may come back
        raise
    except sqlite3.DatabaseError as error:
        log.error("%s is damaged (%s): `ringback-collector verify` tells all.", one.path, error)
        return _read_singly(one, readers, after, limit)


def _read_singly(one: Segment, readers: Readers, after: int, limit: int) -> list[Entry]:
    """What can be read of a damaged segment; each batch that cannot is told of, and holds up no other."""
    known = "SELECT position FROM digest WHERE position > ? ORDER BY position LIMIT ?"
    statement = f"SELECT {segment.COLUMNS} FROM envelope WHERE position = ?"
    found: list[Entry] = []
    for (position,) in readers.select(one, known, after, limit):
        try:
            found += [segment.entry(row) for row in readers.select(one, statement, position)]
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            found.append(segment.lost(position))
    return found


def _from(segments: Sequence[Segment], after: int) -> Sequence[Segment]:
    """Those that may hold positions greater than `after`."""
    start = next((i for i in range(len(segments) - 1, 0, -1) if segments[i].first <= after + 1), 0)
    return segments[start:]
