"""A service's own first message over UDP, and what answers it: the part that all of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from probe.handshakes.trace import Trace
from probe.handshakes.transaction import Transaction
from probe.model import Endpoint, HelloFacts, Operation
from probe.net.record import StepRecord

T = TypeVar("T")

LIMIT = 8.0  # seconds


async def ask(
    trace: Trace, record: StepRecord, endpoint: Endpoint, request: bytes, match: Callable[[bytes], T | None]
) -> T:
    """The first datagram that answers, as `match` reads it; its facts go to `record`. Raises OSError or Failed."""
    datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
    record.operation = Operation.READ
    asked = Transaction(datagrams, request, match)
    try:
        return await asked.run(record, LIMIT, trace.instruments.scale)
    finally:
        record.keep(HelloFacts(sends=asked.sends, unmatched=asked.unmatched))
