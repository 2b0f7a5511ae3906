"""The same protocols over other transports: what is compared with what, and whose refusal it is."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import EOF, RESET, TIMEOUT, UNEXPECTED_REPLY, UNEXPECTED_STATUS
from probe.judge import Evidence, judge
from probe.model import Grade, HttpFacts, Observation, Operation, State, Step, Transport
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    LINK,
    STUN,
    TLS,
    TURN,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
)


def conclusion(given: Evidence) -> tuple[str, State, str | None]:
    verdict = judge(given)
    return verdict.rule, verdict.state, verdict.mechanism


RELAY_OVER_TCP = replace(TURN, transport=Transport.TCP)


def relay_over_tcp(*observations: Observation, **fields: Any) -> Evidence:
    """A relay over TCP that works for the control."""
    target = replace(CALL, endpoints=(RELAY_OVER_TCP,))
    genuine = attempt(RELAY_OVER_TCP, seen(Step.TCP), seen(Step.TURN), grade=Grade.MARKED)
    beside = fields.pop("beside", ())
    mine = attempt(RELAY_OVER_TCP, seen(Step.TCP), *observations)
    return evidence(target, mine, *beside, controls=[control(measurement(target, genuine))], **fields)


def test_a_relay_over_tcp_that_is_cut_off() -> None:
    assert conclusion(relay_over_tcp(seen(Step.TURN, RESET), rounds=2))[1:] == (
        State.LIKELY_BLOCKED,
        "tcp.payload.reset",
    )
    silent = relay_over_tcp(seen(Step.TURN, TIMEOUT), rounds=2)
    assert conclusion(silent)[1:] == (State.LIKELY_BLOCKED, "tcp.payload.drop")


def test_a_binding_over_the_same_transport_tells_that_the_allocate_is_dropped() -> None:
    over_tcp, over_udp = (
        attempt(replace(STUN, handshake="stun-padded", transport=transport), seen(Step.STUN), grade=Grade.BOUND)
        for transport in (Transport.TCP, Transport.UDP)
    )
    answered = relay_over_tcp(seen(Step.TURN, TIMEOUT), rounds=2, beside=(over_tcp,))
    assert judge(answered).mechanism == "turn.allocate.drop"
    other = relay_over_tcp(seen(Step.TURN, TIMEOUT), rounds=2, beside=(over_udp,))
    assert judge(other).mechanism == "tcp.payload.drop"


def test_a_refusal_in_a_stream_is_the_relays_only_if_it_is_turn() -> None:
    refused = replace(seen(Step.TURN, UNEXPECTED_REPLY), operation=Operation.DECODE)
    assert judge(relay_over_tcp(refused)).mechanism == "service.refusal"
    page = seen(Step.TURN, UNEXPECTED_REPLY)
    assert conclusion(relay_over_tcp(page)) == ("payload_answered_by_another", State.IMPAIRED, None)


def web_evidence(transport: Transport, last: Observation, *before: Step, **fields: Any) -> Evidence:
    where = replace(TLS, handshake="http", transport=transport)
    target = replace(CHAT, endpoints=(where,))
    grade = Grade.TRANSPORT if transport is Transport.TCP else Grade.BOUND
    genuine = attempt(where, seen(Step.TCP), *map(seen, before), seen(last.step), grade=grade)
    mine = attempt(where, seen(Step.TCP), *map(seen, before), last)
    return evidence(target, mine, controls=[control(measurement(target, genuine))], **fields)


def test_plain_http_that_is_broken_off() -> None:
    given = web_evidence(Transport.TCP, seen(Step.HTTP, RESET), rounds=2)
    assert conclusion(given) == ("http_reset", State.LIKELY_BLOCKED, "http.reset")
    no_neutral = replace(LINK, neutrals=(neutral("tls"),))
    assert judge(web_evidence(Transport.TCP, seen(Step.HTTP, RESET), link=no_neutral)).rule == "neutral_failed"


@pytest.mark.parametrize("failure", [RESET, EOF])
def test_a_session_that_is_broken_off_accuses_nobody(failure: str) -> None:
    """A service that hangs up on a country does it when it has been asked; who cannot read has nothing to go by."""
    given = web_evidence(Transport.TLS, seen(Step.HTTP, failure), Step.TLS, rounds=2)
    assert conclusion(given) == ("session_broken_off", State.IMPAIRED, None)


def test_a_session_that_stays_silent_is_compared_with_neutral_tls() -> None:
    given = web_evidence(Transport.TLS, seen(Step.HTTP, TIMEOUT), Step.TLS, rounds=2)
    assert conclusion(given) == ("payload_dropped", State.LIKELY_BLOCKED, "tcp.payload.drop")
    only_plain = replace(LINK, neutrals=(neutral("http", port=80),))
    without = web_evidence(Transport.TLS, seen(Step.HTTP, TIMEOUT), Step.TLS, rounds=2, link=only_plain)
    assert judge(without).rule == "neutral_failed"


@pytest.mark.parametrize("step", [Step.HTTP, Step.WEBSOCKET])
def test_a_refusal_inside_a_verified_session_is_the_services_own(step: Step) -> None:
    transport = Transport.TLS if step is Step.HTTP else Transport.WSS
    given = web_evidence(transport, seen(step, UNEXPECTED_STATUS, http=HttpFacts(status=451)), Step.TLS)
    assert conclusion(given) == ("session_refusal", State.IMPAIRED, "service.refusal")


@pytest.mark.parametrize("status", [302, 403, 451])
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_refusal_in_plain_text_accuses_nobody_and_is_not_nothing(status: int, rounds: int) -> None:
    page = seen(Step.HTTP, UNEXPECTED_STATUS, http=HttpFacts(status=status))
    assert conclusion(web_evidence(Transport.TCP, page, rounds=rounds)) == ("page_refused", State.IMPAIRED, None)
