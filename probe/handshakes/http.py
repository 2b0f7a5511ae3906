"""HTTP/1.1 GET (RFC 9112): plain, what a captive portal rewrites and where the time can be read; over TLS, a session.

Sent: one GET with a Host and a neutral User-Agent. Answer: the expected status (and, where the targets file says so,
the beginning of the body). Plain it is `transport`, since anyone can answer plain text; over TLS the answer is what
the certificate proved it to be, `bound` or, with the service's own authority, `crypto`. A middlebox can redirect to a
portal or show a block page; inside TLS it can only break the session off. Kept: status, title, scheme and host of a
redirect, the server's name and Date. Leaks: the visited host; plain, also the path, to everybody on the way, which is
why only neutral hosts are asked so.
"""

from __future__ import annotations

import h11

from probe.codecs.authority import HTTP_PORT, HTTPS_PORT, authority
from probe.codecs.http_page import BODY_LIMIT, Page
from probe.failure import HTTP_FAILED, UNEXPECTED_STATUS, Failed
from probe.handshakes import stream as streams
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step, Transport
from probe.net.dialer import Stream

LIMIT = 10.0  # seconds
ALPN = ("http/1.1",)
MAX_EVENTS = 512  # interim responses and chunks that are read: each takes time, however small it is


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Gets one page. Raises StepFailed."""
    async with streams.opened(trace, endpoint, ALPN) as opened, trace.step(Step.HTTP, LIMIT) as record:
        record.count(opened.stream.counters)
        record.operation = Operation.WRITE
        connection = h11.Connection(h11.CLIENT)
        await opened.stream.send(_request(connection, _authority(endpoint), endpoint.expect.path or "/"))
        record.operation = Operation.READ
        reading = Http1Response()
        try:
            await reading.read(connection, opened.stream)
        finally:  # a block page may come with a reset behind it
            if reading.page is not None:
                record.keep(reading.page.facts(trace.instruments.fingerprints))
        record.operation = Operation.VERIFY
        if reading.page is None or not reading.page.is_expected(endpoint.expect):
            raise Failed(UNEXPECTED_STATUS)
    return opened.grade or Grade.TRANSPORT


def _authority(endpoint: Endpoint) -> str:
    usual_port = HTTP_PORT if endpoint.transport is Transport.TCP else HTTPS_PORT
    return authority(endpoint.server_name or endpoint.host, endpoint.port, usual_port)


def _request(connection: h11.Connection, host: str, path: str) -> bytes:
    headers = [("Host", host), ("User-Agent", "Mozilla/5.0"), ("Accept", "*/*"), ("Connection", "close")]
    head = connection.send(h11.Request(method="GET", target=path, headers=headers))
    return (head or b"") + (connection.send(h11.EndOfMessage()) or b"")


class Http1Response:
    """The response, as far as it came."""

    def __init__(self) -> None:
        self._response: h11.Response | None = None
        self._body = b""

    @property
    def page(self) -> Page | None:
        """The page; None when there is no response."""
        if self._response is None:
            return None
        return Page(self._response.status_code, tuple(self._response.headers), self._body)

    async def read(self, connection: h11.Connection, stream: Stream) -> None:
        """The response and the beginning of its body. Raises OSError, EOFError, Failed(`http_request_failed`)."""
        events = 0
        while len(self._body) < BODY_LIMIT and events < MAX_EVENTS:
            try:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await self._receive(stream))
            except h11.RemoteProtocolError as error:
                raise Failed(HTTP_FAILED) from error
            events += event is not h11.NEED_DATA
            if isinstance(event, h11.Response):
                self._response = event
            elif isinstance(event, h11.Data):
                self._body = (self._body + event.data)[:BODY_LIMIT]
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    async def _receive(self, stream: Stream) -> bytes:
        data = await stream.receive()
        if not data and self._response is None:
            raise EOFError
        return data
