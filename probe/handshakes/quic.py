"""QUIC (RFC 9000) and HTTP/3 (RFC 9114): encryption over UDP, as browsers and apps use it beside TLS.

Sent: an Initial of 1200 bytes with the service's name in its ClientHello, again when RFC 9002 says so while nothing
came; where the targets file expects a status or a body, one GET over HTTP/3. Answer: a completed handshake whose
certificate, verified afterwards, is valid for that name: `bound`, or `crypto` when it is signed by the service's own
authority. A Retry is followed; a list of other versions is kept, and ends nothing. A middlebox can drop long headers,
Initials with this name (their keys are public), UDP to this port or address, or forge a close or a list of versions.
`quic-other-name` is no handshake of a service but an experiment: the same address, asked with a neutral name, and done
with the first datagram that repeats our connection id.
Leaks: the service's name and the volunteer's address, as every visit does; our ClientHello is aioquic's, not the app's.
"""

from __future__ import annotations

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.events import StreamReset

from probe.addresses import is_address
from probe.codecs.authority import HTTPS_PORT, authority
from probe.codecs.http_page import BODY_LIMIT, STATUS, Page
from probe.failure import HTTP_FAILED, UNEXPECTED_STATUS, Failed
from probe.handshakes.tls import verified
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Expect, Grade, Operation, Step
from probe.net.dialer import Datagrams
from probe.secure.quic import QuicSession

LIMIT = 10.0  # seconds
OTHER_NAME = "www.example.com"


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Shakes hands, verifies, and asks for a page where one is expected. Raises StepFailed."""
    name = endpoint.server_name or endpoint.host
    async with trace.step(Step.QUIC, LIMIT + 1) as record:
        datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
        session = QuicSession(datagrams, None if is_address(name) else name, H3_ALPN)
        await session.shake_hands(record, trace.scaled(LIMIT))
        record.operation = Operation.VERIFY
        grade = verified(trace, record, session.chain, name, endpoint.ca)
    if endpoint.expect != Expect():
        await _get(trace, session, datagrams, endpoint)
    await session.close()
    return grade


async def _get(trace: Trace, session: QuicSession, datagrams: Datagrams, endpoint: Endpoint) -> None:
    """Asks for the page that is expected, as a step of its own. Raises StepFailed."""
    async with trace.step(Step.HTTP, LIMIT) as record:
        record.count(datagrams.counters)
        record.operation = Operation.READ
        reading = Http3Response(session, authority(endpoint.server_name or endpoint.host, endpoint.port, HTTPS_PORT))
        try:
            await reading.get(endpoint.expect.path or "/")
        finally:
            if reading.page is not None:
                record.keep(reading.page.facts(trace.instruments.fingerprints))
        record.operation = Operation.VERIFY
        if reading.page is None or not reading.page.is_expected(endpoint.expect):
            raise Failed(UNEXPECTED_STATUS)


async def other_name(trace: Trace, endpoint: Endpoint) -> Grade:
    """Shakes hands with the address without naming the service. Raises StepFailed."""
    async with trace.step(Step.QUIC, LIMIT + 1) as record:
        datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
        session = QuicSession(datagrams, OTHER_NAME, H3_ALPN)
        await session.first_answer(record, trace.scaled(LIMIT))
    await session.close()
    return Grade.BOUND


class Http3Response:
    """One page over HTTP/3, as far as it came."""

    def __init__(self, session: QuicSession, host: str) -> None:
        self.page: Page | None = None  # None when there is no response
        self._session = session
        self._host = host
        self._ended = False

    async def get(self, path: str) -> None:
        """The response and the beginning of its body. Raises Failed."""
        connection = H3Connection(self._session.connection)
        stream = self._session.connection.get_next_available_stream_id()
        connection.send_headers(stream, _request(self._host, path), end_stream=True)
        while not self._ended:
            event = await self._session.next_event()
            if isinstance(event, StreamReset) and event.stream_id == stream:
                raise Failed(HTTP_FAILED)
            for each in connection.handle_event(event):
                self._take(each, stream)

    def _take(self, event: H3Event, stream: int) -> None:
        if not isinstance(event, HeadersReceived | DataReceived) or event.stream_id != stream:
            return
        if isinstance(event, HeadersReceived) and self.page is None:
            self.page = Page(_status(event), tuple(event.headers))
        elif isinstance(event, DataReceived) and self.page is not None:
            body = (self.page.body + event.data)[:BODY_LIMIT]
            self.page = Page(self.page.status, self.page.headers, body)
        full = self.page is not None and len(self.page.body) >= BODY_LIMIT
        self._ended = event.stream_ended or full


def _request(host: str, path: str) -> list[tuple[bytes, bytes]]:
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)]
    fields += [("user-agent", "Mozilla/5.0"), ("accept", "*/*")]
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in fields]


def _status(event: HeadersReceived) -> int:
    status = dict(event.headers).get(b":status", b"")
    if not STATUS.fullmatch(status):
        raise Failed(HTTP_FAILED)
    return int(status)
