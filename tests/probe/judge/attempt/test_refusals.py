"""A service's own no, protocol by protocol: an answer at lines, and at controls neither alive nor down."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from msgspec.structs import replace

from probe.codecs import mtproto
from probe.failure import EOF, HTTP_FAILED, RESET, TIMEOUT, TLS_FAILED, UNEXPECTED_REPLY, UNEXPECTED_STATUS
from probe.judge import judge
from probe.judge.refusals import is_refused
from probe.model import (
    Attempt,
    Endpoint,
    Grade,
    HttpFacts,
    MtprotoFacts,
    Observation,
    Operation,
    Plane,
    QuicFacts,
    SipFacts,
    State,
    Step,
    StunFacts,
    Target,
    TlsFacts,
    Transport,
    Via,
    XmppFacts,
)
from probe.protocols import CARRIERS
from tests.probe.builders import endpoint, scripted_shake
from tests.probe.judge.evidence import HERE, LINK, NEUTRALS, control, evidence, measurement, neutral, seen
from tests.scripted import ScriptedDialer, Tcp

ACCUSES = {State.BLOCKED, State.LIKELY_BLOCKED}
DECODED = {"operation": Operation.DECODE}
ALERT = {"tls": TlsFacts(alert="tlsv1 alert access denied")}
REFUSALS = [
    ("mtproto-abridged", Transport.TCP, Step.MTPROTO, UNEXPECTED_REPLY, {"mtproto": MtprotoFacts(refused=-429)}),
    ("mtproto-obfuscated", Transport.TCP, Step.MTPROTO, UNEXPECTED_REPLY, {"mtproto": MtprotoFacts(refused=-404)}),
    ("xmpp", Transport.TCP, Step.XMPP, UNEXPECTED_REPLY, {"xmpp": XmppFacts(error="see-other-host")}),
    ("xmpp", Transport.TLS, Step.XMPP, UNEXPECTED_REPLY, {"xmpp": XmppFacts(error="host-unknown")}),
    ("turn", Transport.UDP, Step.TURN, UNEXPECTED_REPLY, {"stun": StunFacts(error_code=400)}),
    ("turn", Transport.TCP, Step.TURN, UNEXPECTED_REPLY, {"stun": StunFacts(error_code=438)}),
    ("msturn", Transport.UDP, Step.TURN, UNEXPECTED_REPLY, {"stun": StunFacts(error_code=300)}),
    ("sip-register", Transport.TCP, Step.SIP, UNEXPECTED_REPLY, {"sip": SipFacts(status=503)}),
    ("quic", Transport.UDP, Step.QUIC, UNEXPECTED_REPLY, {"quic": QuicFacts(close_code=2)}),
    ("quic", Transport.UDP, Step.QUIC, TLS_FAILED, {"quic": QuicFacts(close_code=0x178)}),
    ("quic", Transport.UDP, Step.HTTP, UNEXPECTED_STATUS, {"http": HttpFacts(status=403)}),
    ("quic", Transport.UDP, Step.HTTP, HTTP_FAILED, {}),
    ("dtls", Transport.UDP, Step.DTLS, TLS_FAILED, ALERT),
    ("tls", Transport.TCP, Step.TLS, TLS_FAILED, ALERT),
    ("http", Transport.TLS, Step.HTTP, UNEXPECTED_STATUS, {"http": HttpFacts(status=451)}),
    ("noise", Transport.WSS, Step.WEBSOCKET, UNEXPECTED_STATUS, {"http": HttpFacts(status=403)}),
    ("discord", Transport.WSS, Step.HELLO, UNEXPECTED_REPLY, {}),
]
STEADY = replace(LINK, neutrals=(*NEUTRALS, replace(neutral("quic"), transport=Transport.UDP)))
NAMES = [f"{name} over {transport}: {step}" for name, transport, step, *_ in REFUSALS]


def ended(where: Endpoint, last: Observation, grade: Grade | None = None) -> Attempt:
    before = [step for step in CARRIERS.get(where.transport, ()) if step is not last.step]
    if where.handshake == "quic" and last.step is Step.HTTP:
        before = [Step.QUIC]
    if last.step is Step.WEBSOCKET:
        before = [Step.TCP, Step.TLS]
    return Attempt(
        host=where.host, port=where.port, transport=where.transport, handshake=where.handshake, address=where.host,
        via=Via.LITERAL, grade=grade, observations=(*map(seen, before), last),
    )  # fmt: skip


def case(name: str, transport: Transport, step: Step, failure: str, facts: dict[str, Any]) -> tuple[Target, Attempt]:
    where = Endpoint(host=HERE, port=5000, transport=transport, handshake=name)
    target = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(where,))
    return target, ended(where, seen(step, failure, **facts))


@pytest.mark.parametrize("refusal", REFUSALS, ids=NAMES)
@pytest.mark.parametrize("rounds", [1, 2])
def test_at_a_line_it_is_the_services_refusal(refusal: Any, rounds: int) -> None:
    target, refused = case(*refusal)
    well = ended(target.endpoints[0], seen(Step.HELLO), Grade.CRYPTO)
    controls = [control(measurement(target, well), number) for number in (1, 2)]
    verdict = judge(evidence(target, refused, rounds=rounds, controls=controls, link=STEADY))
    assert (verdict.state, verdict.mechanism) == (State.IMPAIRED, "service.refusal")


@pytest.mark.parametrize("refusal", REFUSALS, ids=NAMES)
def test_at_controls_it_is_no_failure(refusal: Any) -> None:
    """It answered them: where this line gets nothing at all, the service is not down."""
    target, refused = case(*refusal)
    assert is_refused(refused)
    where = target.endpoints[0]
    silent = ended(where, seen(refused.observations[0].step, TIMEOUT))
    busy = [control(measurement(target, refused), number) for number in (1, 2)]
    verdict = judge(evidence(target, silent, rounds=2, controls=busy, link=STEADY))
    assert verdict.state is State.INSUFFICIENT
    alive = control(measurement(target, ended(where, seen(Step.HELLO), Grade.CRYPTO)), 3)
    assert judge(evidence(target, silent, rounds=2, controls=[*busy, alive], link=STEADY)).rule != "controls_disagree"


NO_REFUSALS = [
    ("mtproto-abridged", Transport.TCP, Step.MTPROTO, UNEXPECTED_REPLY, {}),
    ("mtproto-abridged", Transport.TCP, Step.MTPROTO, TIMEOUT, {"mtproto": MtprotoFacts(refused=-429)}),
    ("xmpp", Transport.TCP, Step.XMPP, UNEXPECTED_REPLY, {"xmpp": XmppFacts()}),
    ("turn", Transport.TCP, Step.TURN, UNEXPECTED_REPLY, {"stun": StunFacts()}),
    ("turn", Transport.UDP, Step.TURN, TIMEOUT, {"stun": StunFacts(sends=7)}),
    ("quic", Transport.UDP, Step.QUIC, TIMEOUT, {"quic": QuicFacts(initial=True)}),
    ("tls", Transport.TCP, Step.TLS, RESET, {}),
    ("tls", Transport.TCP, Step.TLS, TLS_FAILED, {"tls": TlsFacts()}),
    ("http", Transport.TCP, Step.HTTP, UNEXPECTED_STATUS, {"http": HttpFacts(status=451)}),
    ("http", Transport.TLS, Step.TLS, UNEXPECTED_REPLY, {}),
    ("noise", Transport.TCP, Step.NOISE, UNEXPECTED_REPLY, {"http": HttpFacts(status=403)}),
    ("noise", Transport.WSS, Step.NOISE, EOF, {}),
]


@pytest.mark.parametrize("other", NO_REFUSALS)
def test_what_is_no_refusal(other: Any) -> None:
    _, attempt = case(*other)
    assert not is_refused(attempt)


def test_telegrams_own_flood_error_is_telegrams() -> None:
    """teleproxy/teleproxy#7, Telegram-Server#8: its transport says -429 to whoever comes too often."""
    where = endpoint("mtproto-intermediate", host="203.0.113.9", port=443)
    said = mtproto.pack_intermediate(struct.pack("<i", -429))
    out = scripted_shake(ScriptedDialer({("tcp", where.host, 443): Tcp(always=[said])}), where)
    target = Target(id="telegram/chat", plane=Plane.SIGNALLING, endpoints=(where,))

    def attempt(*observations: Observation, **more: Any) -> Attempt:
        return Attempt(
            host=where.host, port=443, transport=where.transport, handshake=where.handshake, address=where.host,
            via=Via.LITERAL, observations=observations, **more,
        )  # fmt: skip

    refused = attempt(*out.observations)
    well = control(measurement(target, attempt(seen(Step.TCP), seen(Step.MTPROTO), grade=Grade.BOUND)))
    assert judge(evidence(target, refused, rounds=2, controls=(well,))).mechanism == "service.refusal"
    busy = [control(measurement(target, refused), number) for number in (1, 2)]
    silent = attempt(seen(Step.TCP), seen(Step.MTPROTO, TIMEOUT))
    assert judge(evidence(target, silent, rounds=2, controls=busy)).state not in ACCUSES | {State.DOWN}
    unconnected = attempt(seen(Step.TCP, TIMEOUT))
    assert judge(evidence(target, unconnected, rounds=2, controls=busy)).state is not State.DOWN  # it answered them
