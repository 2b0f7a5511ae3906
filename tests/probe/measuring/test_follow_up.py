"""The second round asks silent relays for a Binding too, strangers for a certificate, and nothing twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.cycle import needs_second_round
from probe.failure import EOF, RESET, TIMEOUT, TLS_AUTHORITY
from probe.measuring.follow_up import led_astray, second_round
from probe.measuring.measurer import Findings
from probe.model import Attempt, Endpoint, Expect, Grade, Step, Transport, Via
from tests.probe.judge.evidence import CALL, CHAT, FORGED, HERE, HOST, STUN, TLS, TURN, attempt, seen, tls_ok


def test_a_relay_gets_its_binding() -> None:
    assert second_round(CALL).endpoints == (TURN, replace(STUN, handshake="stun-padded"))


def test_a_binding_is_asked_over_the_relays_own_transport_and_in_its_framing() -> None:
    relay = replace(TURN, transport=Transport.TLS, handshake="turn-4571", ca="own")
    (_, binding) = second_round(replace(CALL, endpoints=(relay,))).endpoints
    assert binding == replace(relay, handshake="stun-padded-4571", expect=Expect())


def test_our_own_sip_server_gets_its_twin() -> None:
    echo = replace(TURN, handshake="sip-echo", expect=Expect())
    target = replace(CHAT, endpoints=(echo,))
    assert second_round(target).endpoints == (echo, replace(echo, handshake="sip-twin"))


def test_a_server_that_is_silent_to_quic_is_asked_with_another_name() -> None:
    quic = replace(TLS, transport=Transport.UDP, handshake="quic")
    target = replace(CHAT, endpoints=(TLS, quic))
    assert second_round(target).endpoints == (TLS, quic, replace(quic, handshake="quic-other-name"))


NOISE = replace(TLS, port=5222, handshake="noise")
MESSAGES = replace(CHAT, endpoints=(NOISE,))


def noise(address: str, via: Via, failure: str | None = None) -> Attempt:
    grade = None if failure else Grade.CRYPTO
    return attempt(NOISE, seen(Step.TCP), seen(Step.NOISE, failure), address=address, via=via, grade=grade)


def found(*attempts: Attempt) -> Findings:
    return Findings(started_ms=0, attempts=attempts)


def test_where_only_another_resolver_led_to_the_service_a_certificate_is_asked_for() -> None:
    findings = found(noise(FORGED, Via.SYSTEM, EOF), noise(HERE, Via.INDEPENDENT))
    certificate = Endpoint(host=HOST, port=443, transport=Transport.TCP, handshake="tls")
    assert second_round(MESSAGES, findings).endpoints == (NOISE, certificate)
    assert needs_second_round(MESSAGES, findings)


@pytest.mark.parametrize(
    "attempts",
    [
        (noise(FORGED, Via.SYSTEM, EOF), noise(HERE, Via.INDEPENDENT, EOF)),
        (noise(FORGED, Via.SYSTEM), noise(HERE, Via.INDEPENDENT)),
        (noise(FORGED, Via.SYSTEM, EOF), noise(HERE, Via.ALSO)),
        (noise(HERE, Via.INDEPENDENT),),
    ],
    ids=["met nowhere", "met by its own resolver", "met where others failed", "led nowhere"],
)
def test_otherwise_none_is(attempts: tuple[Attempt, ...]) -> None:
    assert second_round(MESSAGES, found(*attempts)) == MESSAGES


def test_what_shows_a_certificate_by_itself_needs_no_experiment() -> None:
    missed = attempt(TLS, seen(Step.TCP), seen(Step.TLS, TLS_AUTHORITY), address=FORGED, via=Via.SYSTEM)
    findings = found(missed, tls_ok(via=Via.INDEPENDENT))
    assert second_round(CHAT, findings) == CHAT
    over_tls = replace(NOISE, transport=Transport.WSS)
    assert led_astray(replace(CHAT, endpoints=(over_tls,)), findings) == []


def test_nothing_is_asked_twice() -> None:
    assert second_round(CHAT) == CHAT
    assert second_round(second_round(CALL)) == second_round(CALL)


# --- Another name, where TLS failed -------------------------------------------------------------------------------

XMPP = replace(TLS, port=5223, transport=Transport.TLS, handshake="xmpp")
WSS = replace(TLS, transport=Transport.WSS, handshake="noise", expect=Expect(path="/ws"))
PUSH = replace(TLS, port=5228, expect=Expect(alpn="apns"))


def broken(where: Endpoint, failure: str = RESET, step: Step = Step.TLS) -> Attempt:
    return attempt(where, seen(Step.TCP), seen(step, failure))


@pytest.mark.parametrize(("where", "alpn"), [(TLS, None), (PUSH, "apns"), (XMPP, "xmpp-client"), (WSS, "http/1.1")])
@pytest.mark.parametrize("failure", [RESET, EOF, TIMEOUT])
def test_what_broke_off_in_tls_is_asked_with_another_name(where: Endpoint, alpn: str | None, failure: str) -> None:
    """The hello differs in the name alone: it asks for the same application protocol."""
    target = replace(CHAT, endpoints=(where,))
    (_, other) = second_round(target, found(broken(where, failure))).endpoints
    assert other == replace(where, handshake="tls-other-name", expect=Expect(alpn=alpn))


@pytest.mark.parametrize(
    ("where", "attempts"),
    [
        (TLS, (tls_ok(),)),
        (TLS, (broken(TLS, TLS_AUTHORITY),)),
        (TLS, (attempt(TLS, seen(Step.TCP, TIMEOUT)),)),
        (XMPP, (attempt(XMPP, seen(Step.TCP), seen(Step.TLS), seen(Step.XMPP, RESET)),)),
        (replace(TLS, host=HERE), (broken(replace(TLS, host=HERE)),)),
    ],
    ids=["it passed", "it was a stranger's", "no connection opened", "it failed later", "no name was said"],
)
def test_otherwise_no_other_name_is_asked_for(where: Endpoint, attempts: tuple[Attempt, ...]) -> None:
    target = replace(CHAT, endpoints=(where,))
    assert second_round(target, found(*attempts)) == target
