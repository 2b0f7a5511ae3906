"""What a handshake speaks over: a connection opened as its endpoint's transport says, each layer a step of its own.

    async with stream.opened(trace, endpoint) as opened:
        …                                                  # opened.stream: send, receive; opened.grade: None over TCP

A layer that fails ends the handshake with StepFailed, recorded. Over TLS the certificate is verified before anything
is said, and the grade that it proves is the least that the whole handshake has proved.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from probe.dialer import Stream
from probe.handshakes import tcp, tls
from probe.model import Endpoint, Grade, Transport
from probe.trace import Trace


class Opened(Struct, frozen=True):
    """A stream, and what its certificate proved; None where there was none."""

    stream: Stream
    grade: Grade | None = None


@asynccontextmanager
async def opened(trace: Trace, endpoint: Endpoint, alpn: Sequence[str] = ()) -> AsyncIterator[Opened]:
    """TCP, and TLS on top where the endpoint's transport is not bare TCP. Raises StepFailed."""
    async with tcp.connect(trace, endpoint) as stream:
        if endpoint.transport is Transport.TCP:
            yield Opened(stream)
            return
        secured, grade = await tls.secured(trace, stream, endpoint, alpn)
        yield Opened(secured, grade)
