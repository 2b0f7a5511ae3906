"""Editions: what comes late changes what is public in steps that hide every line, and at midnights only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.facts.standing import DAY_MS
from collector.warehouse.editions import FOR_EVER_MS, Edition, Heard, editions
from collector.warehouse.privacy_floor import DELAY_MS, hides
from probe.judge import Line
from probe.model import HOUR_MS, Access, Network
from tests.probe.judge.test_sources import line

END_MS = 20_000 * DAY_MS + 13 * HOUR_MS
OVER_MS = END_MS + DELAY_MS
MIDNIGHTS = [20_001 * DAY_MS, 20_002 * DAY_MS, 20_003 * DAY_MS]
ONE, TWO, THREE = (Network(country="MA", asn=asn, operator=f"of {asn}") for asn in (1, 2, 3))
OTHER = Network(country="MA", operator="other")
STATES = ("ok", "blocked", "insufficient")


def heard(key: str, network: Network = ONE, received_ms: int = END_MS, state: str = "ok", start: int = 0) -> Heard:
    """Of a line with a source of its own."""
    said = line(state, f"of {key}")
    return Heard(network=network, key=key, order=(start, 1, key), received_ms=received_ms, line=said)


def of(network: Network, *keys: str, received_ms: int = END_MS, state: str = "ok", start: int = 0) -> list[Heard]:
    return [heard(key, network, received_ms, state, start) for key in keys]


def made(*heard: Heard) -> list[tuple[str, int, int, int]]:
    """Whose, of how many lines, from when and until when."""
    found = editions(heard, Access.ADSL, END_MS)
    return sorted((each.network.operator, len(each.lines), each.from_ms, each.until_ms) for each in found)


def public(found: Iterable[Edition], moment_ms: int) -> dict[Network, tuple[Line, ...]]:
    shown = [each for each in found if each.from_ms <= moment_ms < each.until_ms]
    assert len({each.network for each in shown}) == len(shown)
    return {each.network: each.lines for each in shown}


def test_what_is_received_within_an_hour_of_the_end_is_the_first_edition() -> None:
    assert made(*of(ONE, "a", "b"), heard("c", received_ms=OVER_MS)) == [("of 1", 3, OVER_MS, FOR_EVER_MS)]
    assert made(*of(ONE, "a", "b")) == []


@pytest.mark.parametrize("count", [1, 2])
def test_few_late_lines_change_nothing_until_they_are_enough(count: int) -> None:
    first = of(ONE, "a", "b", "c")
    late = of(ONE, *"xyz"[:count], received_ms=OVER_MS + 1)
    assert made(*first, *late) == made(*first)
    more = of(ONE, *"uvw"[: 3 - count], received_ms=MIDNIGHTS[0])
    assert made(*first, *late, *more) == [
        ("of 1", 3, OVER_MS, MIDNIGHTS[1]),
        ("of 1", 6, MIDNIGHTS[1], FOR_EVER_MS),
    ]


def test_three_late_lines_of_two_sources_are_not_enough() -> None:
    first, late = of(ONE, "a", "b", "c"), of(ONE, "x", "y", "z", received_ms=OVER_MS + 1)
    two = [*late[:2], replace(late[2], line=late[1].line)]
    assert made(*first, *late) == [("of 1", 3, OVER_MS, MIDNIGHTS[0]), ("of 1", 6, MIDNIGHTS[0], FOR_EVER_MS)]
    assert made(*first, *two) == made(*first)


def test_lines_that_say_something_else_now_are_counted_as_new_ones() -> None:
    first = of(ONE, "a", "b", "c")
    other = of(ONE, "a", "b", "c", received_ms=OVER_MS + 1, state="blocked", start=9)
    assert made(*first, *other[:2]) == made(*first)
    found = editions([*first, *other], Access.ADSL, END_MS)
    assert [[str(said.verdict.state) for said in each.lines] for each in found] == [["ok"] * 3, ["blocked"] * 3]
    earlier = of(ONE, "a", "b", "c", received_ms=OVER_MS + 1, state="blocked", start=-9)
    assert made(*first, *earlier) == made(*first), "what a line said before is not what it said last"


def test_who_was_summed_stays_so_and_who_stood_alone_stays_alone() -> None:
    """Else the sum before less the sum after would be the lines of the network that left it."""
    small = [*of(ONE, "a", "b"), *of(TWO, "c")]
    late = of(TWO, "x", "y", "z", received_ms=OVER_MS + 1)
    assert made(*small, *late) == [("other", 3, OVER_MS, MIDNIGHTS[0]), ("other", 6, MIDNIGHTS[0], FOR_EVER_MS)]
    assert made(*of(THREE, "a"), *late) == [("of 2", 3, MIDNIGHTS[0], FOR_EVER_MS)], "that was never shown"


def test_what_was_simulated_or_came_long_ago_is_in_time() -> None:
    assert made(*of(ONE, "a", "b", "c", received_ms=0)) == [("of 1", 3, OVER_MS, FOR_EVER_MS)]


arrivals = st.builds(
    heard,
    key=st.sampled_from([f"k{n:02d}" for n in range(12)]),
    network=st.sampled_from([ONE, ONE, TWO, THREE]),
    received_ms=st.sampled_from([END_MS, END_MS, OVER_MS + 1, MIDNIGHTS[0] + 1]),
    state=st.sampled_from(STATES),
    start=st.integers(0, 9),
)
worlds = st.lists(arrivals, max_size=40, unique_by=lambda one: (one.key, one.order, one.network.asn))


def _changed(before: Sequence[Line], after: Sequence[Line]) -> list[Line]:
    """Each line of `after` that is new, or says something else."""
    known = {id(said) for said in before}
    return [said for said in after if id(said) not in known]


def _hides(lines: Iterable[Line], access: Access) -> bool:
    return hides([(access, said.bucket) for said in lines])


moments = [OVER_MS, *MIDNIGHTS, MIDNIGHTS[2] + DAY_MS]


@given(worlds, st.lists(arrivals, max_size=2), st.sampled_from([Access.ADSL, Access.G4]))
def test_no_answer_before_and_after_a_late_upload_differs_by_less_than_a_cell(
    world: Sequence[Heard], late: list[Heard], access: Access
) -> None:
    """One line or two come when all else has come: of what was public nothing changes, and what is new is a cell."""
    late = [replace(one, received_ms=MIDNIGHTS[1] + 1) for one in late]
    before, after = editions(world, access, END_MS), editions([*world, *late], access, END_MS)
    for moment_ms in moments:
        shown, then = public(before, moment_ms), public(after, moment_ms)
        assert shown.keys() <= then.keys()
        assert moment_ms >= MIDNIGHTS[2] or shown == then
        for network, lines in then.items():
            if lines != shown.get(network):  # with others that were too few alone
                assert _hides(_changed(shown.get(network, ()), lines), access)


@given(worlds, st.sampled_from([Access.ADSL, Access.G4]))
def test_each_edition_differs_from_the_one_before_by_as_much_as_hides_a_line(
    world: list[Heard], access: Access
) -> None:
    found = editions(world, access, END_MS)
    cells: dict[Network, list[Edition]] = {}
    for each in found:
        cells.setdefault(each.network, []).append(each)
    for of_cell in cells.values():
        assert of_cell[-1].until_ms == FOR_EVER_MS
        for one, other in pairwise(of_cell):
            assert one.until_ms == other.from_ms in MIDNIGHTS
            assert _hides(_changed(one.lines, other.lines), access)
            assert {said.bucket for said in one.lines} <= {said.bucket for said in other.lines}
