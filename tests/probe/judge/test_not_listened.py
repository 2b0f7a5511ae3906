"""What this device did to itself is laid to nobody: not to the service, the network, a resolver, or a neutral."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.attempts import failing_addresses
from probe.failure import FAMILY_NOT_SUPPORTED, INTERRUPTED, NETWORK_DOWN, OWN, TIMEOUT, is_own
from probe.judge import judge
from probe.model import Attempt, NotAttempted, ResolverCheck, State, Step, Target
from tests.probe.judge import evidence as E

ACCUSES = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.DOWN, State.DEGRADED})
FAILURES = sorted(OWN | {"unknown_failure: OSError"})
own_failures = pytest.mark.parametrize("failure", FAILURES)


def tcp(failure: str) -> Attempt:
    return E.tcp_fails(failure)


def tls(failure: str) -> Attempt:
    return E.tls_fails(failure)


def turn(failure: str) -> Attempt:
    return E.turn_fails(failure)


paths = pytest.mark.parametrize(("target", "fails"), [(E.CHAT, tcp), (E.CHAT, tls), (E.CALL, turn)])


@own_failures
@paths
@pytest.mark.parametrize("rounds", [1, 2])
def test_an_attempt_at_which_nobody_listened(failure: str, target: Target, fails: type, rounds: int) -> None:
    verdict = judge(E.evidence(target, fails(failure), rounds=rounds))
    assert (verdict.state, verdict.rule) == (State.INSUFFICIENT, "not_listened")


@own_failures
@paths
def test_silence_is_not_repeated_by_an_interruption(failure: str, target: Target, fails: type) -> None:
    given = E.evidence(target, fails(TIMEOUT), rounds=2)
    earlier = E.measurement(target, fails(failure))
    assert judge(given).state in ACCUSES
    assert judge(replace(given, earlier=earlier)).state is State.INSUFFICIENT


@own_failures
@paths
def test_controls_that_did_not_listen_make_nothing_down(failure: str, target: Target, fails: type) -> None:
    deaf = [E.control(E.measurement(target, fails(failure), resolutions=()), number) for number in (1, 2, 3)]
    assert judge(E.evidence(target, fails(TIMEOUT), rounds=2, controls=deaf)).state is not State.DOWN


@own_failures
def test_names_that_controls_did_not_hear_of_are_not_gone(failure: str) -> None:
    asked = (E.says(failure=failure),)
    deaf = [E.control(E.measurement(E.CHAT, resolutions=asked), number) for number in (1, 2, 3)]
    denied = (E.says(failure="dns_nxdomain_error"),)
    assert judge(E.evidence(E.CHAT, resolutions=denied, controls=deaf)).state is not State.DOWN


@own_failures
@pytest.mark.parametrize("resolver", [E.ISP, E.PRIVATE])
def test_a_name_for_whose_answer_nobody_listened(failure: str, resolver: str) -> None:
    said = (E.says(failure=failure, resolver=resolver), E.says(E.HERE, resolver=E.PUBLIC))
    link = replace(E.LINK, resolvers=(ResolverCheck(resolver=resolver, truthful=True),))
    verdict = judge(E.evidence(E.CHAT, resolutions=said, rounds=2, link=link))
    assert (verdict.state, verdict.rule) == (State.INSUFFICIENT, "name_not_listened")


@own_failures
def test_a_frozen_neutral_has_not_failed(failure: str) -> None:
    """Else those on the relay's port would seem dead, and the others not."""
    neutrals = (E.neutral("stun", port=3479), E.neutral("stun", failure, port=3478))
    link = replace(E.LINK, neutrals=neutrals)
    assert judge(E.evidence(E.CALL, E.turn_fails(), rounds=2, link=link)).rule != "port_dead_for_neutrals"


def test_what_was_not_tried_by_a_fault_of_ours_is_not_tried() -> None:
    attempt = E.attempt(E.TURN, E.seen(Step.TURN, "unknown_failure: OSError"), not_attempted=NotAttempted.INTERNAL)
    verdict = judge(E.evidence(E.CALL, attempt, rounds=2))
    assert (verdict.state, verdict.rule) == (State.INSUFFICIENT, "not_attempted")


@own_failures
def test_nobody_is_asked_to_dial_where_we_did_not_listen(failure: str) -> None:
    address = "192.0.78.9"
    assert failing_addresses(E.measurement(E.CHAT, E.tcp_fails(TIMEOUT, address=address)))
    assert not failing_addresses(E.measurement(E.CHAT, E.tcp_fails(failure, address=address)))


def test_which_failures_are_our_own() -> None:
    assert all(map(is_own, (INTERRUPTED, NETWORK_DOWN, FAMILY_NOT_SUPPORTED, "unknown_failure: KeyError")))
    assert not any(map(is_own, (None, TIMEOUT, "permission_denied", "unexpected_reply", "connection_reset")))
