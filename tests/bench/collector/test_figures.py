"""The arithmetic of the benches."""

from __future__ import annotations

import pytest

from tests.bench.collector.figures import Figure, percentile, ratio, slope


def test_a_ratio_is_of_pairs() -> None:
    assert ratio([2, 30, 8], [1, 10, 8]) == 2


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([5, 1, 3], 50) == 3
    assert percentile([5, 1, 3], 99) == 5


@pytest.mark.parametrize(("costs", "expected"), [([7, 7, 7], 0), ([1, 10, 100], 1), ([1, 100, 10_000], 2)])
def test_the_slope_is_of_logarithms(costs: list[float], expected: float) -> None:
    assert slope([10, 100, 1000], costs) == pytest.approx(expected)


def test_a_line_says_what_misses() -> None:
    assert Figure(said="0.2", mark="≥ 0.7", holds=False).line("ingest") == "MISSES  ingest: 0.2 (mark: ≥ 0.7)"
    assert Figure(said="7 ms").line("page") == "        page: 7 ms"
