"""How paths make a target, by hand-made paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.judge.combine import WEAKEST_FIRST, combine
from probe.model import AttemptVerdict, Combine, Grade, Plane, State, Step, Target, Transport

ANY = Target(id="service/chat", plane=Plane.SIGNALLING)
ALL = replace(ANY, combine=Combine.ALL_OF)
CALL = Target(id="service/call", plane=Plane.MEDIA)
OK, BLOCKED, LIKELY = State.OK, State.BLOCKED, State.LIKELY_BLOCKED
IMPAIRED, DOWN, INSUFFICIENT = State.IMPAIRED, State.DOWN, State.INSUFFICIENT


def path(
    state: State, host: str = "a", family: int = 4, mechanism: str | None = None, transport: Transport = Transport.TCP
) -> AttemptVerdict:
    grade = Grade.BOUND if state is OK else None
    return AttemptVerdict(
        host=host,
        port=443,
        transport=transport,
        family=family,
        state=state,
        rule="rule",
        mechanism=mechanism,
        grade=grade,
        step=None if state is OK else Step.TLS,
    )


@pytest.mark.parametrize("state", [IMPAIRED, DOWN, INSUFFICIENT])
def test_one_address_that_answers_makes_its_endpoint(state: State) -> None:
    assert combine([path(state), path(OK)], ANY).state is OK


@pytest.mark.parametrize("target", [ANY, ALL])
@pytest.mark.parametrize("state", [BLOCKED, LIKELY])
def test_an_address_of_a_pool_that_is_interfered_with_keeps_partial(state: State, target: Target) -> None:
    """Every rule that accuses asked for two looks; that another address answers does not take it back."""
    combined = combine([path(OK), path(state, mechanism="ip.drop"), path(OK)], target)
    assert (combined.state, combined.mechanism, combined.step) == (State.DEGRADED, "partial", Step.TLS)


def test_families_stand_apart() -> None:
    combined = combine([path(BLOCKED, family=4, mechanism="tls.mitm"), path(OK, family=6)], ANY)
    assert (combined.state, combined.mechanism, combined.step) == (State.DEGRADED, "partial", Step.TLS)


@pytest.mark.parametrize("state", [LIKELY, IMPAIRED, DOWN, INSUFFICIENT])
def test_without_an_artefact_a_path_that_works_is_enough(state: State) -> None:
    assert combine([path(state, "a"), path(OK, "b")], ANY).state is OK


def test_all_down_is_down_and_some_down_are_left_out() -> None:
    assert combine([path(DOWN, "a"), path(DOWN, "b")], ANY).state is DOWN
    assert combine([path(DOWN, "a"), path(BLOCKED, "b")], ANY).state is BLOCKED


@pytest.mark.parametrize("follower", ["quic", "http", "tcp"])
def test_what_follows_or_proves_less_excuses_nobody(follower: str) -> None:
    leading, following = (
        replace(path(LIKELY, mechanism="tls.sni.drop"), handshake="tls"),
        replace(path(OK), handshake=follower),
    )
    combined = combine([leading, following], ANY)
    assert (combined.state, combined.mechanism) == (LIKELY, "tls.sni.drop")
    assert combine([replace(leading, state=INSUFFICIENT), following], ANY).state is INSUFFICIENT
    assert combine([following], ANY).state is OK


def test_a_follower_that_is_forged_degrades_what_leads() -> None:
    leading, following = replace(path(OK), handshake="tls"), replace(path(BLOCKED), handshake="http")
    assert combine([leading, following], ANY).state is State.DEGRADED


@given(st.lists(st.sampled_from(WEAKEST_FIRST), min_size=1, max_size=6))
def test_a_redundant_pool_says_the_least_that_can_be_said(states: list[State]) -> None:
    paths = [path(state, host=str(number)) for number, state in enumerate(states)]
    assert combine(paths, ANY).state is min(states, key=WEAKEST_FIRST.index)


def test_where_each_is_needed_one_that_is_blocked_blocks() -> None:
    assert combine([path(OK, "a"), path(BLOCKED, "b"), path(INSUFFICIENT, "c")], ALL).state is BLOCKED
    assert combine([path(OK, "a"), path(INSUFFICIENT, "c")], ALL).state is INSUFFICIENT
    assert combine([path(OK, "a"), path(DOWN, "b")], ALL).state is DOWN
    assert combine([path(OK, "a"), path(OK, "b")], ALL).state is OK


@pytest.mark.parametrize("state", [LIKELY, IMPAIRED, DOWN, INSUFFICIENT])
def test_one_family_is_enough_where_each_endpoint_is_needed(state: State) -> None:
    assert combine([path(OK), path(state, family=6)], ALL).state is OK
    assert combine([path(state), path(OK, family=6)], ALL).state is OK
    assert combine([path(BLOCKED), path(OK, family=6)], ALL).mechanism == "partial"
    assert combine([path(OK), path(state, family=6), path(state, "b")], ALL).state is state


def test_a_name_that_fails_in_one_family_takes_nothing_from_the_other() -> None:
    name = replace(path(BLOCKED, family=6), port=None, transport=Transport.UDP, step=Step.DNS)
    assert combine([path(OK), replace(name, state=INSUFFICIENT)], ALL).state is OK
    assert combine([path(OK), name], ALL).state is State.DEGRADED
    assert combine([path(OK), replace(name, host="b")], ALL).state is BLOCKED


def over_udp(state: State, rule: str = "rule", mechanism: str | None = None) -> AttemptVerdict:
    return replace(path(state, transport=Transport.UDP, mechanism=mechanism), handshake="turn", rule=rule)


@pytest.mark.parametrize("state", [IMPAIRED, INSUFFICIENT])
def test_media_that_only_a_fallback_carries_get_no_words_of_a_clean_line(state: State) -> None:
    """The sentence is about the UDP path; a chat needs none."""
    dead = over_udp(state, "port_dead_for_neutrals", "udp.port.drop")
    combined = combine([dead, path(OK)], CALL)
    assert (combined.state, combined.rule, combined.mechanism) == (state, "port_dead_for_neutrals", "udp.port.drop")
    assert combine([dead, path(OK)], ANY).state is OK
    assert combine([dead, over_udp(OK), path(OK)], CALL).state is OK
    assert combine([over_udp(DOWN), path(OK)], CALL).state is OK


def test_udp_dead_and_tcp_alive_is_a_forced_fallback() -> None:
    paths = [path(LIKELY, transport=Transport.UDP, mechanism="udp.endpoint.drop"), path(OK)]
    assert combine(paths, ANY).mechanism == "forced_fallback"


def test_what_was_not_tried_is_left_out() -> None:
    skipped = replace(path(INSUFFICIENT, family=6), rule="not_attempted")
    assert combine([path(BLOCKED), skipped], ANY).state is BLOCKED
    assert combine([skipped], ANY).rule == "not_attempted"


def test_nothing_at_all() -> None:
    assert combine([], ANY).state is INSUFFICIENT


def test_the_most_frequent_mechanism_stands_for_the_whole() -> None:
    paths = [path(BLOCKED, str(n), mechanism=m) for n, m in enumerate(["tls.mitm", "dns.forged", "dns.forged"])]
    assert combine(paths, ANY).mechanism == "dns.forged"


RELAY = replace(path(LIKELY, "r", mechanism="udp.endpoint.drop", transport=Transport.UDP), handshake="turn")
BINDING = replace(path(OK, "s", transport=Transport.UDP), handshake="stun")
FALLBACK = replace(path(OK, "r"), handshake="stun-4571")


def test_a_binding_opens_no_call_and_hides_no_dead_relay() -> None:
    combined = combine([BINDING, RELAY], ANY)
    assert (combined.state, combined.mechanism) == (LIKELY, "udp.endpoint.drop")
    assert combine([BINDING], ANY).state is OK


def test_a_binding_over_udp_does_not_hide_that_only_a_fallback_is_left() -> None:
    elsewhere = replace(path(LIKELY, "t", mechanism="tls.sni.drop"), handshake="tls")
    relay = replace(RELAY, step=Step.TURN)
    combined = combine([elsewhere, BINDING, relay, FALLBACK], ANY)
    assert (combined.state, combined.mechanism, combined.step) == (State.DEGRADED, "forced_fallback", Step.TURN)


@pytest.mark.parametrize("rule", ["not_attempted", "fact_only", "family_unusable", "uncalibrated"])
def test_what_says_nothing_of_the_service_hides_nothing(rule: str) -> None:
    assert combine([replace(path(INSUFFICIENT, "f"), rule=rule), RELAY], ANY).state is LIKELY
