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
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import web
from aioquic.asyncio import serve as serve_quic
from msgspec import Struct
from msgspec.structs import replace

from probe.model import Endpoint, Expect, Grade
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.opinion.capture import captured
from tests.opinion.cases import ADDRESSES, CASES, CLIENT, HTTPS, TCP, TLS, Case
from tests.opinion.speakers import (
    BINDING,
    DATAGRAMS,
    NO_CONTENT,
    Encrypting,
    Http2,
    Once,
    chatting,
    conversing,
    framed,
    sip,
)
from tests.probe.builders import dns_reply, instruments, patched, refusal, shake
from tests.probe.codecs.test_xmpp import TLS as STARTTLS
from tests.probe.codecs.test_xmpp import says
from tests.probe.handshakes.test_xmpp import to_whom
from tests.servers import discord, mtproto, noise, streams, threema, viber
from tests.servers.certificates import Authority
from tests.servers.datagrams import answering
from tests.servers.dtls import DtlsPeer
from tests.servers.quic import configuration

PREPARE = (
    "ip link set lo up mtu 1500",
    f"ip address add {CLIENT}/32 dev lo",
    f"ip route add local 203.0.113.0/24 dev lo src {CLIENT}",  # all of it is here, and asked from another address
)
SEED = bytes(32)  # of the key that signs for our WhatsApp


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


def responders(world: World) -> dict[str, streams.Makes]:
    """Over TCP, and inside TLS where the case says so. A case that is not here only shakes hands."""
    chat = partial(noise.Chat, world.chat)
    return {
        "dns-tcp": lambda: Once(framed(dns_reply("192.0.2.1"))),
        "dns-tls": lambda: Once(framed(dns_reply("192.0.2.1"))),
        "dns-https": lambda: Http2(dns_reply("192.0.2.1")),
        "http": lambda: Once(lambda _: NO_CONTENT),
        "http-tls": lambda: Once(lambda _: NO_CONTENT),
        "stun-tcp": lambda: Once(BINDING),
        "stun-tls": lambda: Once(BINDING),
        "stun-4571": lambda: Once(framed(BINDING)),
        "stun-padded-4571": lambda: Once(framed(BINDING)),
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


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[None]:
    """Every case's server, but those that are programs of their own."""
    async with AsyncExitStack() as stack:
        for name, answer in DATAGRAMS.items():
            await stack.enter_async_context(answering(answer, ADDRESSES[name], CASES[name].port))
        conversations = responders(world)
        for name, case in CASES.items():
            inside = case.transport in (TLS, HTTPS) or case.handshake.startswith("tls")
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
