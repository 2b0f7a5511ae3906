"""Gaps: batches whose numbers never came, and what probes themselves say that they lost.

Each key numbers its batches. A number that is missing between two that came was lost on the way, or kept away; one may
also come late, so a gap closes again. The first number of a key that is known begins it. Which came follows from the
log, and is kept in the index (collector/judging/heard.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

MOST_MISSING = 1_000  # numbers of one key; whoever leaves out more is counted with so many

Run = tuple[int, int]  # the first and the last of numbers that all came


class Missing(Struct, frozen=True):
    """What is missing of all keys: batches that never came, and what probes dropped themselves."""

    batches: int = 0
    dropped_batches: int = 0
    dropped_measurements: int = 0


def joined(number: int, near: Iterable[Run]) -> Run:
    """The run that a number makes with those that hold it or lie beside it."""
    runs = [*near, (number, number)]
    return min(first for first, _ in runs), max(last for _, last in runs)


def missing_of(first: int, last: int, came: int) -> int:
    """How many of one key's numbers between its first and its last did not come."""
    return min(last - first + 1 - came, MOST_MISSING)
