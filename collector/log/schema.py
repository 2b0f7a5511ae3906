"""The tables of the SQLite log, and how its connections are set.

`batches` holds the truth, bytes as received. `measurements` is an index over their lines: which line of which batch
is measurement (key, uid), and the few columns by which the projector asks. Keys are 64 characters and stand in
three indices, so a small number stands for each (`probes`).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from probe.failure import UserError

VERSION = 1
BUSY_S = 10.0  # how long to wait for another process's lock, such as a backup's

TABLES = """
CREATE TABLE IF NOT EXISTS probes (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor: never used twice
    probe INTEGER NOT NULL,
    sealed_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    software TEXT NOT NULL,
    targets TEXT NOT NULL, -- digest of the targets file that was measured
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    operator TEXT NOT NULL,
    resolver_networks BLOB NOT NULL, -- JSON: prefix → network; of routers too
    body BLOB NOT NULL -- exactly as received
);
CREATE TABLE IF NOT EXISTS measurements (
    probe INTEGER NOT NULL,
    uid TEXT NOT NULL,
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL, -- within the inflated body; the header is line 0
    sha256 BLOB NOT NULL, -- of the line without its newline
    target TEXT NOT NULL,
    cycle TEXT NOT NULL,
    round INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, -- corrected (collector/facts/start.py)
    clock_known INTEGER NOT NULL,
    PRIMARY KEY (probe, uid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS measurements_by_batch ON measurements (batch, line);
CREATE INDEX IF NOT EXISTS measurements_by_target ON measurements (target, started_ms);
CREATE INDEX IF NOT EXISTS measurements_by_probe ON measurements (probe, started_ms);
CREATE INDEX IF NOT EXISTS measurements_by_cycle ON measurements (probe, cycle, target);
CREATE TABLE IF NOT EXISTS targets (
    digest TEXT PRIMARY KEY,
    body BLOB NOT NULL
) WITHOUT ROWID;
"""


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


def create(path: Path) -> None:
    """Makes the tables where they lack. Raises UserError when there is something else at `path`."""
    try:
        connection = writing_connection(path)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise UserError(f"The log {path} cannot be opened: {error}. Give another data directory.") from error
    if version > VERSION:
        raise UserError(f"The log {path} was written by a later Ringback (format {version}): update this one.")
