"""One row of the judge's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from probe.model import State

C = TypeVar("C")


class Rule(Struct, Generic[C], frozen=True):
    """`reason` is for whoever reads the verdict, `comment` for whoever reads the table."""

    id: str
    when: Callable[[C], bool]
    state: State
    mechanism: str | None
    reason: str
    comment: str


def first_match(rules: Sequence[Rule[C]], case: C) -> Rule[C] | None:
    return next((rule for rule in rules if rule.when(case)), None)


ADD_A_CONTROL = (
    "to compare, measure the same targets from a network without interference and pass its results with --control"
)
