"""STUN Binding over UDP (RFC 8489 section 3): the question that opens every call, without an account.

Sent: a 20-byte Binding request, again with the same transaction id at 0.5, 1, 1.5, 2.5, 3.5 and 5.5 s while nothing
came. Answer: a Binding response with our transaction id: `bound`, since whoever reads the request can answer it. A
middlebox can drop the request, drop only the reply, reject by ICMP, or answer in the server's place (then
RESPONSE-ORIGIN may betray it). Datagrams that answer nothing we asked are counted, never taken for the answer.
Leaks: the reply carries the volunteer's public address; it is compared with the local one and dropped.
"""

from __future__ import annotations

from probe.codecs import stun
from probe.failure import clean_text
from probe.handshakes.transaction import Transaction
from probe.model import Endpoint, Grade, Operation, Step, StunFacts
from probe.trace import StepRecord, Trace

LIMIT = 8.0  # seconds


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks for a Binding. Raises StepFailed."""
    async with trace.step(Step.STUN, LIMIT + 1) as record:
        request = stun.binding_request(trace.instruments.random_bytes(12))
        await transact(trace, record, endpoint, request)
    return Grade.BOUND


async def transact(trace: Trace, record: StepRecord, endpoint: Endpoint, request: bytes) -> stun.Message:
    """One STUN transaction over UDP; its facts go to `record`. Raises OSError or Failed."""
    address = endpoint.address or endpoint.host
    datagrams = await trace.udp(record, address, endpoint.port)
    record.operation = Operation.READ
    asked = Transaction(datagrams, request, lambda data: _answer(data, request))
    try:
        message = await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.stun = StunFacts(sends=asked.sends, unmatched=asked.unmatched)
    record.stun = _facts(asked, message, datagrams.local, (address, endpoint.port))
    return message


def _answer(data: bytes, request: bytes) -> stun.Message | None:
    try:
        message = stun.parse(data)
    except ValueError:
        return None
    return message if stun.answers(request, message) else None


def _facts(
    asked: Transaction[stun.Message], message: stun.Message, local: tuple[str, int], target: tuple[str, int]
) -> StunFacts:
    mapped, origin = message.mapped_address, message.response_origin
    return StunFacts(
        sends=asked.sends,
        unmatched=asked.unmatched,
        error_code=message.error_code,
        realm=message.realm and clean_text(message.realm),
        software=message.software and clean_text(message.software),
        fingerprint=message.fingerprint_valid,
        mapped_is_local=mapped and mapped == local,
        port_preserved=mapped and mapped[1] == local[1],
        origin_is_target=origin and origin == target,
    )
