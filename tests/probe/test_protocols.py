"""The table of handshakes: complete, without contradictions, and the only one."""

from __future__ import annotations

import pytest

from probe.grades import STRENGTH
from probe.handshakes import HANDSHAKES
from probe.model import Expect, Step, Transport
from probe.protocols import (
    ALLOCATING,
    CARRIERS,
    DATAGRAMS,
    FOLLOW_UPS,
    KINDS,
    NAMEABLE,
    NEUTRAL_PAGES,
    NEUTRALS,
    OTHER_NAME,
    PAYLOAD_STEPS,
    PROTOCOLS,
    SESSIONS,
    are_dialects,
    comparable_neutrals,
    comparable_step,
    is_secondary,
)

ROWS = pytest.mark.parametrize("name", PROTOCOLS)


def test_every_row_has_its_coroutine_and_every_coroutine_its_row() -> None:
    assert HANDSHAKES.keys() == PROTOCOLS.keys()


@ROWS
def test_a_row_contradicts_nothing(name: str) -> None:
    row = PROTOCOLS[name]
    assert row.transports
    assert set(row.expects) <= set(Expect.__struct_fields__)
    assert set(row.secondary_over) <= set(row.transports)
    assert ("keys" in row.expects) == (row.key_bytes > 0) == (row.keyed is not None)
    assert row.keyed is None or STRENGTH[row.keyed] > STRENGTH[row.best]
    assert not (row.allocates and row.step is not Step.TURN)


@ROWS
def test_steps_of_one_name_are_of_one_kind(name: str) -> None:
    """A failure is known by its step, so the step must tell which neutrals it is compared with."""
    assert KINDS[PROTOCOLS[name].step] is PROTOCOLS[name].neutral_kind


@pytest.mark.parametrize(("name", "experiment"), FOLLOW_UPS.items())
def test_an_experiment_is_dialled_where_the_failure_was(name: str, experiment: str) -> None:
    assert set(PROTOCOLS[name].transports) <= set(PROTOCOLS[experiment].transports)
    assert experiment not in ALLOCATING
    assert FOLLOW_UPS.get(experiment, name) == name


def test_what_no_targets_file_names_is_an_experiment() -> None:
    assert PROTOCOLS.keys() - NAMEABLE.keys() <= {*FOLLOW_UPS.values(), OTHER_NAME}


def test_neutrals_are_handshakes_that_a_baseline_may_have() -> None:
    named = {*SESSIONS, *DATAGRAMS}.union(*NEUTRALS.values(), *NEUTRAL_PAGES.values())
    assert named <= NAMEABLE.keys()


@ROWS
def test_every_failure_but_that_of_a_name_is_compared_with_something(name: str) -> None:
    for transport in PROTOCOLS[name].transports:
        for step in (*CARRIERS.get(transport, ()), PROTOCOLS[name].step):
            assert bool(comparable_neutrals(step, transport)) == (step is not Step.DNS), (step, transport)


@pytest.mark.parametrize(
    ("step", "transport", "neutrals"),
    [
        (Step.STUN, Transport.UDP, {"stun", "turn"}),
        (Step.TURN, Transport.TCP, {"tls"}),
        (Step.DTLS, Transport.UDP, {"stun", "turn"}),
        (Step.HELLO, Transport.UDP, {"stun", "turn"}),
        (Step.HELLO, Transport.TCP, {"tls"}),
        (Step.HELLO, Transport.WSS, {"tls"}),
        (Step.WEBSOCKET, Transport.WSS, {"tls"}),
        (Step.QUIC, Transport.UDP, {"quic"}),
        (Step.HTTP, Transport.UDP, {"quic"}),
        (Step.HTTP, Transport.TCP, {"http"}),
        (Step.HTTP, Transport.TLS, {"tls"}),
        (Step.TCP, Transport.TCP, {"tcp", "tls", "http"}),
        (Step.TCP, Transport.HTTPS, {"tcp", "tls", "http"}),
        (Step.TLS, Transport.TCP, {"tls"}),
        (Step.DNS, Transport.UDP, set()),
        (Step.UNKNOWN, Transport.UNKNOWN, set()),
    ],
)
def test_which_neutrals_a_failure_is_compared_with(step: Step, transport: Transport, neutrals: set[str]) -> None:
    assert comparable_neutrals(step, transport) == neutrals


def test_payload_steps_are_those_of_apps_protocols_over_a_connection() -> None:
    own = {Step.STUN, Step.TURN, Step.NOISE, Step.MTPROTO, Step.XMPP, Step.SIP, Step.HELLO}
    assert own | {Step.HTTP, Step.WEBSOCKET} == PAYLOAD_STEPS


def test_dialects_are_of_one_family() -> None:
    assert are_dialects("mtproto-abridged", "mtproto-obfuscated")
    assert are_dialects("noise", "noise-routed")
    others = [("noise", "noise"), ("noise", "mtproto-abridged"), ("tls", "quic"), ("noise", "odd"), ("odd", "odd")]
    assert not any(are_dialects(*pair) for pair in others)


def test_what_proves_less_is_secondary() -> None:
    assert is_secondary("stun", Transport.UDP)
    assert not is_secondary("stun", Transport.TLS)
    assert is_secondary("http", Transport.TCP)
    assert not is_secondary("http", Transport.TLS)
    assert not is_secondary("odd", Transport.UDP)


def test_packets_are_compared_with_their_like() -> None:
    assert comparable_step(Step.TCP, Transport.TCP) is Step.TCP
    assert comparable_step(Step.DNS, Transport.UDP) is Step.DNS
    assert comparable_step(Step.TURN, Transport.UDP) is Step.STUN
    assert comparable_step(Step.NOISE, Transport.TCP) is Step.TLS
