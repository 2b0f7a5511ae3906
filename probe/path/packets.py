"""The packets to follow along the path: those that failed, as they were sent, and neutral ones of the same kind.

What an attempt says first is got from its own handshake, by letting it speak to nobody. Of one route every packet is
the same, byte for byte, so that a relay which gets several of an Allocate gets one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import family_of, is_private, is_public, prefix_of
from probe.codecs.dns_query import query_of
from probe.failure import CERTIFICATE_FAILURES, is_unanswered
from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Instruments, Trace
from probe.measuring.doubtful_names import resolver_of
from probe.measuring.follow_up import identity
from probe.measuring.measurer import RoundResult
from probe.model import Attempt, Endpoint, IcmpFacts, Step, Target, Transport
from probe.net.dialer import Counters
from probe.net.vantage import SYSTEM, LinkResolver, ResolverKey
from probe.path.ttl_probe import Packet
from probe.protocols import SWEPT_NEUTRALS, comparable_step

Kind = tuple[Step, int, str]


class Route(Struct, frozen=True, kw_only=True):
    """A packet to follow. `host` is the endpoint's, or the name that is asked for."""

    step: Step
    host: str
    packet: Packet
    neutral: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of a route: those of one kind can be compared. Resolvers are apart: each stands somewhere else."""
        step = comparable_step(self.step, self.packet.transport)
        return step, family_of(self.packet.address), self.packet.address if step is Step.DNS else ""


async def of_attempt(
    attempt: Attempt, target: Target, instruments: Instruments, *, neutral: bool = False
) -> list[Route]:
    """The routes of an attempt: its SYN, and where a connection opened, what was said in it.

    None for what failed inside a session.
    """
    assert attempt.address is not None
    last = attempt.observations[-1]
    over = Transport.UDP if attempt.transport is Transport.UDP else Transport.TCP
    bare = Packet(transport=over, address=attempt.address, port=attempt.port)
    if len(attempt.observations) > (1 if over is Transport.UDP else 2):
        return []
    routes = [] if over is Transport.UDP else [Route(step=Step.TCP, host=attempt.host, packet=bare, neutral=neutral)]
    if last.step is Step.TCP or last.failure in CERTIFICATE_FAILURES:  # which is shown by who opens the connection
        return routes
    said = await first_words(endpoint_of(attempt, target), instruments)
    packet = replace(bare, payload=said)
    return [*routes, Route(step=last.step, host=attempt.host, packet=packet, neutral=neutral)] if said else []


def of_name(host: str, qtype: str, resolver: LinkResolver, instruments: Instruments, *, neutral: bool = False) -> Route:
    query = query_of(host, qtype, int.from_bytes(instruments.random_bytes(2)))
    packet = Packet(transport=Transport.UDP, address=resolver.address, port=resolver.port, payload=query.wire)
    return Route(step=Step.DNS, host=host, packet=packet, neutral=neutral)


async def neutrals_of(
    result: RoundResult, resolvers: Mapping[ResolverKey, LinkResolver], instruments: Instruments
) -> list[Route]:
    """The routes of what passed of a neutral target; `resolvers` are the link's own."""
    routes = []
    for attempt in result.findings.attempts:
        if attempt.grade is not None and attempt.handshake in SWEPT_NEUTRALS:
            routes += await of_attempt(attempt, result.target, instruments, neutral=True)
    for resolution in result.findings.resolutions:
        facts = resolution.observation.dns
        if facts and resolver_of(resolution) in resolvers and resolution.observation.failure is None:
            routes.append(
                of_name(resolution.host, facts.qtype, resolvers[resolver_of(resolution)], instruments, neutral=True)
            )
    return routes


async def silent_neutrals_of(result: RoundResult, instruments: Instruments) -> list[Route]:
    """The routes of a neutral STUN server that did not answer: routers may still tell that datagrams left the home."""
    over = [each for each in result.findings.attempts if each.handshake == "stun" and each.transport is Transport.UDP]
    silent = [each for each in over if each.observations and is_unanswered(each.observations[-1]) and each.address]
    routes = [await of_attempt(attempt, result.target, instruments, neutral=True) for attempt in silent]
    return [route for each in routes for route in each]


def connections_that_passed(results: Iterable[RoundResult]) -> list[Attempt]:
    """The connections to public addresses that passed, of any target: a SYN to there costs nobody anything."""
    attempts = [attempt for result in results for attempt in result.findings.attempts]
    passed = [each for each in attempts if each.grade is not None and each.transport is not Transport.UDP]
    return [each for each in passed if each.address is not None and is_public(each.address)]


def neighbour_of(route: Route, passed: Iterable[Attempt], neutrals: Container[Kind]) -> list[Route]:
    """A SYN to another address of the same announced prefix, which shows that the route there is not lost."""
    if route.step is not Step.TCP or route.kind not in neutrals:
        return []
    beside = [each for each in passed if each.address and each.address != route.packet.address]
    same = [each for each in beside if each.address and prefix_of(each.address) == prefix_of(route.packet.address)]
    return [
        Route(
            step=Step.TCP,
            host=each.host,
            packet=Packet(transport=Transport.TCP, address=each.address or "", port=each.port),
            neutral=True,
        )
        for each in same[:1]
    ]


def can_be_swept_to(resolver: LinkResolver) -> bool:
    """The resolver stands beyond the home: one at a private address does not, wherever its answers come from."""
    return resolver != SYSTEM and not resolver.independent and not is_private(resolver.address)


def endpoint_of(attempt: Attempt, target: Target) -> Endpoint:
    """The endpoint at which an attempt was made; of an experiment, the one that it was made for."""
    place = attempt.host, attempt.port, attempt.transport
    same = [each for each in target.endpoints if (each.host, each.port, each.transport) == place]
    endpoint = next((each for each in same if identity(each) == identity(attempt)), same[0])
    return replace(endpoint, handshake=attempt.handshake, address=attempt.address)


# --- What a handshake says first ----------------------------------------------------------------------------------


@dataclass(slots=True)
class CapturingDialer:
    """A socket whose other end is nobody: it keeps what is sent first, and nothing ever comes back."""

    said: asyncio.Future[bytes]
    counters: Counters = field(default_factory=Counters)
    icmp: IcmpFacts | None = None
    local: tuple[str, int] = ("0.0.0.0", 0)

    async def udp(self, address: str, port: int) -> CapturingDialer:
        return self

    async def tcp(self, address: str, port: int) -> CapturingDialer:
        return self

    async def send(self, data: bytes) -> None:
        if not self.said.done():
            self.said.set_result(data)

    async def receive(self) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")

    def acknowledged(self) -> bool | None:
        return None

    def close(self) -> None:
        """There is nothing to close."""


async def first_words(endpoint: Endpoint, instruments: Instruments) -> bytes:
    """The first bytes that the endpoint's handshake sends; none if it ends without a word."""
    nobody = CapturingDialer(asyncio.get_running_loop().create_future())
    trace = Trace(replace(instruments, dialer=nobody))
    speaking = asyncio.ensure_future(HANDSHAKES[endpoint.handshake](trace, endpoint))
    try:
        await asyncio.wait((speaking, nobody.said), return_when=asyncio.FIRST_COMPLETED)
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        trace.close()
    return nobody.said.result() if nobody.said.done() else b""
