"""aioquic's server half: in the same process without a socket, or on loopback, for Retry and version negotiation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aioquic.asyncio import serve
from aioquic.buffer import Buffer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion, pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from probe.model import IcmpFacts
from probe.net.dialer import Counters
from tests.servers.certificates import Leaf

CLIENT = ("client", 0)
Change = Callable[[bytes], list[bytes]]


def configuration(leaf: Leaf, alpn: str = "h3", versions: list[int] | None = None) -> QuicConfiguration:
    given = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
    given.certificate = x509.load_pem_x509_certificate(leaf.certificate)
    given.private_key = load_pem_private_key(leaf.key, None)
    given.supported_versions = versions or [QuicProtocolVersion.VERSION_1]
    return given


@asynccontextmanager
async def serving_quic(leaf: Leaf, *, retry: bool = False, versions: list[int] | None = None) -> AsyncIterator[int]:
    """On a port of 127.0.0.1, which it yields."""
    server = await serve("127.0.0.1", 0, configuration=configuration(leaf, versions=versions), retry=retry)
    transport: Any = server._transport  # type: ignore[attr-defined]
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        server.close()
        await asyncio.sleep(0)


class QuicPeer:
    """A client's Datagrams, with a server at the other end. `change` says what becomes of each of its datagrams.

    The first `deaf` datagrams of the client do not arrive. `closing`: the code with which the first is answered.
    """

    def __init__(
        self, leaf: Leaf, *, alpn: str = "h3", change: Change = lambda data: [data],
        page: tuple[list[tuple[bytes, bytes]], bytes] | None = None, deaf: int = 0,
        closing: int | None = None,
    ) -> None:  # fmt: skip
        self.counters = Counters()
        self.icmp: IcmpFacts | None = None
        self.local = ("198.51.100.7", 40001)
        self.received: list[bytes] = []
        self.closed = False
        self._configuration = configuration(leaf, alpn)
        self._connection: QuicConnection | None = None
        self._h3: H3Connection | None = None
        self._page = page
        self._deaf = deaf
        self._closing = closing
        self._change = change
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def udp(self, address: str, port: int) -> QuicPeer:
        return self

    async def send(self, data: bytes) -> None:
        self.received.append(data)
        self.counters.sent(data)
        if len(self.received) <= self._deaf:
            return
        now = asyncio.get_running_loop().time()
        if self._connection is None:
            header = pull_quic_header(Buffer(data=data), host_cid_length=8)
            self._connection = QuicConnection(
                configuration=self._configuration, original_destination_connection_id=header.destination_cid
            )
        self._connection.receive_datagram(data, CLIENT, now)
        if self._closing is not None:
            self._connection.close(error_code=self._closing, frame_type=0)
        self._answer(self._connection)
        for answer, _ in self._connection.datagrams_to_send(now):
            for changed in self._change(answer):
                self._queue.put_nowait(changed)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        data = await self._queue.get()
        self.counters.received(data)
        return data

    def close(self) -> None:
        self.closed = True

    def _answer(self, connection: QuicConnection) -> None:
        while (event := connection.next_event()) is not None:
            if self._page is None:
                continue
            self._h3 = self._h3 or H3Connection(connection)
            for each in self._h3.handle_event(event):
                if isinstance(each, HeadersReceived):
                    self._h3.send_headers(each.stream_id, self._page[0])
                    self._h3.send_data(each.stream_id, self._page[1], end_stream=True)
