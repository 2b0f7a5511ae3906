"""The packets to follow along the path: those that failed, as they were sent, and neutral ones of the same kind.

Of one route every packet is the same, byte for byte: of an Allocate and of a DNS query the transaction too, so that a
relay which gets several of them gets one request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import dns.message
from msgspec import Struct

from probe.addresses import family_of, is_address, is_private
from probe.codecs import stun
from probe.diagnosis import identity
from probe.failure import CERTIFICATE_FAILURES
from probe.handshakes.dns import parse_reply
from probe.handshakes.stun import answer_to
from probe.model import Attempt, Endpoint, Resolution, Step, Target, Transport
from probe.network import LinkResolver
from probe.path import Packet
from probe.secure.tls import client_hello

RandomBytes = Callable[[int], bytes]
STUN_REQUESTS = {"stun": (Step.STUN, stun.binding_request), "turn": (Step.TURN, stun.allocate_request)}
COMPARED_WITH = {Step.TURN: Step.STUN}  # any other with its own kind


class Route(Struct, frozen=True, kw_only=True):
    """A packet to follow. `host` is the endpoint's, or the name that is asked for."""

    step: Step
    host: str
    packet: Packet
    neutral: bool = False

    @property
    def kind(self) -> tuple[Step, int, str]:
        """Routes of one kind can be compared. Resolvers are apart, for each stands somewhere else."""
        step = COMPARED_WITH.get(self.step, self.step)
        return step, family_of(self.packet.address), self.packet.address if step is Step.DNS else ""


def of_attempt(
    attempt: Attempt, endpoint: Endpoint, random_bytes: RandomBytes, *, neutral: bool = False
) -> list[Route]:
    """The SYN; and where a connection opened, and what was said in it counts, the ClientHello too."""
    assert attempt.address is not None
    if attempt.handshake in STUN_REQUESTS:
        return [_of_stun(attempt, random_bytes, neutral)]
    syn = Packet(transport=Transport.TCP, address=attempt.address, port=attempt.port)
    routes = [Route(step=Step.TCP, host=attempt.host, packet=syn, neutral=neutral)]
    if not _fails_inside(attempt, neutral):
        return routes
    name = endpoint.server_name or endpoint.host
    hello = client_hello(None if is_address(name) else name)
    packet = Packet(transport=Transport.TCP, address=attempt.address, port=attempt.port, payload=hello)
    return [*routes, Route(step=Step.TLS, host=attempt.host, packet=packet, neutral=neutral)]


def of_name(
    host: str, qtype: str, resolver: LinkResolver, random_bytes: RandomBytes, *, neutral: bool = False
) -> Route:
    query = dns.message.make_query(host, qtype)
    query.id = int.from_bytes(random_bytes(2))
    packet = Packet(
        transport=Transport.UDP,
        address=resolver.address,
        port=resolver.port,
        payload=query.to_wire(),
        matches=lambda data: parse_reply(data, query) is not None,
    )
    return Route(step=Step.DNS, host=host, packet=packet, neutral=neutral)


def neutrals_of(
    target: Target, attempts: Iterable[Attempt], resolutions: Iterable[Resolution],
    resolvers: Mapping[str, LinkResolver], random_bytes: RandomBytes,
) -> list[Route]:  # fmt: skip
    """What passed of a neutral target's; `resolvers` are the link's own, by name."""
    routes = []
    for attempt in attempts:
        if attempt.grade is not None and attempt.handshake in ("tls", *STUN_REQUESTS):
            routes += of_attempt(attempt, endpoint_of(attempt, target), random_bytes, neutral=True)
    for resolution in resolutions:
        facts = resolution.observation.dns
        if facts and facts.resolver in resolvers and resolution.observation.failure is None:
            resolver = resolvers[facts.resolver]
            routes.append(of_name(resolution.host, facts.qtype, resolver, random_bytes, neutral=True))
    return routes


def endpoint_of(attempt: Attempt, target: Target) -> Endpoint:
    """A relay's, also of the Binding that it was asked for in the second round."""
    place = attempt.host, attempt.port, attempt.transport
    same = [each for each in target.endpoints if (each.host, each.port, each.transport) == place]
    return next((each for each in same if identity(each) == identity(attempt)), same[0])


def can_be_followed_to(resolver: LinkResolver) -> bool:
    """One at a private address stands in the home, wherever its answers come from."""
    return not resolver.independent and not is_private(resolver.address)


def _of_stun(attempt: Attempt, random_bytes: RandomBytes, neutral: bool) -> Route:
    assert attempt.address is not None
    step, make = STUN_REQUESTS[attempt.handshake]
    request = make(random_bytes(12))
    packet = Packet(
        transport=Transport.UDP,
        address=attempt.address,
        port=attempt.port,
        payload=request,
        matches=lambda data: answer_to(request, data) is not None,
    )
    return Route(step=step, host=attempt.host, packet=packet, neutral=neutral)


def _fails_inside(attempt: Attempt, neutral: bool) -> bool:
    """Who shows a foreign certificate is found by who opens the connection."""
    last = attempt.observations[-1]
    return attempt.handshake == "tls" and (
        neutral or (last.step is Step.TLS and last.failure not in CERTIFICATE_FAILURES)
    )
