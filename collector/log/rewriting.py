"""A closed segment made again without some of its bodies: whole beside the old one, whose place it then takes.

Whoever is killed meanwhile left the old file, or the new one. Nothing of what went is in the new one's pages, for these
were never any other's; the old one's go back to the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing

from msgspec import Struct

from collector.log import segment
from collector.log.segment import COLUMNS, Segment
from probe.durable import sync_directory

COUNTS = "SELECT (SELECT count(*) FROM envelope), (SELECT count(*) FROM gone), (SELECT count(*) FROM tombstone)"


class Gone(Struct, frozen=True):
    """How many bodies went, and how many bytes of the disk."""

    bodies: int = 0
    bytes: int = 0

    def __add__(self, other: Gone) -> Gone:
        return Gone(self.bodies + other.bodies, self.bytes + other.bytes)


def positions(one: Segment, held: Collection[bytes] = ()) -> list[int]:
    """The positions of the bodies in a segment, but for those with a digest that is held."""
    with closing(segment.reading_connection(one.path)) as connection:
        if connection.execute("SELECT 1 FROM envelope LIMIT 1").fetchone() is None:
            return []
        found = connection.execute(
            "SELECT sha256, position FROM digest WHERE position IN (SELECT position FROM envelope)"
        )
        kept = frozenset(held)
        return sorted(position for digest, position in found if bytes(digest) not in kept)


def rewrite(one: Segment, going: Collection[int], tombstones: Mapping[int, bytes]) -> Gone:
    """Lets the bodies at these positions go, and puts tombstones in the place of others; the segment is closed first.

    Raises OSError, sqlite3.Error; then nothing has changed.
    """
    segment.close(one)
    before = one.path.stat().st_size
    part = segment.begin_beside(one)
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS old", (f"{one.path.absolute()}",))
        connection.execute("BEGIN")
        _copy(connection, going, tombstones)
        _require_all(connection, one)
        connection.execute("COMMIT")
        connection.execute("DETACH old")
    part.chmod(0o400)
    sync_directory(part)  # of a file it is the same call
    after = part.stat().st_size
    part.replace(one.path)
    sync_directory(one.path.parent)
    return Gone(len(going) + len(tombstones), before - after)


def erase_in_place(one: Segment, tombstones: Mapping[int, bytes]) -> None:
    """The same in the segment that is written to: what was in its pages is written over, and its journal emptied.

    Raises sqlite3.Error, also when another process reads it: then the journal may still hold what the file does not.
    """
    with closing(segment.writing_connection(one.path)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?)", tombstones.items())
        connection.executemany("DELETE FROM envelope WHERE position = ?", [(position,) for position in tombstones])
        connection.execute("COMMIT")
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError(f"{one.path.name} is read by another process: its journal is emptied later")


def _copy(connection: sqlite3.Connection, going: Collection[int], tombstones: Mapping[int, bytes]) -> None:
    connection.execute("CREATE TEMP TABLE going (position INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO going VALUES (?)", [(position,) for position in going])
    connection.executemany("INSERT INTO tombstone VALUES (?, ?)", tombstones.items())
    away = "SELECT position FROM going UNION ALL SELECT position FROM main.tombstone"
    connection.execute(f"INSERT INTO envelope SELECT {COLUMNS} FROM old.envelope WHERE position NOT IN ({away})")
    connection.execute("INSERT INTO digest SELECT sha256, position FROM old.digest ORDER BY sha256")
    connection.execute("INSERT INTO gone SELECT position, received_ms FROM old.envelope JOIN going USING (position)")
    if connection.execute("SELECT 1 FROM old.sqlite_master WHERE name = 'tombstone'").fetchone():
        connection.execute("INSERT INTO gone SELECT position, received_ms FROM old.gone")
        connection.execute("INSERT INTO tombstone SELECT position, signed FROM old.tombstone")


def _require_all(connection: sqlite3.Connection, one: Segment) -> None:
    """Raises sqlite3.DatabaseError unless for each batch that is known its body stands there, or why it does not."""
    (known,) = connection.execute("SELECT count(*) FROM digest").fetchone()
    if sum(connection.execute(COUNTS).fetchone()) != known:
        raise sqlite3.DatabaseError(f"{one.path.name} lacks bodies: `ringback-collector verify` tells which")
