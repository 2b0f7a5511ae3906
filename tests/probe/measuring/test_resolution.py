"""Independent resolvers are asked in TLS about names that may have been forged, once each, until one is heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from probe.cycle import needs_second_round
from probe.failure import TIMEOUT
from probe.handshakes.trace import Instruments
from probe.judge import Evidence, judge
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.byte_budget import ByteBudget
from probe.measuring.measurer import Findings, Measurer
from probe.measuring.resolution import may_be_forged
from probe.model import (
    Attempt,
    DnsFacts,
    Grade,
    Link,
    Network,
    Neutral,
    Resolution,
    ResolverCheck,
    State,
    Step,
    Target,
    Transport,
    Via,
)
from probe.net.vantage import LinkResolver
from probe.secure.trust import Trust
from tests.probe.builders import (
    RESOLVER,
    attempt,
    dns_reply,
    endpoint,
    framed,
    instruments,
    measurement,
    observation,
    target,
)
from tests.scripted import Key, ScriptedDialer, Tcp, Udp, run
from tests.servers.certificates import Authority
from tests.servers.tls_peer import TlsPeer

PUBLIC, FORGER = Authority.create("Public root"), Authority.create("A censor")
LEAF = PUBLIC.leaf("dns.example")
WORLD = "203.0.113.54"
IN_TLS = LinkResolver(
    name="world", address=WORLD, port=853, independent=True, transport=Transport.TLS, server_name="dns.example"
)
RESOLVERS = [
    LinkResolver(name="isp", address=RESOLVER, prefix="203.0.0.0/16"),
    LinkResolver(name="world", address=WORLD, independent=True),
    IN_TLS,
]
LIE, TRUE = "192.0.2.66", "192.0.2.10"
CHAT = target("svc/chat", endpoint("tcp", "chat.example", 443), endpoint("tcp", "chat.example", 5222))


class Server:
    """A resolver on TLS: a session of its own for each connection, which begins with a ClientHello."""

    def __init__(self, *addresses: str) -> None:
        self.connections = 0
        self._addresses = addresses
        self._session: TlsPeer | None = None

    def __call__(self, data: bytes) -> bytes:
        if data.startswith(b"\x16\x03\x01"):
            self.connections += 1
            self._session = TlsPeer(LEAF, framed(dns_reply(*self._addresses)), b"dot")
        assert self._session is not None
        return self._session(data)


def network(server: Server | None, *, plain: str, accepts: str) -> ScriptedDialer:
    """Every plain resolver gives the same address, as where DNS is intercepted."""
    scripts: dict[Key, Udp] = {("udp", each, 53): Udp(always=[dns_reply(plain)]) for each in (RESOLVER, WORLD)}
    if server is not None:
        scripts["tcp", WORLD, 853] = Tcp(always=[server])
    refused = Tcp(refuses=ConnectionRefusedError(111, "x"))
    for port in (443, 5222):
        scripts |= {("tcp", LIE, port): refused, ("tcp", TRUE, port): refused, ("tcp", accepts, port): Tcp()}
    return ScriptedDialer(scripts)


def tools_of(dialer: ScriptedDialer) -> Instruments:
    wall_ms = int(datetime.now(UTC).timestamp() * 1000)
    return instruments(dialer, trust=Trust(PUBLIC.pem, {}), wall_ms=lambda: wall_ms)


def measured(
    dialer: ScriptedDialer, what: Target = CHAT, resolvers: Sequence[LinkResolver] = RESOLVERS,
    byte_budget: ByteBudget | None = None,
) -> Findings:  # fmt: skip
    async def work() -> Findings:
        return await Measurer(tools_of(dialer), resolvers, frozenset({4}), AllocateBudget(), byte_budget).measure(what)

    found = run(work())
    assert dialer.still_open == []
    return found


def said(found: Findings) -> list[tuple[str, Transport, tuple[str, ...]]]:
    facts = [each.observation.dns for each in found.resolutions if each.observation.dns]
    return [(each.resolver, each.transport, each.answers) for each in facts]


def test_a_name_that_led_nowhere_is_asked_for_in_tls_once() -> None:
    server = Server(TRUE)
    found = measured(network(server, plain=LIE, accepts=TRUE))
    assert said(found) == [
        ("isp", Transport.UDP, (LIE,)),
        ("world", Transport.UDP, (LIE,)),
        ("world", Transport.TLS, (TRUE,)),
    ]
    assert [(each.port, each.address, each.via, each.grade) for each in found.attempts] == [
        (443, LIE, Via.SYSTEM, None),
        (443, TRUE, Via.INDEPENDENT, Grade.TRANSPORT),
        (5222, LIE, Via.SYSTEM, None),
        (5222, TRUE, Via.INDEPENDENT, Grade.TRANSPORT),
    ]
    assert server.connections == 1
    assert {each.step for each in (resolution.observation for resolution in found.resolutions)} == {Step.DNS}


def test_and_not_where_it_led_somewhere() -> None:
    server = Server(TRUE)
    found = measured(network(server, plain=TRUE, accepts=TRUE))
    assert [transport for _, transport, _ in said(found)] == [Transport.UDP] * 2
    assert server.connections == 0


def test_a_resolver_that_cannot_be_asked_in_tls_costs_nothing_else() -> None:
    found = measured(network(None, plain=LIE, accepts=TRUE))
    *_, last = found.resolutions
    assert (last.observation.failure, last.observation.dns and last.observation.dns.transport) == (TIMEOUT, "tls")
    assert [each.address for each in found.attempts] == [LIE, LIE]


def test_the_next_is_asked_only_if_the_first_is_not_heard() -> None:
    second = replace(IN_TLS, name="other", address="203.0.113.55")
    spare = Server(TRUE)
    for first, heard in ((Server(TRUE), 0), (Server(), 0), (None, 1)):
        dialer = network(first, plain=LIE, accepts=TRUE)
        dialer.scripts["tcp", second.address, 853] = Tcp(always=[spare])
        measured(dialer, resolvers=[*RESOLVERS, second])
        assert spare.connections == heard


def test_who_is_not_heard_is_not_asked_again_in_the_same_cycle() -> None:
    dialer = network(None, plain=LIE, accepts=TRUE)

    async def work() -> list[Findings]:
        measurer = Measurer(tools_of(dialer), RESOLVERS, frozenset({4}), AllocateBudget())
        return [await measurer.measure(CHAT) for _ in range(2)]

    first, second = map(said, run(work()))
    assert (len(first), len(second)) == (3, 2)
    assert dialer.dialled.count(("tcp", WORLD, 853)) == 1


def test_a_connection_that_opened_and_broke_off_leaves_no_doubt_about_the_name() -> None:
    server = Server(TRUE)
    dialer = network(server, plain=LIE, accepts=TRUE)
    dialer.scripts["tcp", LIE, 443] = Tcp([ConnectionResetError(104, "x")])
    measured(dialer, target("svc/chat", endpoint("tls", "chat.example", 443)))
    assert server.connections == 0


def judged(found: Findings, what: Target) -> tuple[State, str | None]:
    """In two rounds, by a line whose neutral names and neutral TLS are untouched, and without any control."""
    neutral = Neutral(target="baseline/tls", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=None)
    link = Link(up=True, neutrals=(neutral,), resolvers=(ResolverCheck(resolver="isp", truthful=True),))
    seen = measurement(what.id, link=link, attempts=found.attempts, resolutions=found.resolutions)
    whose = Network(country="XE", asn=64500, operator="Operator")
    networks = {"203.0.0.0/16": whose}  # of its resolver
    again = Evidence(measurement=replace(seen, round=2), target=what, earlier=seen, network=whose, networks=networks)
    verdict = judge(again)
    return verdict.state, verdict.mechanism


@pytest.mark.parametrize(
    ("in_tls", "state", "mechanism"),
    [((TRUE,), State.BLOCKED, "dns.forged"), ((), State.INSUFFICIENT, None)],
)
def test_where_dns_is_intercepted_only_what_is_said_in_tls_shows_it(
    in_tls: tuple[str, ...], state: State, mechanism: str | None
) -> None:
    what = target("svc/chat", endpoint("tls", "chat.example", 443))
    dialer = network(Server(*in_tls), plain=LIE, accepts=TRUE)
    dialer.scripts["tcp", LIE, 443] = Tcp(always=[TlsPeer(FORGER.leaf("portal.example"), lambda _: b"")])
    dialer.scripts["tcp", TRUE, 443] = Tcp(always=[TlsPeer(PUBLIC.leaf("chat.example"), lambda _: b"")])
    assert judged(measured(dialer, what), what) == (state, mechanism)


TLS, STUN = endpoint("tls", "chat.example", 443), endpoint("stun", "call.example")


@pytest.mark.parametrize(
    ("failed", "forged"),
    [
        (attempt(TLS, observation(Step.TCP, TIMEOUT), address=LIE), True),
        (attempt(TLS, observation(Step.TCP), observation(Step.TLS, "ssl_unknown_authority"), address=LIE), True),
        (attempt(TLS, observation(Step.TCP), observation(Step.TLS, TIMEOUT), address=LIE), False),
        (attempt(TLS, observation(Step.TCP), observation(Step.TLS, TIMEOUT), address="10.10.34.34"), True),
        (attempt(STUN, observation(Step.STUN, TIMEOUT), address=LIE), True),
        (attempt(TLS, address=LIE), True),  # not tried
    ],
)
def test_when_a_name_is_in_doubt(failed: Attempt, forged: bool) -> None:
    assert may_be_forged(failed) is forged


def test_a_data_plan_that_is_used_up_allows_no_lookup_in_tls() -> None:
    server = Server(TRUE)
    measured(network(server, plain=LIE, accepts=TRUE), byte_budget=ByteBudget(10_000))
    assert server.connections == 0


def test_its_silence_is_no_reason_for_a_second_look() -> None:
    def found(transport: Transport) -> Findings:
        facts = DnsFacts(resolver="world", transport=transport)
        asked = Resolution(host="chat.example", observation=observation(Step.DNS, TIMEOUT, dns=facts))
        refused = attempt(CHAT.endpoints[0], observation(Step.TCP, "unexpected_reply"), via=Via.SYSTEM)
        return Findings(started_ms=0, resolutions=(asked,), attempts=(refused,))

    assert needs_second_round(CHAT, found(Transport.UDP))
    assert not needs_second_round(CHAT, found(Transport.HTTPS))
