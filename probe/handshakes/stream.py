"""What a handshake speaks over: a connection opened as its endpoint's transport says, each layer a step of its own.

    async with stream.opened(trace, endpoint) as opened:
        …                                                  # opened.stream: send, receive; opened.grade: None over TCP

A layer that fails ends the handshake with StepFailed, recorded. Over TLS the certificate is verified before anything
is said, and the grade that it proves is the least that the whole handshake has proved. Over WSS each piece that is
received is a whole message; the endpoint's `expect.path` is asked for, and an answer other than 101 is a refusal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from probe.codecs.authority import HTTPS_PORT, authority
from probe.handshakes import tcp, tls
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Step, Transport
from probe.net.dialer import Stream
from probe.secure.websocket import Upgrade, WebSocketStream

LIMIT = 10.0  # seconds, of the upgrade
HTTP = ("http/1.1",)  # ALPN: a WebSocket begins with a request of HTTP/1.1
PLAIN_UPGRADE = Upgrade()


class OpenStream(Struct, frozen=True):
    """A stream, and what its certificate proved; None where there was none."""

    stream: Stream
    grade: Grade | None = None
    websocket: WebSocketStream | None = None  # the stream itself, over WSS: for messages of text


@asynccontextmanager
async def opened(
    trace: Trace, endpoint: Endpoint, alpn: Sequence[str] = (), upgrade: Upgrade = PLAIN_UPGRADE
) -> AsyncIterator[OpenStream]:
    """Opens the transport's stream: TCP, TLS where it is not bare, a WebSocket in it for WSS. Raises StepFailed."""
    async with tcp.connect(trace, endpoint) as stream:
        if endpoint.transport is Transport.TCP:
            yield OpenStream(stream)
            return
        is_websocket = endpoint.transport is Transport.WSS
        secured, grade = await tls.secured(trace, stream, endpoint, HTTP if is_websocket else alpn)
        if is_websocket:
            websocket = await _upgraded(trace, secured, endpoint, upgrade)
            yield OpenStream(websocket, grade, websocket)
            return
        yield OpenStream(secured, grade)


async def _upgraded(trace: Trace, stream: Stream, endpoint: Endpoint, upgrade: Upgrade) -> WebSocketStream:
    async with trace.step(Step.WEBSOCKET, LIMIT) as record:
        record.count(stream.counters)
        websocket = WebSocketStream(stream)
        asked = replace(upgrade, path=endpoint.expect.path or upgrade.path)
        try:
            host = authority(endpoint.server_name or endpoint.host, endpoint.port, HTTPS_PORT)
            await websocket.upgrade(record, host, asked)
        finally:
            if websocket.page is not None:
                record.keep(websocket.page.facts(trace.instruments.fingerprints))
    return websocket
