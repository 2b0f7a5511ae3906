"""The other halves of the handshakes that have no server module of their own, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from probe.codecs.stun import Address
from tests.opinion.cases import CLIENT
from tests.probe.builders import dns_reply, patched, refusal, stun_reply
from tests.servers import msturn, streams, webex, zoom
from tests.servers import sip as sip_server
from tests.servers.dtls import DtlsPeer

NO_CONTENT = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
Reply = Callable[[bytes], bytes]


class Once:
    """Answers what comes first over TCP, whole, with what `reply` makes of it."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def receive(self, data: bytes) -> bytes:
        return self._reply(data)


class Http2:
    """Answers the body of the first request over HTTP/2 with what `reply` makes of it."""

    def __init__(self, reply: Reply) -> None:
        self._reply, self._connection, self._body = reply, None, b""

    def receive(self, data: bytes) -> bytes:
        if self._connection is None:
            self._connection = H2Connection(H2Configuration(client_side=False))
            self._connection.initiate_connection()
        for event in self._connection.receive_data(data):
            if isinstance(event, DataReceived):
                self._body += event.data
            if isinstance(event, StreamEnded):
                headers = [(":status", "200"), ("content-type", "application/dns-message")]
                self._connection.send_headers(event.stream_id, headers)
                self._connection.send_data(event.stream_id, self._reply(self._body), end_stream=True)
        return self._connection.data_to_send()


def framed(reply: Reply) -> Reply:
    """Behind two bytes of length, in both directions (RFC 4571, and DNS over TCP)."""

    def wrapped(data: bytes) -> bytes:
        inner = reply(data[2:])
        return len(inner).to_bytes(2) + inner

    return wrapped


def over_udp(reply: Reply) -> Callable[..., Any]:
    return lambda data, sender: (reply(data),)


def sip(data: bytes, echo: bool = False) -> bytes:
    return sip_server.Server(realm="sip.example", echo=echo).answer(data) or b""


def reflected(data: bytes) -> bytes:
    """As in a capture of 2020 (nDPI telegram.pcap): tag, mark, constructor, date, query, and whom it saw: nobody."""
    return data[:16] + b"\xff" * 12 + bytes.fromhex("c77215c0") + bytes(4) + data[32:40] + bytes(20)


BINDING = stun_reply(("XOR-MAPPED-ADDRESS", Address(CLIENT, 40001)))
DATAGRAMS: dict[str, Callable[..., Any]] = {
    "dns-udp": over_udp(dns_reply("192.0.2.1")),
    "stun-udp": over_udp(BINDING),
    "stun-padded": over_udp(BINDING),
    "stun-padded-google": over_udp(BINDING),
    "turn-neutral": over_udp(refusal(401)),
    "turn-telegram": over_udp(patched("telegram-allocate-401")),
    "turn-signal": over_udp(patched("signal-allocate-401")),
    "turn-viber": over_udp(patched("viber-allocate-401")),
    "turn-facebook": over_udp(patched("facebook-allocate-401")),
    "turn-google": over_udp(patched("google-allocate-401")),
    "msturn": msturn.answer,
    "sip-udp": over_udp(sip),
    "sip-register": over_udp(sip),
    "sip-echo": over_udp(partial(sip, echo=True)),
    "sip-twin": over_udp(partial(sip, echo=True)),
    "zoom": zoom.answer,
    "reflector": over_udp(reflected),
    "webex": webex.answer,
}


class Encrypting(asyncio.DatagramProtocol):
    """A DTLS server for the one client that comes."""

    def __init__(self, peer: DtlsPeer) -> None:
        self.peer = peer
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.tasks.add(asyncio.create_task(self._answer(data, address)))

    async def _answer(self, data: bytes, address: Any) -> None:
        await self.peer.send(data)
        while not self.peer._queue.empty():
            self.transport.sendto(await self.peer.receive(), address)


def conversing(makes: streams.Makes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        responder = makes()
        while data := await reader.read(65536):
            writer.write(responder.receive(data))
        writer.close()

    return converse


def chatting(makes: streams.Makes) -> web.Application:
    async def converse(request: web.Request) -> web.WebSocketResponse:
        websocket, responder = web.WebSocketResponse(), makes()
        await websocket.prepare(request)
        async for message in websocket:
            await websocket.send_bytes(responder.receive(message.data))
        return websocket

    app = web.Application()
    app.router.add_get("/ws/chat", converse)
    return app
