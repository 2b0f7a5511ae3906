"""The second round asks silent relays for a Binding too, and nothing that the target has already."""

from __future__ import annotations

from msgspec.structs import replace

from probe.diagnosis import second_look
from probe.model import Expect, Transport
from tests.probe.judge.evidence import CALL, CHAT, STUN, TLS, TURN


def test_a_relay_gets_its_binding() -> None:
    assert second_look(CALL).endpoints == (TURN, replace(STUN))


def test_a_binding_is_asked_over_the_relays_own_transport_and_in_its_framing() -> None:
    relay = replace(TURN, transport=Transport.TLS, handshake="turn-4571", ca="own")
    (_, binding) = second_look(replace(CALL, endpoints=(relay,))).endpoints
    assert binding == replace(relay, handshake="stun-4571", expect=Expect())


def test_our_own_sip_server_gets_its_twin() -> None:
    echo = replace(TURN, handshake="sip-echo", expect=Expect())
    target = replace(CHAT, endpoints=(echo,))
    assert second_look(target).endpoints == (echo, replace(echo, handshake="sip-twin"))


def test_a_server_that_is_silent_to_quic_is_asked_with_another_name() -> None:
    quic = replace(TLS, transport=Transport.UDP, handshake="quic")
    target = replace(CHAT, endpoints=(TLS, quic))
    assert second_look(target).endpoints == (TLS, quic, replace(quic, handshake="quic-other-name"))


def test_nothing_is_asked_twice() -> None:
    assert second_look(CHAT) == CHAT
    assert second_look(second_look(CALL)) == second_look(CALL)
