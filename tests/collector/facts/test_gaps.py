"""Runs of numbers, and what lies between them."""

from __future__ import annotations

import pytest

from collector.facts.gaps import MOST_MISSING, Run, joined, missing_of


@pytest.mark.parametrize(
    ("near", "run"),
    [([], (5, 5)), ([(4, 4)], (4, 5)), ([(6, 9)], (5, 9)), ([(1, 4), (6, 6)], (1, 6)), ([(2, 8)], (2, 8))],
)
def test_a_number_joins_what_lies_beside_it(near: list[Run], run: Run) -> None:
    assert joined(5, near) == run


def test_what_is_missing_has_an_end() -> None:
    assert missing_of(3, 10, 6) == 2
    assert missing_of(1, 2**53 - 1, 2) == MOST_MISSING
