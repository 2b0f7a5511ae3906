"""One request over HTTP/2 (RFC 9113), by h2 over a Stream that has agreed on it."""

from __future__ import annotations

from collections.abc import Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from probe.codecs.http_page import BODY_LIMIT, STATUS, Page
from probe.failure import HTTP_FAILED, UNEXPECTED_REPLY, Failed
from probe.net.dialer import Stream

PIECE = 4096  # bytes that are read at once: some hundreds of the smallest frames
MAX_EVENTS = 512  # of one response: each takes time, however small it is
STREAM = 1  # the first that a client opens


async def post(stream: Stream, headers: Sequence[tuple[str, str]], body: bytes) -> Page:
    """The response and the beginning of its body; `headers` come after :method and :scheme.

    Raises OSError, EOFError, Failed(`http_request_failed`) when it is reset, Failed(`unexpected_reply`) when what comes
    is no HTTP/2.
    """
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(STREAM, [(":method", "POST"), (":scheme", "https"), *headers])
    connection.send_data(STREAM, body, end_stream=True)
    page: Page | None = None
    left = MAX_EVENTS
    while True:
        if said := connection.data_to_send():
            await stream.send(said)
        data = await _received(stream)
        for at in range(0, len(data), PIECE):
            for event in _parsed(connection, data[at : at + PIECE]):
                left -= 1
                page = _taken(connection, event, page)
                if isinstance(event, StreamEnded) or (page is not None and len(page.body) >= BODY_LIMIT):
                    return _whole(page)
            if left < 0:
                raise Failed(UNEXPECTED_REPLY)


async def _received(stream: Stream) -> bytes:
    data = await stream.receive()
    if not data:
        raise EOFError
    return data


def _parsed(connection: H2Connection, data: bytes) -> list[Event]:
    try:
        return connection.receive_data(data)
    except (ProtocolError, ValueError) as error:
        raise Failed(UNEXPECTED_REPLY) from error


def _taken(connection: H2Connection, event: Event, page: Page | None) -> Page | None:
    """The page with what the event adds to it."""
    if isinstance(event, StreamReset | ConnectionTerminated):
        raise Failed(HTTP_FAILED)
    if isinstance(event, ResponseReceived):
        return Page(_status(event), tuple(event.headers or ()))
    if isinstance(event, DataReceived) and page is not None:
        if event.flow_controlled_length:
            connection.acknowledge_received_data(event.flow_controlled_length, STREAM)
        return Page(page.status, page.headers, (page.body + (event.data or b""))[:BODY_LIMIT])
    return page


def _status(event: ResponseReceived) -> int:
    status = dict(event.headers or ()).get(b":status", b"")
    if not STATUS.fullmatch(status):
        raise Failed(UNEXPECTED_REPLY)
    return int(status)


def _whole(page: Page | None) -> Page:
    if page is None:
        raise Failed(UNEXPECTED_REPLY)
    return page
