"""Thinning of the index when bodies go: what it held of them, and of what came after its hour was frozen, goes too.

Which batches came is still known of every key; a new index begins with what was noted of it when bodies went.
"""

from __future__ import annotations

import sqlite3

import msgspec

from collector.judging import heard
from collector.judging.heard import Heard
from collector.judging.index_schema import LINES
from collector.log.freezes import Freezes
from probe.model import HOUR_MS

_HEARD = msgspec.json.Decoder(list[Heard])

OF_LINES = ("measurement", "identity", "again")
OF_POSITIONS = ("batch", "unreadable")
LATE = "INSERT OR IGNORE INTO late SELECT line FROM measurement WHERE line >= ? AND started_ms < ?"
USED = {  # words that stand once, and where they are used
    "cycle": "SELECT cycle FROM measurement",
    "target": "SELECT target FROM measurement",
}


def heard_before(freezes: Freezes) -> list[Heard]:
    """What was noted of keys when bodies went last. Raises UserError."""
    return _HEARD.decode(freezes.heard()) if freezes.all else []


def thin(connection: sqlite3.Connection, freezes: Freezes) -> None:
    """Does it in one transaction, unless it is done already."""
    position, first = connection.execute("SELECT position, (SELECT min(position) FROM batch) FROM meta").fetchone()
    if position >= freezes.position and (first is None or first > freezes.gone):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _thin(connection, freezes)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _thin(connection: sqlite3.Connection, freezes: Freezes) -> None:
    connection.execute("CREATE TEMP TABLE late (line INTEGER PRIMARY KEY)")
    for one in freezes.all:
        connection.execute(LATE, ((one.position + 1) * LINES, one.until_hour * HOUR_MS))
    for table in OF_LINES:
        gone = "line < ? OR line IN (SELECT line FROM late)"
        connection.execute(f"DELETE FROM {table} WHERE {gone}", ((freezes.gone + 1) * LINES,))
    for table in OF_POSITIONS:
        connection.execute(f"DELETE FROM {table} WHERE position <= ?", (freezes.gone,))
    for table, used in USED.items():
        connection.execute(f"DELETE FROM {table} WHERE id NOT IN ({used})")
    (position,) = connection.execute("SELECT position FROM meta").fetchone()
    if position < freezes.gone:
        for table in ("heard", "succession", "probe"):
            connection.execute(f"DELETE FROM {table}")
        heard.hear_again(connection, heard_before(freezes))
        connection.execute("UPDATE meta SET position = ?", (freezes.gone,))
    connection.execute("DROP TABLE late")
