"""The packets to follow: what failed, as its own handshake says it first, and neutrals of the same kind."""

from __future__ import annotations

from typing import Any

import dns.message
import pytest

from probe.codecs import stun
from probe.failure import RESET, TIMEOUT, TLS_AUTHORITY
from probe.measuring.measurer import Findings, RoundResult
from probe.model import Attempt, DnsFacts, Endpoint, Expect, Grade, Resolution, Step, Target, Transport
from probe.net.vantage import LinkResolver
from probe.path.packets import Route, can_be_swept_to, first_words, neutrals_of, of_attempt, of_name
from probe.protocols import NAMEABLE
from tests.probe.builders import NOW_MS, RESOLVER, attempt, endpoint, instruments, observation, target
from tests.scripted import ScriptedDialer, run

TOOLS = instruments(ScriptedDialer())
NAME = "chat.example"


def said(handshake: str, transport: Transport, **more: Any) -> bytes:
    where = endpoint(handshake, NAME, 443, transport=transport, address="203.0.113.4", **more)

    async def ask() -> bytes:
        return await first_words(where, instruments(ScriptedDialer()))

    return run(ask())


# --- What is said first -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handshake", "transport"),
    [(name, each) for name, form in NAMEABLE.items() for each in form.transports if name != "tcp"],
)
def test_every_handshake_says_something(handshake: str, transport: Transport) -> None:
    keys = ("ab" * NAMEABLE[handshake].key_bytes,) if "keys" in NAMEABLE[handshake].expects else ()
    assert said(handshake, transport, expect=Expect(name="www.example", keys=keys))


def test_a_client_hello_names_the_service() -> None:
    for handshake, transport in (("tls", Transport.TCP), ("http", Transport.HTTPS), ("stun", Transport.TLS)):
        hello = said(handshake, transport)
        assert hello[:2] == b"\x16\x03"
        assert NAME.encode() in hello


def test_a_relay_is_asked_for_an_allocation() -> None:
    assert stun.parse(said("turn", Transport.UDP)).method == stun.Method.ALLOCATE


def test_a_bare_connection_says_nothing() -> None:
    assert said("tcp", Transport.TCP) == b""


# --- Routes -------------------------------------------------------------------------------------------------------

WEB = endpoint("tls", NAME, 443)
RELAY = endpoint("turn", "203.0.113.5")
OPENED = observation(Step.TCP)


def routes(where: Endpoint, failed: Attempt, known: Target | None = None) -> list[tuple[Step, bool]]:
    """Of each its step, and whether it carries anything."""

    async def make() -> list[Route]:
        return await of_attempt(failed, known or target("svc/chat", where), TOOLS)

    return [(each.step, bool(each.packet.payload)) for each in run(make())]


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ([observation(Step.TCP, TIMEOUT)], [(Step.TCP, False)]),
        ([OPENED, observation(Step.TLS, TIMEOUT)], [(Step.TCP, False), (Step.TLS, True)]),
        ([OPENED, observation(Step.TLS, RESET)], [(Step.TCP, False), (Step.TLS, True)]),
        ([OPENED, observation(Step.TLS, TLS_AUTHORITY)], [(Step.TCP, False)]),
        ([OPENED, observation(Step.TLS), observation(Step.HTTP, TIMEOUT)], []),  # inside a verified session
    ],
)
def test_a_connection_is_followed_to_where_it_failed(observations: Any, expected: Any) -> None:
    assert routes(WEB, attempt(WEB, *observations, address="203.0.113.4")) == expected


def test_a_relay_is_followed_by_the_request_that_it_left_unanswered() -> None:
    assert routes(RELAY, attempt(RELAY, observation(Step.TURN, TIMEOUT))) == [(Step.TURN, True)]
    binding = attempt(endpoint("stun", RELAY.host), observation(Step.STUN, TIMEOUT))
    assert routes(RELAY, binding, target("svc/call", RELAY)) == [(Step.STUN, True)]


def test_kinds_tell_what_can_be_compared() -> None:
    relay = run(of_attempt(attempt(RELAY, observation(Step.TURN, TIMEOUT)), target("svc/call", RELAY), TOOLS))[0]
    neutral = endpoint("stun", "203.0.113.9")
    beside = run(of_attempt(attempt(neutral, observation(Step.STUN)), target("baseline/stun", neutral), TOOLS))[0]
    assert relay.kind == beside.kind == (Step.STUN, 4, "")
    assert (relay.step, relay.packet.transport) == (Step.TURN, Transport.UDP)


def test_a_question_is_asked_of_the_resolver_that_answered_wrongly() -> None:
    route = of_name(NAME, "AAAA", LinkResolver(name="isp", address=RESOLVER, port=5353), TOOLS)
    question = dns.message.from_wire(route.packet.payload).question[0]
    assert (question.name.to_text(), question.rdtype) == (f"{NAME}.", 28)
    assert (route.packet.address, route.packet.port, route.kind) == (RESOLVER, 5353, (Step.DNS, 4, RESOLVER))


def test_neutrals_are_what_passed() -> None:
    resolver = LinkResolver(name="isp", address=RESOLVER)
    web, silent = endpoint("tls", "www.example", 443), endpoint("stun", "203.0.113.9")
    asked = [
        Resolution(host=host, observation=observation(Step.DNS, failure, dns=DnsFacts(resolver=name)))
        for host, failure, name in (("www.example", None, "isp"), ("b.example", TIMEOUT, "isp"), ("c", None, "world"))
    ]
    attempts = (
        attempt(web, OPENED, observation(Step.TLS), address="203.0.113.72", grade=Grade.BOUND),
        attempt(silent, observation(Step.STUN, TIMEOUT)),
    )
    findings = Findings(started_ms=NOW_MS, attempts=attempts, resolutions=tuple(asked))
    look = RoundResult(target("baseline/all", web, silent), 1, findings)
    found = run(neutrals_of(look, {("isp", 0): resolver}, TOOLS))
    assert [(each.step, each.host) for each in found] == [
        (Step.TCP, "www.example"),
        (Step.TLS, "www.example"),
        (Step.DNS, "www.example"),
    ]
    assert all(each.neutral for each in found)


def test_resolvers_in_the_home_and_independent_ones_are_not_followed_to() -> None:
    assert can_be_swept_to(LinkResolver(name="isp", address="198.51.100.53"))
    assert not can_be_swept_to(LinkResolver(name="private", address="192.168.1.1"))
    assert not can_be_swept_to(LinkResolver(name="world", address="203.0.113.53", independent=True))
