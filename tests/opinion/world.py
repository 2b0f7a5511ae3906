"""Serves the other half of every handshake, makes each of them once, and keeps what that took.

    unshare --net python -m tests.opinion.world DIRECTORY

Writes DIRECTORY/wire.pcap, and DIRECTORY/taken.json: case → what came of it. Needs root.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aioquic.asyncio import serve as serve_quic
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from msgspec import Struct
from msgspec.structs import replace

from probe.codecs.stun import Address
from probe.dialer import SocketDialer
from probe.model import Endpoint, Expect, Grade
from probe.secure.trust import Trust
from tests.opinion.capture import captured
from tests.opinion.cases import ADDRESSES, CASES, HTTPS, TCP, TLS, Case
from tests.probe.builders import dns_reply, instruments, patched, refusal, shake, stun_reply
from tests.probe.test_handshake_xmpp import to_whom
from tests.probe.test_xmpp import TLS as STARTTLS
from tests.probe.test_xmpp import says
from tests.servers import discord, msturn, mtproto, noise, streams, threema, viber, webex, zoom
from tests.servers import sip as sip_server
from tests.servers.certificates import Authority
from tests.servers.datagrams import answering
from tests.servers.dtls import DtlsPeer
from tests.servers.quic import configuration

CLIENT = "198.51.100.7"
PREPARE = (
    "ip link set lo up mtu 1500",
    f"ip address add {CLIENT}/32 dev lo",
    f"ip route add local 203.0.113.0/24 dev lo src {CLIENT}",  # all of it is here, and asked from another address
)
SEED = bytes(32)  # of the key that signs for our WhatsApp
NOT_FOUND = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
Reply = Callable[[bytes], bytes]


class Taken(Struct, frozen=True):
    """One handshake: its grade or failure, and its bytes as the observations have them."""

    grade: Grade | None
    failure: str | None
    bytes_sent: int
    bytes_received: int
    packets_sent: int


class World:
    """The servers of one run, and the keys that they have."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority.create()
        self.root = noise.Signer(SEED)
        self.chat = noise.identity(self.root)
        self.trust = Trust(self.authority.pem, {})

    def context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(*self.authority.leaf(name).write(self.directory, name))
        return context

    def endpoint(self, name: str) -> Endpoint:
        case = CASES[name]
        return Endpoint(
            host=ADDRESSES[name],
            port=case.port,
            transport=case.transport,
            handshake=case.handshake,
            server_name=case.server_name,
            expect=self.expected(case),
        )

    def expected(self, case: Case) -> Expect:
        """What the targets file would say, of servers with these keys."""
        keys = {
            "noise": self.root.public.hex(),
            "mtproto": mtproto.KEY.hex(),
            "threema": threema.PUBLIC.hex(),
        }.get(case.handshake.partition("-")[0])
        return replace(case.expect, keys=(keys,)) if keys else case.expect


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


def responders(world: World) -> dict[str, streams.Makes]:
    """Over TCP, and inside TLS where the case says so. A case that is not here only shakes hands."""
    chat = partial(noise.Chat, world.chat)
    return {
        "dns-tcp": lambda: Once(framed(dns_reply("192.0.2.1"))),
        "dns-tls": lambda: Once(framed(dns_reply("192.0.2.1"))),
        "dns-https": lambda: Http2(dns_reply("192.0.2.1")),
        "http": lambda: Once(lambda _: NOT_FOUND),
        "http-tls": lambda: Once(lambda _: NOT_FOUND),
        "stun-tcp": lambda: Once(BINDING),
        "stun-tls": lambda: Once(BINDING),
        "stun-4571": lambda: Once(framed(BINDING)),
        "turn-tcp": lambda: Once(refusal(401)),
        "turn-4571": lambda: Once(framed(patched("facebook-allocate-401"))),
        "sip-tcp": lambda: Once(sip),
        "sip-tls": lambda: Once(sip),
        "xmpp-tcp": lambda: Once(lambda request: says(STARTTLS.format("<required/>"), to=to_whom(request))),
        "xmpp-tls": lambda: Once(lambda request: says(to=to_whom(request))),
        "viber": viber.Server,
        "threema": threema.Server,
        "noise-443": chat,
        "noise-5222": chat,
        "noise-routed": chat,
        **{name: partial(mtproto.DataCentre, mtproto.KEY) for name in CASES if name.startswith("mtproto")},
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


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[None]:
    """Every case's server, but those that are programs of their own."""
    async with AsyncExitStack() as stack:
        for name, answer in DATAGRAMS.items():
            await stack.enter_async_context(answering(answer, ADDRESSES[name], CASES[name].port))
        conversations = responders(world)
        for name, case in CASES.items():
            inside = case.transport in (TLS, HTTPS) or case.handshake == "tls"
            if case.transport not in (TCP, TLS, HTTPS):
                continue
            context = world.context(case.server_name) if inside and case.server_name else None
            makes = conversations.get(name, lambda: streams.Says(b""))
            await asyncio.start_server(conversing(makes), ADDRESSES[name], case.port, ssl=context)
        await serve_websocket(world, "discord", discord.application())
        await serve_websocket(world, "noise-wss", chatting(partial(noise.Chat, world.chat)))
        loop, leaf = asyncio.get_running_loop(), world.authority.leaf("www.neutral.example")
        for name in (each for each in CASES if each.startswith("dtls")):
            place = (ADDRESSES[name], CASES[name].port)
            await loop.create_datagram_endpoint(lambda: Encrypting(DtlsPeer(leaf)), place)
        quic = configuration(world.authority.leaf("web.whatsapp.com"))
        for name in ("quic-whatsapp", "quic-other-name"):
            await serve_quic(ADDRESSES[name], 443, configuration=quic)
        yield


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


async def serve_websocket(world: World, name: str, app: web.Application) -> None:
    runner = web.AppRunner(app)
    await runner.setup()
    context = world.context(CASES[name].server_name or "")
    await web.TCPSite(runner, ADDRESSES[name], 443, ssl_context=context).start()


async def shaken(world: World) -> dict[str, Taken]:
    """Each case, one after the other, so that the capture reads as a list."""
    tools = instruments(SocketDialer(), trust=world.trust, wall_ms=lambda: time.time_ns() // 1_000_000, scale=0.2)
    taken = {}
    for name in CASES:
        seen = await shake(tools, world.endpoint(name))
        taken[name] = Taken(
            grade=seen.grade,
            failure=seen.failure,
            bytes_sent=sum(each.bytes_sent for each in seen.observations),
            bytes_received=sum(each.bytes_received for each in seen.observations),
            packets_sent=sum(each.packets_sent for each in seen.observations),
        )
    return taken


async def run(directory: Path) -> None:
    world = World(directory)
    async with serving(world):
        taken = await shaken(world)
    (directory / "taken.json").write_bytes(msgspec.json.encode(taken))


def main(directory: Path) -> int:
    for command in PREPARE:
        subprocess.run(command.split(), check=True)
    with captured(directory / "wire.pcap"):
        asyncio.run(run(directory))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
