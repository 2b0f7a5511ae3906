"""Isolation: one row that fails leaves the others as they are.

What is kept was written by strangers and read by many versions of us, so wherever rows are made into something to
show, each is made alone: one that cannot be is left out, counted, and told of once.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import duckdb

from probe.failure import fault_text

RETRIED = (OSError, MemoryError, sqlite3.Error, duckdb.Error)  # it may pass by itself, and is no row's
MOST_TOLD = 100  # kinds of failure

R = TypeVar("R")
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Faults:
    """Failures that were met and left alone. `counts`: how many, by what was being made."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._told: set[str] = set()

    def each(self, what: str, make: Callable[[R], T], rows: Iterable[R]) -> Iterator[T]:
        """What is made of each row; those of which nothing can be made are left out."""
        for row in rows:
            try:
                made = make(row)
            except RETRIED:
                raise
            except Exception as error:
                self.met(what, error)
            else:
                yield made

    def met(self, what: str, error: Exception) -> None:
        """Counts a failure, and logs where it was, once and without its words: they may hold what a device saw."""
        self.counts[what] += 1
        text = fault_text(error)
        if text not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(text)
            logger.error("Of %s, one could not be made, and is left out:\n%s", what, text)
