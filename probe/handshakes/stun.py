"""STUN Binding (RFC 8489 section 3) over UDP, TCP and TLS: the question that opens every call, without an account.

Sent: a 20-byte Binding request; over UDP again with the same transaction id at 0.5, 1, 1.5, 2.5, 3.5 and 5.5 s while
nothing came; over TCP and TLS once, bare (section 6.2.2) or, as `stun-4571`, behind two bytes of length (RFC 4571), as
Facebook's clients do on TCP 443. Answer: a Binding response with our transaction id: `bound`, since whoever reads the
request can answer it; over TLS with the service's own authority `crypto`. A middlebox can drop the request, drop only
the reply, reject by ICMP, break the connection off, or answer in the server's place (then RESPONSE-ORIGIN may betray
it). What answers nothing we asked is counted, never taken for the answer.
The `stun-padded` ones are no handshakes of a service but experiments: as long as the Allocate that stayed unanswered.
Leaks: the reply carries the volunteer's public address; it is compared with the local one and dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from probe.codecs import stun
from probe.codecs.framing import STUN_4571, STUN_BARE, Framing
from probe.grades import stronger
from probe.handshakes import stream as streams
from probe.handshakes.framed import FramedTransaction
from probe.handshakes.trace import Trace
from probe.handshakes.transaction import Transaction
from probe.model import Endpoint, Grade, Operation, Step, StunFacts, Transport
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.private_text import clean_text

LIMIT = 8.0  # seconds


class StunReply(Struct, frozen=True):
    """The answer to a request, the step that is still open, and what the certificate proved, if there was one."""

    message: stun.Message
    record: StepRecord
    grade: Grade | None = None


async def handshake(trace: Trace, endpoint: Endpoint, framing: Framing = STUN_BARE, padding: int = 0) -> Grade:
    """Asks for a Binding. Raises StepFailed."""
    request = stun.binding_request(trace.instruments.random_bytes(12), padding)
    async with answered(trace, endpoint, Step.STUN, request, framing) as answer:
        return stronger(Grade.BOUND, answer.grade)


handshake_4571 = partial(handshake, framing=STUN_4571)
# Experiments beside an Allocate, of its size: a pair that changes two things names neither.
padded = partial(handshake, padding=8)
padded_4571 = partial(handshake, framing=STUN_4571, padding=8)
padded_google = partial(handshake, padding=20)


@asynccontextmanager
async def answered(
    trace: Trace, endpoint: Endpoint, step: Step, request: bytes, framing: Framing
) -> AsyncIterator[StunReply]:
    """One STUN transaction as the endpoint's transport says, inside its step. Raises StepFailed."""
    if endpoint.transport is Transport.UDP:
        async with trace.step(step, LIMIT + 1) as record:
            yield StunReply(await _over_udp(trace, record, endpoint, request), record)
        return
    async with streams.opened(trace, endpoint) as opened, trace.step(step, LIMIT) as record:
        record.count(opened.stream.counters)
        message = await _over_stream(record, opened.stream, framing, endpoint, request)
        yield StunReply(message, record, opened.grade)


async def _over_udp(trace: Trace, record: StepRecord, endpoint: Endpoint, request: bytes) -> stun.Message:
    """The answer; its facts go to `record`. Raises OSError or Failed."""
    datagrams = await trace.udp(record, *_target(endpoint))
    record.operation = Operation.READ
    asked = Transaction(datagrams, request, lambda data: stun.answer_to(request, data))
    try:
        message = await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.keep(StunFacts(sends=asked.sends, unmatched=asked.unmatched))
    sent = StunFacts(sends=asked.sends, unmatched=asked.unmatched)
    record.keep(_facts(sent, message, datagrams.local, _target(endpoint)))
    return message


async def _over_stream(
    record: StepRecord, stream: Stream, framing: Framing, endpoint: Endpoint, request: bytes
) -> stun.Message:
    """The answer; its facts go to `record`. Raises OSError, EOFError or Failed."""
    asked = FramedTransaction(stream, framing, request, lambda data: stun.answer_to(request, data))
    try:
        message = await asked.run(record)
    finally:
        record.keep(StunFacts(unmatched=asked.unmatched))
    record.keep(_facts(StunFacts(unmatched=asked.unmatched), message, None, _target(endpoint)))
    return message


def _target(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.address or endpoint.host, endpoint.port


def _facts(sent: StunFacts, message: stun.Message, local: tuple[str, int] | None, target: tuple[str, int]) -> StunFacts:
    """The facts of an answer. `local` is None where our own end is not known: inside a connection."""
    mapped, origin = message.mapped_address, message.response_origin
    return replace(
        sent,
        error_code=message.error_code,
        realm=message.realm and clean_text(message.realm),
        software=message.software and clean_text(message.software),
        fingerprint=message.fingerprint_valid,
        mapped_is_local=mapped and local and mapped == local,
        port_preserved=mapped and local and mapped[1] == local[1],
        origin_is_target=origin and origin == target,
    )
