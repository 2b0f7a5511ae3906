"""Ranges of addresses, from–to, made into pieces that do not overlap: an address has the narrowest range's value.

Addresses are numbers here. A *piece* begins where the value changes and reaches to the next; the first begins at 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

Value = TypeVar("Value", bound=Hashable)

Range = tuple[int, int, Value]  # first and last address, both within it
Piece = tuple[int, Value]
_Open = tuple[int, int, int, Value]  # how wide, which one, last address: of two as wide, the one that was given first

_at = itemgetter(0)


def pieces(ranges: Sequence[Range[Value]], bits: int, nothing: Value) -> Iterator[Piece[Value]]:
    """The pieces of all addresses of so many bits; `nothing` is the value where no range is."""
    open_: list[_Open[Value]] = []
    at = 0
    for number in sorted(range(len(ranges)), key=lambda each: ranges[each][0]):
        first, last, value = ranges[number]
        yield from _between(open_, at, first, nothing)
        at = first
        heappush(open_, (last - first, number, last, value))
    yield from _between(open_, at, 1 << bits, nothing)


def _between(open_: list[_Open[Value]], at: int, until: int, nothing: Value) -> Iterator[Piece[Value]]:
    """The pieces from `at` on; no other range begins before `until`. Takes those out that have ended."""
    while at < until:
        while open_ and open_[0][2] < at:
            heappop(open_)
        if not open_:
            yield at, nothing
            return
        yield at, open_[0][3]
        at = open_[0][2] + 1


def joined(one: Iterable[Piece[Value]], other: Iterable[Piece[Value]]) -> Iterator[Piece[tuple[Value, Value]]]:
    """Two divisions of the same addresses, laid over one another."""
    found: dict[int, Value] = {}
    begins = merge(((at, 0, value) for at, value in one), ((at, 1, value) for at, value in other), key=_at)
    for at, changed in groupby(begins, key=_at):
        found.update((which, value) for _, which, value in changed)
        yield at, (found[0], found[1])


def changes(found: Iterable[Piece[Value]]) -> Iterator[Piece[Value]]:
    """Only the pieces that say something else than the one before."""
    for _, alike in groupby(found, key=itemgetter(1)):
        yield next(alike)
