"""Properties of the judge, for any evidence: what explains a failure innocently never accuses, whenever it comes.

A failing control is an innocent explanation, so that one more of it never makes an accusation stronger; what an
accusation rests on (a control that got through, a neighbour, a prefix that is reached, a round, a neutral that passed)
never makes it stronger by going away. Order and repetition change nothing.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import HOST_UNREACHABLE, REFUSED, RESET, TIMEOUT, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.judge.evidence import Neighbours
from probe.model import Attempt, ControlMeasurement, Grade, Link, ReplyKind, State, Step, Sweep, Target, Void
from tests.probe.judge.attempt.test_routing import ALONE, DEATHS
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    HERE,
    LINK,
    STUN,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
    turn_ok,
)

STRENGTH = {State.BLOCKED: 3, State.LIKELY_BLOCKED: 2, State.DEGRADED: 1}
NOW_MS, MINUTE_MS = 1_000_000_000_000, 60_000
MOSTLY = st.sampled_from([True, True, True, False])  # so that a good part of all lines is accused
NEXT_DOOR = frozenset({"198.51.100.77"})
CHATS = [tcp_fails(TIMEOUT), tcp_fails(REFUSED), tcp_fails(HOST_UNREACHABLE), tls_fails(TIMEOUT), tls_fails(RESET)]
CHATS += [tls_fails(TLS_AUTHORITY, leaf="cc" * 32), tls_ok()]
BINDING = attempt(STUN, seen(Step.STUN), grade=Grade.BOUND)
FAILING = {CHAT.id: tcp_fails(TIMEOUT), CALL.id: turn_fails()}
PASSING = {CHAT.id: tls_ok(), CALL.id: turn_ok()}
SWEEPS: dict[str, list[tuple[Sweep, ...]]] = {
    CHAT.id: [(), *(tuple(each.values[2]) for each in DEATHS if each.values[0] is CHAT)],
    CALL.id: [(), *(tuple(each.values[2]) for each in DEATHS if each.values[0] is CALL)],
}


def cycle_of(target: Target, minute: int, through: bool, number: int) -> ControlMeasurement:
    what = PASSING[target.id] if through else FAILING[target.id]
    when = {"started_ms": NOW_MS + minute * MINUTE_MS, "cycle": f"{number}{minute % 1000:031x}"}
    return control(measurement(target, what, **when), number)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    """A line that fails in some way, or does not, with some of what could accuse and some of what could not."""
    target = draw(st.sampled_from([CHAT, CALL]))
    tried = (
        (draw(st.sampled_from(CHATS)),)
        if target is CHAT
        else (draw(st.sampled_from([*[turn_fails()] * 3, turn_ok()])),)
    )
    if target is CALL and not draw(MOSTLY):
        tried = (*tried, BINDING)
    cycles = draw(st.lists(st.tuples(st.integers(-59, 59), MOSTLY, st.integers(1, 4)), max_size=5))
    given_ = evidence(
        target,
        *tried,
        rounds=2 if draw(MOSTLY) else 1,
        controls=[cycle_of(target, *each) for each in cycles],
        **ALONE
        | {
            "neighbours": {
                HERE: Neighbours(reached=2 if draw(MOSTLY) else draw(st.integers(0, 1)), failed=draw(st.integers(0, 2)))
            },
            "reached": NEXT_DOOR if draw(MOSTLY) else frozenset(),
        },
    )
    sweeps = draw(st.sampled_from(SWEEPS[target.id]))
    return replace(given_, measurement=replace(given_.measurement, sweeps=sweeps))


def strength(given_: Evidence) -> int:
    return STRENGTH.get(judge(given_).state, 0)


@given(evidences(), st.integers(-59, 59), st.integers(1, 4))
def test_one_more_failing_control_never_makes_it_stronger(given_: Evidence, minute: int, number: int) -> None:
    assert given_.target is not None
    late = cycle_of(given_.target, minute, False, number)
    assert strength(replace(given_, controls=(*given_.controls, late))) <= strength(given_)


@given(evidences(), st.data())
def test_what_an_accusation_rests_on_never_makes_it_stronger_by_going_away(
    given_: Evidence, data: st.DataObject
) -> None:
    networks = sorted({each.network.asn for each in given_.controls if _is_through(each)})
    alike = {asn: {_is_through(each) for each in given_.controls if each.network.asn == asn} for asn in networks}
    gone = data.draw(st.sampled_from([0, *(asn for asn in networks if alike[asn] == {True})]))
    weaker = [
        replace(given_, controls=tuple(each for each in given_.controls if each.network.asn != gone)),
        replace(given_, neighbours={}),
        replace(given_, reached=frozenset()),
        replace(given_, earlier=None),
        replace(given_, measurement=replace(given_.measurement, sweeps=())),
        replace(given_, measurement=replace(given_.measurement, link=replace(given_.measurement.link, neutrals=()))),
    ]
    assert all(strength(each) <= strength(given_) for each in weaker)


def _is_through(control_: ControlMeasurement) -> bool:
    return any(each.grade for each in control_.measurement.attempts)


INNOCENT: list[Any] = [
    lambda given_: replace(given_, clock_known=False),
    lambda given_: replace(given_, target=None),
    lambda given_: _linked(given_, void=Void.PORTAL),
    lambda given_: _linked(given_, void=Void.VPN),
    lambda given_: _linked(given_, void=Void.CHANGED),
    lambda given_: _linked(given_, up=False),
    lambda given_: _linked(given_, neutrals=tuple(replace(each, failure=RESET) for each in LINK.neutrals)),
    lambda given_: _linked(given_, neutrals=(neutral("tls", TLS_AUTHORITY), *LINK.neutrals)),
    lambda given_: _beside(given_, PASSING[given_.target.id]),
    lambda given_: replace(given_, controls=tuple(_failing(each) for each in given_.controls)),
]


def _linked(given_: Evidence, **changes: Any) -> Evidence:
    link: Link = replace(given_.measurement.link, **changes)
    return replace(given_, measurement=replace(given_.measurement, link=link))


def _beside(given_: Evidence, passed: Attempt) -> Evidence:
    """Another address of the pool answers."""
    another = replace(passed, address="198.51.100.55")
    return replace(given_, measurement=replace(given_.measurement, attempts=(*given_.measurement.attempts, another)))


def _failing(control_: ControlMeasurement) -> ControlMeasurement:
    failed = FAILING[control_.measurement.target]
    return replace(control_, measurement=replace(control_.measurement, attempts=(failed,)))


@given(evidences(), st.sampled_from(INNOCENT))
def test_an_innocent_explanation_never_accuses(given_: Evidence, innocent: Any) -> None:
    """Nor does another address that works: what was blocked before is at most partial then."""
    explained = innocent(given_)
    if given_.target is CALL and explained.measurement.attempts != given_.measurement.attempts:
        assert judge(explained).state not in (State.BLOCKED, State.LIKELY_BLOCKED)
    else:
        assert strength(explained) <= max(strength(given_), STRENGTH[State.DEGRADED])


@given(evidences(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(given_: Evidence, chance: random.Random) -> None:
    controls = [*given_.controls, *given_.controls[:2]]
    sweeps = list(given_.measurement.sweeps)
    chance.shuffle(controls)
    chance.shuffle(sweeps)
    shuffled = replace(given_, controls=tuple(controls), measurement=replace(given_.measurement, sweeps=tuple(sweeps)))
    assert judge(shuffled) == judge(given_)


@given(evidences())
def test_one_look_and_one_line_accuse_nobody_but_by_an_artefact(given_: Evidence) -> None:
    """Whatever else is known: nothing was compared that changed one thing."""
    once = replace(given_, earlier=None, measurement=replace(given_.measurement, round=1))
    assert judge(once).state is not State.LIKELY_BLOCKED
    bare = replace(given_, neighbours={}, measurement=replace(given_.measurement, sweeps=()))
    assert judge(bare).state is not State.LIKELY_BLOCKED or BINDING in given_.measurement.attempts


def test_the_sweeps_are_some() -> None:
    """Else the properties say nothing of them."""
    kinds = {hop.came for every in SWEEPS.values() for sweeps in every for sweep in sweeps for hop in sweep.hops}
    assert {ReplyKind.EXCEEDED, ReplyKind.SILENCE, ReplyKind.ANSWER} <= kinds
