"""A line of the report: what was seen, beside what must be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct


class Line(Struct, frozen=True, kw_only=True):
    """A line of the report. `faults` are what was seen that must not be; without any, it holds."""

    figure: str
    mark: str
    faults: list[str]


Torture = Callable[[Path, argparse.Namespace], Iterator[Line]]


def beyond(what: str, value: float, most: float, unit: str) -> list[str]:
    """The fault of a value that is greater than its mark, with by how much; none of one that is not."""
    if value <= most:
        return []
    return [f"{what}: {value:.3g} {unit}, {value / most:.2f} times the mark of {most:g} {unit}"]
