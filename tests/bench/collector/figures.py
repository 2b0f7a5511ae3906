"""Figures of a bench: what was seen, and the mark that it is held against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class Figure(Struct, frozen=True, kw_only=True):
    """A line of the report. `holds` is None where there is no mark, or the figure is too small a part of it to tell."""

    said: str
    mark: str = ""
    holds: bool | None = None

    def line(self, name: str) -> str:
        sign = {True: "holds ", False: "MISSES", None: "      "}[self.holds]
        return f"{sign}  {name}: {self.said}" + (f" (mark: {self.mark})" if self.mark else "")


def at_least(value: float, mark: float) -> bool:
    return value >= mark


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of values that were seen in pairs: the median of the pairs' ratios."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def percentile(values: Iterable[float], hundredths: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * hundredths // 100, len(ordered) - 1)]


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Of the line through these points, both in logarithms: 0 is no growth, 1 in proportion."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return above / sum((a - x_mean) ** 2 for a in x)
