"""Which keys were said to follow which: in the index, each as it was received first, whatever the order of arrival."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from collector.facts.lines import Said

KNOWN = """
SELECT 1 FROM succession
WHERE old = ?1 AND new = ?2 AND asn = ?3 AND quarter = ?4 AND (received_ms, digest) <= (?5, ?6) LIMIT 1
"""
BETWEEN = """
SELECT received_ms, digest, old, new, asn, quarter FROM succession WHERE position > ? AND position <= ?
ORDER BY position
"""

Row = tuple[int, bytes, bytes, bytes, int, int]


def note(connection: sqlite3.Connection, one: Said, position: int) -> None:
    """Notes what a batch says, unless the same was received before it."""
    row = (*map(bytes.fromhex, (one.old, one.new)), one.asn, one.quarter, one.received_ms, bytes.fromhex(one.digest))
    if connection.execute(KNOWN, row).fetchone() is None:
        connection.execute("INSERT INTO succession VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, position))


def said(rows: Iterable[Row]) -> list[Said]:
    """What the rows of BETWEEN say."""
    return [
        Said(received_ms, digest.hex(), old.hex(), new.hex(), asn, quarter)
        for received_ms, digest, old, new, asn, quarter in rows
    ]
