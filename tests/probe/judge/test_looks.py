"""Looks in time: what is nearest counts, and what is looked up says the same as the whole said plainly."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge import in_time
from probe.judge.in_time import CYCLE_MS, Control, FailureSpan, Look, one_of_each_cycle
from probe.judge.looks import Cycle, Looks, LooksOfOne, Window
from probe.model import Network

SPAN = FailureSpan(-1, 0)
NETWORKS = [Network(asn=asn) for asn in (1, 2, 3, 4)]
LOOKS = st.builds(Look, st.sampled_from(NETWORKS), st.integers(-60, 60), st.booleans())
WEAKER = {Control.ALIVE: 1}  # the only standing after which a line may be accused


def standing(looks: Sequence[Look]) -> Control:
    """Each of them a cycle of its own."""
    cycles = enumerate(sorted(looks, key=lambda each: each.at_ms))
    return Looks(cycles).standing(Window(-60, 60), SPAN)


@given(st.lists(LOOKS, max_size=8), LOOKS)
def test_one_more_failure_elsewhere_never_makes_a_service_more_alive(looks: list[Look], more: Look) -> None:
    before, after = (standing(each) for each in (looks, [*looks, replace(more, through=False)]))
    assert WEAKER.get(after, 0) <= WEAKER.get(before, 0)


@given(st.lists(LOOKS, min_size=1, max_size=8), st.data())
def test_a_network_that_is_not_heard_never_makes_a_service_more_alive_if_it_got_through(
    looks: list[Look], data: st.DataObject
) -> None:
    network = data.draw(st.sampled_from(looks)).by
    left = [look for look in looks if look.by != network]
    if all(look.through for look in looks if look.by == network):
        assert WEAKER.get(standing(left), 0) <= WEAKER.get(standing(looks), 0)


@given(st.lists(LOOKS, max_size=8), st.randoms(use_true_random=False))
def test_the_order_and_the_repetition_of_looks_change_nothing(looks: list[Look], chance: random.Random) -> None:
    shuffled = [*looks, *looks[:3]]
    chance.shuffle(shuffled)
    assert standing(shuffled) is standing(looks)


@given(st.lists(LOOKS, max_size=8))
def test_no_single_network_makes_it_down(looks: list[Look]) -> None:
    alone = [replace(look, by=NETWORKS[0]) for look in looks]
    assert standing(alone) is not Control.DOWN


# --- What is looked up --------------------------------------------------------------------------------------------

STEP_MS = CYCLE_MS // 2  # so that ends of windows, rounds and failures often fall together
TIMES = st.integers(-12, 12).map(lambda steps: steps * STEP_MS)
NEAR_TIMES = st.tuples(TIMES, st.sampled_from([0, 0, 1, -1])).map(sum)
ROUNDS = st.lists(
    st.tuples(st.sampled_from("xyz"), st.builds(Look, st.sampled_from(NETWORKS[:3]), NEAR_TIMES, st.booleans())),
    max_size=12,
).map(lambda rounds: sorted(rounds, key=lambda each: each[1].at_ms))
WINDOWS = st.tuples(TIMES, TIMES).map(lambda ends: Window(min(ends), max(ends)))
FAILURES = st.tuples(TIMES, st.sampled_from([0, STEP_MS, CYCLE_MS])).map(lambda at: FailureSpan(at[0] - at[1], at[0]))
PARTED = [("x", Look(NETWORKS[0], 0, False)), ("x", Look(NETWORKS[0], 1, True))]


@given(ROUNDS, WINDOWS, FAILURES)
@example(PARTED, Window(-1, 0), FailureSpan(0, 0))
@example(PARTED, Window(1, 2), FailureSpan(0, 0))
def test_what_is_looked_up_is_what_all_of_them_say(rounds: list[Cycle], window: Window, failed: FailureSpan) -> None:
    within = [(cycle, look) for cycle, look in rounds if window.since_ms <= look.at_ms <= window.until_ms]
    plain = one_of_each_cycle(within)
    looks = Looks(rounds).within(window)
    assert looks.standing(window, failed) is in_time.standing(plain, failed)
    assert {id(look) for look in looks.nearest(window, failed)} == {id(look) for look in in_time.nearest(plain, failed)}
    assert {id(look) for look in looks.since(window, failed)} == {id(look) for look in in_time.since(plain, failed)}
    assert looks.are_any(window) is bool(plain)
    for network in NETWORKS:
        own = [look for look in plain if look.by == network]
        assert LooksOfOne(own).standing(window, failed) is (in_time.standing(own, failed) if own else None)
