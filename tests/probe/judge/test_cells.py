"""Cells: floors, agreement, and which access a line has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge import Line, access_of, cell, judge
from probe.judge.conclusion import heard_paths
from probe.model import Access, AttemptVerdict, Cell, Depth, Link, Network, State, Step, Transport, Verdict
from tests.probe.judge.evidence import CHAT, HERE, evidence, tls_ok

VERDICT = judge(evidence(CHAT, tls_ok()))


PATHS = st.builds(
    AttemptVerdict,
    host=st.just("relay.example"),
    port=st.just(3478),
    transport=st.sampled_from([Transport.UDP, Transport.TCP]),
    family=st.just(4),
    state=st.sampled_from([State.OK, State.BLOCKED, State.IMPAIRED, State.INSUFFICIENT, State.DOWN]),
    rule=st.just("any"),
    address=st.sampled_from([None, HERE, "198.51.100.200", "203.0.113.1"]),
)
verdicts_of_lines = st.builds(
    lambda state, rule, paths: replace(VERDICT, state=state, rule=rule, paths=tuple(paths)),
    st.sampled_from([State.OK, State.BLOCKED, State.IMPAIRED, State.INSUFFICIENT]),
    st.sampled_from(["complete", "udp_dead_beyond_home"]),
    st.lists(PATHS, max_size=3),
)


def lines(verdicts: Iterable[Verdict]) -> list[Line]:
    return [Line(verdict=verdict) for verdict in verdicts]


def latest(*states: str) -> list[Line]:
    return lines(
        replace(VERDICT, state=State(state), mechanism="tls.mitm" if "blocked" in state else None) for state in states
    )


def state_of(*states: str) -> str:
    return cell("service/chat", Network(), Access.ADSL, 0, 3_600_000, latest(*states)).state


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("", "insufficient"),
        ("ok ok", "insufficient"),
        ("blocked blocked", "insufficient"),
        ("ok ok ok", "ok"),
        ("blocked blocked blocked", "blocked"),
        ("blocked blocked ok", "blocked"),
        ("blocked likely_blocked likely_blocked blocked", "likely_blocked"),
        ("blocked blocked ok ok", "mixed"),
        ("degraded blocked ok ok", "mixed"),
        ("ok ok insufficient insufficient", "insufficient"),
        ("ok ok ok insufficient insufficient insufficient", "ok"),
        ("ok impaired down", "insufficient"),
    ],
)
def test_states(states: str, expected: str) -> None:
    assert state_of(*states.split()) == expected


def test_counts() -> None:
    found = cell("service/chat", Network(), Access.ADSL, 0, 1, latest("ok", "blocked", "blocked", "insufficient"))
    assert (found.lines, found.counted, found.mechanism) == (4, 3, "tls.mitm")
    assert found.states == {"ok": 1, "blocked": 2, "insufficient": 1}


# --- A relay that answered is counter-evidence ------------------------------------------------------------------------


def call(state: str, address: str = HERE, transport: Transport = Transport.UDP, **fields: Any) -> Verdict:
    """A line to whom a relay is dropped, or, where nothing is concluded, whom it answers."""
    found = State.OK if state == "insufficient" else State(state)
    path = AttemptVerdict(
        host=address,
        port=3478,
        transport=transport,
        family=4,
        state=found,
        rule="rule",
        address=address,
        step=Step.TURN,
    )
    mechanism = "udp.endpoint.drop" if state == "likely_blocked" else None
    return replace(VERDICT, state=State(state), mechanism=mechanism, paths=(path,), **{"rule": "relay_only", **fields})


def of_calls(*verdicts: Verdict) -> Cell:
    return cell("service/call", Network(), Access.ADSL, 0, 3_600_000, lines(verdicts))


DROPPED, REACHED = call("likely_blocked"), call("insufficient")
BESIDE = call("insufficient", "198.51.100.99")  # in the same announced prefix


@pytest.mark.parametrize(
    ("dropped", "reached", "expected", "counted"),
    [
        (3, 0, "likely_blocked", 3),
        (3, 1, "likely_blocked", 4),
        (3, 3, "mixed", 6),
        (3, 17, "mixed", 20),
        (2, 2, "mixed", 4),
        (6, 3, "likely_blocked", 9),
        (1, 17, "insufficient", 18),
        (2, 1, "likely_blocked", 3),
        (0, 17, "insufficient", 0),
    ],
)
def test_a_relay_that_answers_some_defeats_a_quorum(dropped: int, reached: int, expected: str, counted: int) -> None:
    for answered in (REACHED, BESIDE):
        found = of_calls(*[DROPPED] * dropped, *[answered] * reached)
        assert (found.state, found.counted) == (expected, counted)
        assert found.answered == (reached if dropped else 0)
        assert found.lines == dropped + reached


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(call("insufficient", "203.0.113.9"), id="another prefix"),
        pytest.param(call("insufficient", transport=Transport.TCP), id="another transport"),
        pytest.param(replace(REACHED, paths=()), id="nothing answered"),
        pytest.param(replace(REACHED, state=State.OK), id="counted anyway"),
    ],
)
def test_only_the_same_address_or_prefix_over_the_same_transport_contradicts(elsewhere: Verdict) -> None:
    found = of_calls(*[DROPPED] * 3, *[elsewhere] * 3)
    assert found.answered == 0
    assert found.state == ("mixed" if elsewhere.state is State.OK else "likely_blocked")


def test_a_line_does_not_contradict_itself() -> None:
    """One relay of a pool answered it, and another one of the same prefix did not."""
    mixed = replace(REACHED, paths=(*REACHED.paths, *DROPPED.paths))
    assert of_calls(mixed).answered == 0


# --- How deep most lines get, where nothing else is concluded ---------------------------------------------------------

ANSWERED = call("insufficient", depth=Depth.RELAY_ANSWERS)
NOTHING = call("insufficient", depth=None)


@pytest.mark.parametrize(
    ("verdicts", "depth"),
    [
        ([ANSWERED] * 3, Depth.RELAY_ANSWERS),
        ([ANSWERED] * 2, None),
        ([ANSWERED] * 2 + [NOTHING], Depth.RELAY_ANSWERS),
        ([ANSWERED] * 2 + [NOTHING] * 2, None),
        ([ANSWERED] * 4 + [call("impaired")] * 2, Depth.RELAY_ANSWERS),
        ([ANSWERED] * 4 + [DROPPED] * 2, None),  # mixed
        ([DROPPED] * 3, None),
        ([], None),
    ],
)
def test_the_depth_of_a_cell_is_that_of_two_thirds_of_its_lines(verdicts: list[Verdict], depth: Depth | None) -> None:
    assert of_calls(*verdicts).depth == depth


# --- All UDP, for every service ---------------------------------------------------------------------------------------

UDP_DEAD = call("impaired", rule="udp_dead_beyond_home")
UDP_UNPLACED = replace(UDP_DEAD, rule="udp_dead")


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([UDP_DEAD] * 3, "likely_blocked"),
        ([UDP_DEAD] * 2, "insufficient"),
        ([UDP_UNPLACED] * 3, "impaired"),
        ([UDP_DEAD] * 4 + [UDP_UNPLACED] * 2, "likely_blocked"),
        ([UDP_DEAD] * 3 + [call("ok")] * 3, "insufficient"),
        ([UDP_DEAD] * 3 + [REACHED] * 9, "insufficient"),
        ([UDP_DEAD] * 3 + [call("insufficient", "203.0.113.9")] * 9, "impaired"),
        ([UDP_DEAD] * 3 + [call("insufficient", transport=Transport.TCP)] * 9, "likely_blocked"),
        ([replace(VERDICT, state=State.INSUFFICIENT)] * 9 + [UDP_DEAD] * 3, "likely_blocked"),
    ],
)
def test_three_lines_whose_udp_dies_beyond_their_homes(verdicts: list[Verdict], state: str) -> None:
    found = of_calls(*verdicts)
    assert (found.state, found.mechanism == "udp.all.drop") == (state, state == "likely_blocked")


@pytest.mark.parametrize(
    ("declared", "detected", "expected"),
    [
        ("unknown", "unknown", "unknown"),
        ("adsl", "unknown", "adsl"),
        ("adsl", "wifi", "adsl"),
        ("adsl", "ethernet", "adsl"),
        ("wifi", "wifi", "wifi"),
        ("unknown", "wifi", "wifi"),
        ("4g", "wifi", "wifi"),
        ("4g", "ethernet", "ethernet"),
        ("wifi", "ethernet", "ethernet"),
        ("wifi", "4g", "4g"),
        ("4g", "unknown", "4g"),
    ],
)
def test_access(declared: str, detected: str, expected: str) -> None:
    assert access_of(Link(up=True, declared=Access(declared), detected=Access(detected))) == expected


@given(st.lists(verdicts_of_lines, max_size=8), st.sampled_from([Access.ADSL, Access.G4]))
def test_who_keeps_only_the_paths_that_are_heard_concludes_the_same(whole: list[Verdict], access: Access) -> None:
    kept = [replace(verdict, paths=heard_paths(verdict)) for verdict in whole]
    made = [
        cell(
            "service/call", Network(), access, 0, 1, [Line(verdict=v, established=True, bucket=str(i)) for i, v in each]
        )
        for each in (enumerate(whole), enumerate(kept))
    ]
    assert made[0] == made[1]
