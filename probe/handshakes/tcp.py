"""TCP: three segments to the service's port, then a close.

Sent: nothing but the connection itself. Answer: the connection is accepted: `transport`, since any middlebox or
transparent proxy can accept it. A middlebox can drop the SYN, answer it with RST, or reject it by ICMP.
Leaks: what every TCP connection shows, the volunteer's address to the service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Step
from probe.net.dialer import Stream

LIMIT = 10.0  # seconds: the SYN and three retransmissions of it


@asynccontextmanager
async def connect(trace: Trace, endpoint: Endpoint) -> AsyncIterator[Stream]:
    """A connection to the endpoint's address, recorded as a step. Raises StepFailed."""
    async with trace.step(Step.TCP, LIMIT) as record:
        stream = await trace.tcp(record, endpoint.address or endpoint.host, endpoint.port)
    try:
        yield stream
    finally:
        stream.close()


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Connects. Raises StepFailed."""
    async with connect(trace, endpoint):
        return Grade.TRANSPORT
