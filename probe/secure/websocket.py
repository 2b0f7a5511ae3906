"""WebSocket (RFC 6455) over any Stream, by wsproto: an HTTP request that turns the stream into messages.

A refusal is an HTTP response like any other, and kept as a page: a portal or a block page may be what refuses.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from msgspec import Struct
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from probe.codecs.http_page import BODY_LIMIT, Page
from probe.failure import EOF, UNEXPECTED_REPLY, UNEXPECTED_STATUS, Failed
from probe.model import Operation
from probe.net.dialer import Stream
from probe.net.record import StepRecord

SWITCHING_PROTOCOLS = 101
MESSAGE_LIMIT = 65536  # bytes: no handshake of ours has a message as long
MAX_EVENTS = 1024  # pieces of messages, pings: no handshake of ours has as many


class Upgrade(Struct, frozen=True, kw_only=True):
    """A request for the upgrade; `headers` come in addition to the protocol's own."""

    path: str = "/"
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class WebSocketStream:
    """A Stream whose pieces are whole messages. `upgrade` first."""

    def __init__(self, stream: Stream) -> None:
        self.counters = stream.counters
        self.page: Page | None = None  # what the web server answered, once it did
        self._stream = stream
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._left = MAX_EVENTS
        self._message = b""
        self._spoken = False  # the server has said something

    async def upgrade(self, record: StepRecord, host: str, asked: Upgrade) -> None:
        """Asks for the upgrade and reads the answer.

        Raises OSError, EOFError, Failed(`http_unexpected_status_code`) when it is refused, and
        Failed(`unexpected_reply`) when what comes is no HTTP, or accepts another request than ours.
        """
        record.operation = Operation.WRITE
        await self._send(_request(host, asked))
        record.operation = Operation.READ
        while True:
            event = await self._next()
            if isinstance(event, AcceptConnection):
                self.page = Page(SWITCHING_PROTOCOLS, tuple(event.extra_headers))
                return
            if isinstance(event, RejectConnection):
                await self._keep_refusal(event)
                raise Failed(UNEXPECTED_STATUS)

    async def send(self, data: bytes) -> None:
        """Sends one binary message."""
        await self._send(BytesMessage(data=data))

    async def send_text(self, text: str) -> None:
        await self._send(TextMessage(data=text))

    async def receive(self) -> bytes:
        """The next message that is not empty, text as UTF-8; nothing at the end of the stream.

        Raises OSError, and Failed(`unexpected_reply`) for a message, or for pings, without end; also for a close before
        any message: that is the service's own no, which nobody else could say in here.
        """
        while True:
            event = await self._next_or_end()
            if isinstance(event, CloseConnection) and not self._spoken:
                raise Failed(UNEXPECTED_REPLY)
            if event is None or isinstance(event, CloseConnection):
                return b""
            if isinstance(event, Ping):
                await self._send(event.response())
            if isinstance(event, BytesMessage | TextMessage):
                message = self._complete(event)
                if message:
                    self._spoken = True
                    return message

    def acknowledged(self) -> bool | None:
        return self._stream.acknowledged()

    def close(self) -> None:
        self._stream.close()

    async def _send(self, event: Event) -> None:
        try:
            data = self._connection.send(event)
        except ProtocolError as error:  # the server has closed the WebSocket, though not yet the connection
            raise Failed(EOF) from error
        await self._stream.send(data)

    async def _next(self) -> Event:
        event = await self._next_or_end()
        if event is None:
            raise EOFError
        return event

    async def _next_or_end(self) -> Event | None:
        """The next event; None when the server has ended the stream."""
        while not self._events:
            data = await self._stream.receive()
            if not data:
                return None
            try:
                self._connection.receive_data(data)
                self._events += islice(self._connection.events(), self._left + 1)
            except (ProtocolError, ValueError) as error:  # ValueError: headers that are not ASCII
                raise Failed(UNEXPECTED_REPLY) from error
            if len(self._events) > self._left:
                raise Failed(UNEXPECTED_REPLY)
        self._left -= 1
        return self._events.popleft()

    async def _keep_refusal(self, refused: RejectConnection) -> None:
        """Keeps the refusal, with the beginning of its body where one follows."""
        body = b""
        self.page = Page(refused.status_code, tuple(refused.headers))
        while refused.has_body and len(body) < BODY_LIMIT:
            event = await self._next_or_end()
            if not isinstance(event, RejectData) or event.body_finished:
                return
            body = (body + event.data)[:BODY_LIMIT]
            self.page = Page(refused.status_code, tuple(refused.headers), body)

    def _complete(self, event: BytesMessage | TextMessage) -> bytes:
        """The whole message once its last piece is here, else nothing."""
        self._message += event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        if len(self._message) > MESSAGE_LIMIT:
            raise Failed(UNEXPECTED_REPLY)
        if not event.message_finished:
            return b""
        message, self._message = self._message, b""
        return message


def _request(host: str, asked: Upgrade) -> Request:
    headers = [("User-Agent", "Mozilla/5.0"), *asked.headers]
    if asked.origin is not None:
        headers.append(("Origin", asked.origin))
    return Request(
        host=host,
        target=asked.path,
        extra_headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in headers],
        subprotocols=list(asked.subprotocols),
    )
