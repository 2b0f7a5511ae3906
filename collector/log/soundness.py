"""Whether the files of a log are sound: each page of them, of each batch its seal and its digests, and what was frozen.

SQLite keeps no checksum of a page, so it is asked whether its trees hold together; bodies carry a checksum and a
signature of their own. What the collector added to a batch (when it came, from which network) has neither.

A batch that was taken by other limits, or in another form, than today's is as sound as when it came. Where a body has
gone, its digest stands, and when it was received.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from collector.log import tombstone
from probe.codecs.seal import SealError, unseal

MOST_FAULTS_OF_PAGES = 20  # of one file, in SQLite's words
BROKEN = ("not_gzip", "bomb", "bad_format", "bad_signature")  # why no batch is refused that was whole when it came
BATCHES = {  # table → the column of positions, and where the digest of a body is known
    "envelope": ("position", "SELECT sha256 FROM digest WHERE position = ?"),
    "batches": ("id", None),  # of the log of one file
}
MISSING = """
SELECT position FROM digest EXCEPT SELECT position FROM envelope EXCEPT SELECT position FROM gone
EXCEPT SELECT position FROM tombstone ORDER BY position
"""
TOMBSTONES = "SELECT t.position, signed, sha256 FROM tombstone AS t LEFT JOIN digest AS d ON d.position = t.position"
GLANCE_BATCHES = 20
GLANCE_BYTES = 64_000_000  # of a file whose pages are all looked at, when a collector starts


class Examined(Struct, frozen=True, kw_only=True):
    """How many batches a file has, how many more have gone from it, and what is wrong with it, in sentences."""

    path: Path
    batches: int
    gone: int = 0
    faults: tuple[str, ...]


def files(data: Path) -> list[Path]:
    """The files of the log in a data directory, oldest first."""
    return [path for path in (data / "log.sqlite", *sorted((data / "log").glob("*.sqlite"))) if path.exists()]


def examine(path: Path) -> Examined:
    """Looks at every page and every batch of a file. A collector may be writing to it meanwhile."""
    return _examined(path, "integrity_check", newest=None)


def glance(path: Path) -> Examined:
    """Looks at the newest batches of a file, and at its pages when they are few."""
    check = "quick_check" if path.stat().st_size <= GLANCE_BYTES else None
    return _examined(path, check, newest=GLANCE_BATCHES)


def _examined(path: Path, check: str | None, newest: int | None) -> Examined:
    faults: list[str] = []
    batches = gone = 0
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if check is not None:
                faults += _faults_of_pages(connection, check)
            table = _table(connection)
            for position in _positions(connection, table, newest):
                batches += 1
                fault = _fault(connection, table, position)
                if fault is not None:
                    faults.append(f"batch {position}: {fault}")
            if newest is None and _has(connection, "gone"):
                ((gone,),) = connection.execute("SELECT count(*) FROM gone")
                faults += [f"batch {position}: its body is missing" for (position,) in connection.execute(MISSING)]
                faults += [
                    f"batch {position}: its tombstone is not the collector's"
                    for position, signed, digest in connection.execute(TOMBSTONES)
                    if digest is None or not tombstone.is_for(signed, digest)
                ]
    except sqlite3.Error as error:
        faults.append(f"{error}")
    return Examined(path=path, batches=batches, gone=gone, faults=tuple(f"{path.name}: {fault}." for fault in faults))


def _faults_of_pages(connection: sqlite3.Connection, check: str) -> Iterator[str]:
    try:
        for (said,) in connection.execute(f"PRAGMA {check}({MOST_FAULTS_OF_PAGES})"):
            if said != "ok":
                yield said.replace("\n", "; ")
    except sqlite3.Error as error:
        yield f"its pages cannot be checked ({error})"


def _table(connection: sqlite3.Connection) -> str:
    """The name of the table of batches. Raises sqlite3.Error when the file is no log."""
    found = next((name for name in BATCHES if _has(connection, name)), None)
    if found is None:
        raise sqlite3.DatabaseError("it is no log")
    return found


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _positions(connection: sqlite3.Connection, table: str, newest: int | None) -> list[int]:
    column, _ = BATCHES[table]
    limit = -1 if newest is None else newest
    rows = connection.execute(f"SELECT {column} FROM {table} ORDER BY {column} DESC LIMIT ?", (limit,)).fetchall()
    return sorted(position for (position,) in rows)


def _fault(connection: sqlite3.Connection, table: str, position: int) -> str | None:
    column, known = BATCHES[table]
    try:
        (body,) = connection.execute(f"SELECT body FROM {table} WHERE {column} = ?", (position,)).fetchone()
        digests = [] if known is None else connection.execute(known, (position,)).fetchall()
    except (sqlite3.Error, TypeError) as error:
        return f"it cannot be read ({error})"
    if known is not None and digests != [(hashlib.sha256(body).digest(),)]:
        return "its digest is not the one that was noted"
    try:
        unseal(body)
    except SealError as error:
        return f"{error}".rstrip(".") if error.reason in BROKEN else None
    return None
