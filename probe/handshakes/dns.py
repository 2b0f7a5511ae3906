"""DNS over UDP and TCP (RFC 1035), TLS (RFC 7858) and HTTP/2 (RFC 8484): name resolution as a measurement of its own.

Sent: one question with a random id, over UDP again with the same bytes at 0.5, 1, 1.5, 2.5 and 3.5 s while nothing
came; over TCP when a UDP answer is cut short, wherever it was cut; over TLS padded (RFC 8467), over HTTPS with the id
0, as a POST to /dns-query. Answer: a reply to our id, read as far as it can be (probe.codecs.dns_reply): `bound`, and
over TLS the resolver's own, by its certificate. A middlebox or a lying resolver can answer NXDOMAIN, SERVFAIL or
another address, inject an answer before the true one, or stay silent; so the socket listens on for 2.5 s, and a later,
different reply is kept beside the first. Inside TLS it can only break off. Connecting and shaking hands are part of the
one step: the question is what is measured.
Leaks: the asked name, to the resolver that the device uses anyway and to named independent resolvers.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from msgspec import Struct

from probe.codecs.authority import HTTPS_PORT, authority
from probe.codecs.dns_query import Query, query_of
from probe.codecs.dns_reply import address_sets, reply_to
from probe.codecs.framing import LENGTH_PREFIXED
from probe.failure import (
    DNS_MISBEHAVING,
    DNS_REFUSED,
    NO_ANSWER,
    NXDOMAIN,
    SERVFAIL,
    UNEXPECTED_REPLY,
    UNEXPECTED_STATUS,
    Failed,
    is_fault,
)
from probe.grades import stronger
from probe.handshakes.framed import FramedTransaction
from probe.handshakes.tls import secured_within
from probe.handshakes.trace import Trace
from probe.handshakes.transaction import Transaction
from probe.model import DnsFacts, Endpoint, Grade, HttpFacts, Operation, Step, Transport
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.private_text import clean_text
from probe.secure.h2 import post

LIMIT = 5.0  # seconds
LIMIT_IN_TLS = 10.0  # seconds: for three round trips more
LIMIT_AGAIN = 5.0  # seconds: over TCP, after a UDP answer that was cut short
LINGER = 2.5  # seconds
IN_TLS = {Transport.TLS: "dot", Transport.HTTPS: "h2"}  # and what is agreed on there (ALPN)
OK = 200
FAILURES = {"NXDOMAIN": NXDOMAIN, "SERVFAIL": SERVFAIL, "REFUSED": DNS_REFUSED}


class Question(Struct, frozen=True, kw_only=True):
    """A question to a resolver. `resolver`, its index and prefix are as in DnsFacts; `server_name` is its own."""

    host: str
    qtype: str  # A or AAAA
    address: str
    port: int = 53
    transport: Transport = Transport.UDP
    resolver: str = ""
    resolver_index: int = 0
    resolver_prefix: str | None = None
    server_name: str | None = None
    ca: str | None = None
    path: str = "/dns-query"


class Resolved(Struct, frozen=True):
    """The addresses that a resolver gave, in its order, and what its certificate proved, if it showed one."""

    addresses: tuple[str, ...]
    grade: Grade | None = None


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks the endpoint itself for `expect.name`. Raises StepFailed."""
    address = endpoint.address or endpoint.host
    question = Question(
        host=endpoint.expect.name or "example.com",
        qtype="A",
        address=address,
        port=endpoint.port,
        transport=endpoint.transport,
        resolver=endpoint.host,
        server_name=endpoint.server_name or endpoint.host,
        ca=endpoint.ca,
        path=endpoint.expect.path or "/dns-query",
    )
    return stronger(Grade.BOUND, (await resolve(trace, question)).grade)


async def resolve(trace: Trace, question: Question) -> Resolved:
    """The addresses that the resolver gives. Raises StepFailed."""
    in_tls = question.transport in IN_TLS
    async with trace.step(Step.DNS, LIMIT_IN_TLS if in_tls else LIMIT + LIMIT_AGAIN + 1) as record:
        transaction = 0 if question.transport is Transport.HTTPS else int.from_bytes(trace.instruments.random_bytes(2))
        query = query_of(question.host, question.qtype, transaction, padded=in_tls)
        record.keep(_asked(question))
        reply, grade = await _ask(trace, record, question, query)
        record.operation = Operation.DECODE
        return Resolved(_conclude(record, reply, trace.instruments.own_addresses), grade)


def _asked(question: Question) -> DnsFacts:
    """The facts of a question before its answer."""
    return DnsFacts(
        resolver=question.resolver,
        resolver_index=question.resolver_index,
        resolver_prefix=question.resolver_prefix,
        transport=question.transport,
        qtype=question.qtype,
    )


async def _ask(
    trace: Trace, record: StepRecord, question: Question, query: Query
) -> tuple[dns.message.Message, Grade | None]:
    if question.transport in IN_TLS:
        return await _ask_in_tls(trace, record, question, query)
    if question.transport is Transport.TCP:
        return await _ask_tcp(trace, record, question, query), None
    reply = await _ask_udp(trace, record, question, query)
    if reply.flags & dns.flags.TC:
        return await _ask_again(trace, record, question, query, reply), None
    return reply, None


async def _ask_again(
    trace: Trace, record: StepRecord, question: Question, query: Query, cut: dns.message.Message
) -> dns.message.Message:
    """The whole of a reply that was cut short, over TCP. What fails there is not silence: the resolver answered."""
    try:
        async with asyncio.timeout(trace.scaled(LIMIT_AGAIN)):
            return await _ask_tcp(trace, record, question, query)
    except (OSError, EOFError, Failed) as error:
        if is_fault(error):
            raise
        if address_sets(cut):
            return cut
        record.operation = Operation.DECODE
        raise Failed(UNEXPECTED_REPLY) from error


async def _ask_udp(trace: Trace, record: StepRecord, question: Question, query: Query) -> dns.message.Message:
    datagrams = await trace.udp(record, question.address, question.port)
    record.operation = Operation.READ
    asked = Transaction(datagrams, query.wire, lambda data: reply_to(query, data))
    try:
        reply = await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.amend(DnsFacts, sends=asked.sends, unmatched=asked.unmatched)
    trace.linger(_late_reply(record, asked, reply, trace.instruments.own_addresses), LINGER)
    return reply


async def _ask_tcp(trace: Trace, record: StepRecord, question: Question, query: Query) -> dns.message.Message:
    return await _ask_framed(record, await trace.tcp(record, question.address, question.port), query)


async def _ask_in_tls(
    trace: Trace, record: StepRecord, question: Question, query: Query
) -> tuple[dns.message.Message, Grade]:
    stream = await trace.tcp(record, question.address, question.port)
    name, alpn = question.server_name or question.address, IN_TLS[question.transport]
    secured, grade = await secured_within(trace, record, stream, name, question.ca, (alpn,))
    if question.transport is Transport.TLS:
        return await _ask_framed(record, secured, query), grade
    host = authority(name, question.port, HTTPS_PORT)
    return await _ask_https(record, secured, host, question.path, query), grade


async def _ask_framed(record: StepRecord, stream: Stream, query: Query) -> dns.message.Message:
    asked = FramedTransaction(stream, LENGTH_PREFIXED, query.wire, lambda data: _only(reply_to(query, data)))
    return await asked.run(record)


async def _ask_https(record: StepRecord, stream: Stream, host: str, path: str, query: Query) -> dns.message.Message:
    record.operation = Operation.READ
    kind = "application/dns-message"
    headers = [(":authority", host), (":path", path), ("content-type", kind), ("accept", kind)]
    page = await post(stream, headers, query.wire)
    record.keep(HttpFacts(status=page.status))
    if page.status != OK:
        raise Failed(UNEXPECTED_STATUS)
    record.operation = Operation.DECODE
    try:
        return _only(reply_to(query, page.body))
    except ValueError as error:
        raise Failed(UNEXPECTED_REPLY) from error


def _only(reply: dns.message.Message | None) -> dns.message.Message:
    """The one reply: a connection has no strangers, so the first must be it."""
    if reply is None:
        raise ValueError("It answers nothing that was asked.")
    return reply


async def _late_reply(
    record: StepRecord, asked: Transaction[dns.message.Message], first: dns.message.Message, own: frozenset[str]
) -> None:
    while True:
        later = await asked.next_match()
        answers = _outcome(later, own)
        if answers != _outcome(first, own):
            record.amend(DnsFacts, late=answers)
            return


def _conclude(record: StepRecord, reply: dns.message.Message, own: frozenset[str]) -> tuple[str, ...]:
    rcode = dns.rcode.to_text(reply.rcode())
    answers, ttl = _addresses(reply)
    record.amend(DnsFacts, rcode=clean_text(rcode), answers=_recorded(answers, own), ttl=ttl)
    if rcode != "NOERROR":
        raise Failed(FAILURES.get(rcode, DNS_MISBEHAVING))
    if not answers:
        raise Failed(NO_ANSWER)
    return answers


def _addresses(reply: dns.message.Message) -> tuple[tuple[str, ...], int | None]:
    sets = address_sets(reply)
    addresses = tuple(str(ipaddress.ip_address(rdata.to_text())) for rrset in sets for rdata in rrset)
    return addresses, min((rrset.ttl for rrset in sets), default=None)


def _outcome(reply: dns.message.Message, own: frozenset[str]) -> tuple[str, ...]:
    """The addresses, in an order that servers do not rotate; without any, the rcode."""
    addresses, _ = _addresses(reply)
    return tuple(sorted(_recorded(addresses, own))) or (dns.rcode.to_text(reply.rcode()),)


def _recorded(addresses: Sequence[str], own: frozenset[str]) -> tuple[str, ...]:
    return tuple("self" if address in own else address for address in addresses)
