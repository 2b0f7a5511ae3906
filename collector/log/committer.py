"""Group commit: what many coroutines want to write goes to disk together, and each hears of it after the fsync.

One thread owns the only writing connection. It takes everything that waits, runs each piece of work inside a
savepoint of one transaction, and commits; with `synchronous=FULL` the COMMIT returns after the disk has it. Only
then are the coroutines told. One refused piece of work rolls back to its own savepoint and leaves
the others standing; a disk that refuses fails them all, and the next group begins with a fresh connection, since
nothing is promised of a connection after an I/O error.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import Struct

from collector.log import LogFull
from probe.failure import fault_text

log = logging.getLogger(__name__)

T = TypeVar("T")
Connect = Callable[[], sqlite3.Connection]
MAX_GROUP = 64


class _Pending(Struct, frozen=True):
    work: Callable[[sqlite3.Connection], Any]
    future: Future[Any]


class _Alone(Struct, frozen=True):
    """Work between two transactions, while no connection is open."""

    work: Callable[[], Any]
    future: Future[Any]


class Committer:
    """Owns a writing thread. `connect` opens the connection; it must be in autocommit (isolation_level None)."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._waiting: queue.SimpleQueue[_Pending | _Alone | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in the writing thread; returns its result once it is durable.

        Raises what `work` raises, and LogFull when the disk keeps nothing.
        """
        future: Future[T] = Future()
        self._waiting.put(_Pending(work, future))
        return await asyncio.wrap_future(future)

    async def alone(self, work: Callable[[], T]) -> T:
        """Runs `work` in the writing thread, between two transactions; the next one has a connection of its own.

        Raises what `work` raises, and LogFull when the disk keeps nothing.
        """
        future: Future[T] = Future()
        self._waiting.put(_Alone(work, future))
        return await asyncio.wrap_future(future)

    def alone_now(self, work: Callable[[], T]) -> T:
        """The same for a thread that waits."""
        future: Future[T] = Future()
        self._waiting.put(_Alone(work, future))
        return future.result()

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            if isinstance(first, _Alone):
                self._do_alone(first)
            else:
                self._write(self._group(first))
        self._disconnect()

    def _group(self, first: _Pending) -> list[_Pending]:
        """The work that waits, as far as somebody still wants it."""
        group = [first]
        while len(group) < MAX_GROUP and not self._waiting.empty():
            pending = self._waiting.get()
            if not isinstance(pending, _Pending):
                self._waiting.put(pending)
                break
            group.append(pending)
        return [pending for pending in group if pending.future.set_running_or_notify_cancel()]

    def _do_alone(self, alone: _Alone) -> None:
        self._disconnect()
        if not alone.future.set_running_or_notify_cancel():
            return
        try:
            _tell(alone.future, alone.work())
        except (sqlite3.OperationalError, OSError) as error:
            log.warning("The log cannot be written (%s): free the disk that holds the data directory.", error)
            alone.future.set_exception(LogFull(str(error)))
        except Exception as error:
            log.error("The log cannot be written.\n%s", fault_text(error))
            alone.future.set_exception(error)

    def _write(self, group: list[_Pending]) -> None:
        try:
            outcomes = self._transaction(group)
        except sqlite3.OperationalError as error:
            log.warning("The log cannot be written (%s): free the disk that holds the data directory.", error)
            self._refuse(group, LogFull(str(error)))
        except Exception as error:
            log.error("The log cannot be written.\n%s", fault_text(error))
            self._refuse(group, error)
        else:
            for pending, outcome in zip(group, outcomes, strict=True):
                _tell(pending.future, outcome)

    def _refuse(self, group: list[_Pending], error: Exception) -> None:
        self._disconnect()
        for pending in group:
            pending.future.set_exception(error)

    def _transaction(self, group: list[_Pending]) -> list[Any]:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, pending.work) for pending in group]
        connection.execute("COMMIT")
        return outcomes

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # closing rolls back what is open; a full disk may complain again
                connection.close()


def _attempt(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Any:
    """The result of `work`, or the exception with which it refused; the database's own errors are raised."""
    connection.execute("SAVEPOINT work")
    try:
        outcome = work(connection)
    except sqlite3.Error:
        raise
    except Exception as refusal:
        connection.execute("ROLLBACK TO work")
        outcome = refusal
    connection.execute("RELEASE work")
    return outcome


def _tell(future: Future[Any], outcome: Any) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
