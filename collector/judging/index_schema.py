"""The tables of the index, and how its connections are set.

What is asked often is small: keys, targets, cycles stand once, with a number in their place, and a measurement's place
in the log is one number too, its line: 64 × position of the batch + number of the line in it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

VERSION = 4
LINES = 64  # places for the lines of a batch, more than one may have
BUSY_S = 10.0

TABLES = f"""
BEGIN;
CREATE TABLE meta (
    log TEXT NOT NULL, -- the id of the log that this is made of
    position INTEGER NOT NULL -- up to which it is
);
CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    lost_batches INTEGER NOT NULL DEFAULT 0, -- that it ever said to have dropped
    lost_measurements INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE heard ( -- numbers of its batches that came: runs, of which none touches another
    probe INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (probe, first)
) WITHOUT ROWID;
CREATE TABLE succession ( -- of keys: first as it came first, then as it was received earlier
    old BLOB NOT NULL,
    new BLOB NOT NULL,
    asn INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (old, new, asn, quarter, position)
) WITHOUT ROWID;
CREATE INDEX succession_by_position ON succession (position);
CREATE TABLE target (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE cycle (
    id INTEGER PRIMARY KEY,
    probe INTEGER NOT NULL,
    word BLOB NOT NULL,
    UNIQUE (probe, word)
);
CREATE TABLE batch (
    position INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,
    software TEXT NOT NULL,
    targets BLOB NOT NULL
);
CREATE TABLE measurement (
    target INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, -- corrected (collector/facts/start.py)
    line INTEGER NOT NULL,
    probe INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (target, started_ms, line)
) WITHOUT ROWID;
CREATE INDEX measurement_by_cycle ON measurement (cycle, target);
CREATE INDEX measurement_by_probe ON measurement (probe, started_ms);
CREATE TABLE identity (
    probe INTEGER NOT NULL,
    uid BLOB NOT NULL,
    line INTEGER NOT NULL, -- the one that counts
    PRIMARY KEY (probe, uid)
) WITHOUT ROWID;
CREATE TABLE again ( -- lines that do not count, for another one of the same key and uid does
    line INTEGER PRIMARY KEY,
    probe INTEGER NOT NULL,
    uid BLOB NOT NULL,
    noticed INTEGER NOT NULL -- the position at which there were two
);
CREATE INDEX again_by_identity ON again (probe, uid);
CREATE INDEX again_by_position ON again (noticed);
CREATE TABLE unreadable (
    position INTEGER NOT NULL,
    line INTEGER NOT NULL, -- of the batch; 0: all of it
    reason TEXT NOT NULL,
    PRIMARY KEY (position, line)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
NAMES = ("probe", "heard", "succession", "target", "cycle", "batch", "measurement", "identity", "again", "unreadable")


def connected(path: Path, log: str, latest: int) -> sqlite3.Connection:
    """A writing connection to the index of a log, in autocommit; an empty one is made where it does not fit.

    It fits when it is of this log, of this version, and not ahead of it, as after a restored backup.
    """
    try:
        connection = _opened(path)
        if _fits(connection, log, latest):
            return connection
        connection.close()
    except sqlite3.DatabaseError:  # damaged: all that it says stands in the log
        pass
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    connection = _opened(path)
    connection.executescript(TABLES)
    connection.execute("INSERT INTO meta VALUES (?, 0)", (log,))
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is made again
    return connection


def _fits(connection: sqlite3.Connection, log: str, latest: int) -> bool:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        return False
    known, position = connection.execute("SELECT log, position FROM meta").fetchone()
    return bool(known == log and position <= latest)


def reading_connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection
