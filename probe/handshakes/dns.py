"""DNS over UDP and TCP (RFC 1035): name resolution as a measurement of its own.

Sent: one question with a random id, over UDP again with the same bytes at 0.5, 1, 1.5, 2.5 and 3.5 s while nothing
came; over TCP when a UDP answer is cut short. Answer: a reply to our id and question: `bound`. A middlebox or a lying
resolver can answer NXDOMAIN, SERVFAIL or another address, inject an answer before the true one, or stay silent; so
the socket listens on for 2.5 s, and a later, different reply is kept beside the first.
Leaks: the asked name, to the resolver that the device uses anyway and to one named independent resolver.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from msgspec import Struct
from msgspec.structs import replace

from probe.codecs.framing import LENGTH_PREFIXED
from probe.failure import DNS_MISBEHAVING, DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, Failed, clean_text
from probe.handshakes.framed import FramedTransaction
from probe.handshakes.transaction import Transaction
from probe.model import DnsFacts, Endpoint, Grade, Operation, Step, Transport
from probe.trace import StepRecord, Trace

ADDRESS_TYPES = [(dns.rdataclass.IN, kind) for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)]
LIMIT = 5.0  # seconds
LINGER = 2.5  # seconds
FAILURES = {"NXDOMAIN": NXDOMAIN, "SERVFAIL": SERVFAIL, "REFUSED": DNS_REFUSED}


class Question(Struct, frozen=True, kw_only=True):
    """What to ask whom. `resolver` and `resolver_prefix` are as in DnsFacts."""

    host: str
    qtype: str  # A or AAAA
    address: str
    port: int = 53
    transport: Transport = Transport.UDP
    resolver: str = ""
    resolver_prefix: str | None = None


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
    )
    await resolve(trace, question)
    return Grade.BOUND


async def resolve(trace: Trace, question: Question) -> tuple[str, ...]:
    """The addresses that the resolver gives, in its order. Raises StepFailed."""
    async with trace.step(Step.DNS, LIMIT + 1) as record:
        query = dns.message.make_query(question.host, question.qtype)
        query.id = int.from_bytes(trace.instruments.random_bytes(2))
        record.dns = DnsFacts(
            resolver=question.resolver, resolver_prefix=question.resolver_prefix, qtype=question.qtype
        )
        reply = await _ask(trace, record, question, query)
        record.operation = Operation.DECODE
        return _conclude(record, reply, trace.instruments.own_addresses)


async def _ask(trace: Trace, record: StepRecord, question: Question, query: dns.message.Message) -> dns.message.Message:
    if question.transport is Transport.TCP:
        return await _ask_tcp(trace, record, question, query)
    reply = await _ask_udp(trace, record, question, query)
    if reply.flags & dns.flags.TC:
        return await _ask_tcp(trace, record, question, query)
    return reply


async def _ask_udp(
    trace: Trace, record: StepRecord, question: Question, query: dns.message.Message
) -> dns.message.Message:
    assert record.dns is not None
    datagrams = await trace.udp(record, question.address, question.port)
    record.operation = Operation.READ
    asked = Transaction(datagrams, query.to_wire(), lambda data: parse_reply(data, query))
    try:
        reply = await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.dns = replace(record.dns, sends=asked.sends, unmatched=asked.unmatched)
    trace.linger(_late_reply(record, asked, reply, trace.instruments.own_addresses), LINGER)
    return reply


async def _ask_tcp(
    trace: Trace, record: StepRecord, question: Question, query: dns.message.Message
) -> dns.message.Message:
    stream = await trace.tcp(record, question.address, question.port)
    asked = FramedTransaction(stream, LENGTH_PREFIXED, query.to_wire(), lambda data: data)
    reply = parse_reply(await asked.run(record), query)  # a connection has no strangers: the first must be it
    if reply is None:
        raise Failed(DNS_MISBEHAVING)
    return reply


async def _late_reply(
    record: StepRecord, asked: Transaction[dns.message.Message], first: dns.message.Message, own: frozenset[str]
) -> None:
    while True:
        later = await asked.next_match()
        answers = _outcome(later, own)
        if answers != _outcome(first, own) and record.dns is not None:
            record.dns = replace(record.dns, late=answers)
            return


def parse_reply(data: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """The message in `data` if it is a reply to this query's id and question, else None. Never raises."""
    try:
        reply = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, OverflowError):
        return None
    return reply if query.is_response(reply) else None


def _conclude(record: StepRecord, reply: dns.message.Message, own: frozenset[str]) -> tuple[str, ...]:
    assert record.dns is not None
    rcode = dns.rcode.to_text(reply.rcode())
    answers, ttl = _addresses(reply)
    record.dns = replace(record.dns, rcode=clean_text(rcode), answers=_recorded(answers, own), ttl=ttl)
    if rcode != "NOERROR":
        raise Failed(FAILURES.get(rcode, DNS_MISBEHAVING))
    if not answers:
        raise Failed(NO_ANSWER)
    return answers


def _addresses(reply: dns.message.Message) -> tuple[tuple[str, ...], int | None]:
    sets = [rrset for rrset in reply.answer if (rrset.rdclass, rrset.rdtype) in ADDRESS_TYPES]
    addresses = tuple(str(ipaddress.ip_address(rdata.to_text())) for rrset in sets for rdata in rrset)
    return addresses, min((rrset.ttl for rrset in sets), default=None)


def _outcome(reply: dns.message.Message, own: frozenset[str]) -> tuple[str, ...]:
    """The addresses, in an order that servers do not rotate; without any, the rcode."""
    addresses, _ = _addresses(reply)
    return tuple(sorted(_recorded(addresses, own))) or (dns.rcode.to_text(reply.rcode()),)


def _recorded(addresses: Sequence[str], own: frozenset[str]) -> tuple[str, ...]:
    return tuple("self" if address in own else address for address in addresses)
