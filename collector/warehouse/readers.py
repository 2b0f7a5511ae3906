"""Readers of the warehouse: each has a cursor of its own, so that none waits for another, nor for what is written.

DuckDB shows each a state that was committed. Only while the file itself is exchanged does everybody wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


class Readers:
    """Cursors of one connection, as many as read at once; they are kept for the next who reads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._free: list[duckdb.DuckDBPyConnection] = []
        self._reading, self._exchanging = 0, False
        self._changed = threading.Condition()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor, for one thread; waits while the file is exchanged."""
        with self._changed:
            self._changed.wait_for(lambda: not self._exchanging)
            cursor = self._free.pop() if self._free else self._connection.cursor()
            self._reading += 1
        try:
            yield cursor
        finally:
            with self._changed:
                self._free.append(cursor)
                self._reading -= 1
                self._changed.notify_all()

    @contextmanager
    def nobody(self) -> Iterator[None]:
        """Waits until nobody reads, and keeps it so, with every cursor closed: else DuckDB keeps the old file."""
        with self._changed:
            self._changed.wait_for(lambda: not self._exchanging)
            self._exchanging = True
            self._changed.wait_for(lambda: not self._reading)
            while self._free:
                self._free.pop().close()
        try:
            yield
        finally:
            with self._changed:
                self._exchanging = False
                self._changed.notify_all()

    def of(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Reads from another connection from now on; while nobody reads."""
        self._connection = connection
