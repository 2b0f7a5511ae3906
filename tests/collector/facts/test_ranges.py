from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.ranges import Range, changes, joined, pieces

BITS = 6
END = 1 << BITS


@st.composite
def ranges(draw: st.DrawFn) -> list[Range[int]]:
    """They nest, touch, cross and repeat: there are 64 addresses."""
    ends = st.tuples(st.integers(0, END - 1), st.integers(0, END - 1)).map(sorted)
    return [(first, last, number % 3) for number, (first, last) in enumerate(draw(st.lists(ends, max_size=9)))]


def narrowest(given: list[Range[int]], address: int) -> int | None:
    """By looking at them all; of two as narrow the first."""
    holding = [each for each in given if each[0] <= address <= each[1]]
    return min(holding, key=lambda each: each[1] - each[0])[2] if holding else None


def at(found: list[tuple[int, int | None]], address: int) -> int | None:
    return found[bisect_right([begins for begins, _ in found], address) - 1][1]


@given(ranges())
def test_every_address_has_the_value_of_the_narrowest_range(given_: list[Range[int]]) -> None:
    found = list(pieces(given_, BITS, None))
    assert [at(found, address) for address in range(END)] == [narrowest(given_, address) for address in range(END)]
    begins = [each for each, _ in found]
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert begins[-1] < END


@given(ranges(), ranges())
def test_two_divisions_are_laid_over_one_another(one: list[Range[int]], other: list[Range[int]]) -> None:
    both = list(joined(pieces(one, BITS, None), pieces(other, BITS, None)))
    begins = [each for each, _ in both]
    assert begins == sorted(set(begins))
    for address in range(END):
        said = both[bisect_right(begins, address) - 1][1]
        assert said == (narrowest(one, address), narrowest(other, address))


@given(ranges())
def test_changes_say_the_same_in_fewer_pieces(given_: list[Range[int]]) -> None:
    every = list(pieces(given_, BITS, None))
    fewer = list(changes(every))
    assert [at(fewer, address) for address in range(END)] == [at(every, address) for address in range(END)]
    assert all(one[1] != next_[1] for one, next_ in pairwise(fewer))


@pytest.mark.parametrize("bits", [32, 128])
def test_the_last_address_is_one_too(bits: int) -> None:
    last = (1 << bits) - 1
    assert list(pieces([(last, last, 7)], bits, None)) == [(0, None), (last, 7)]
    assert list(pieces([(0, last, 7)], bits, None)) == [(0, 7)]
    assert list(pieces([], bits, None)) == [(0, None)]
