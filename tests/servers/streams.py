"""Small servers of our own over TCP: a responder without sockets for each connection, and a program around it.

    python -m tests.servers.noise --listen 127.0.0.1:5222 --listen '[::1]:5222' …

A responder is given what came and says what to send back; it raises ValueError when it would hang up.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from aiohttp import web

from tests.servers.process import running, where

ROOT = Path(__file__).parents[2]


class Responder(Protocol):
    def receive(self, data: bytes) -> bytes: ...


Makes = Callable[[], Responder]


class Says:
    """An impostor that answers everything with the same bytes, whatever it is asked."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply

    def receive(self, _: bytes) -> bytes:
        reply, self._reply = self._reply, b""
        return reply


PORTAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 37\r\n\r\n<html><title>Please log in</title></ht"
IMPOSTORS: dict[str, Makes] = {
    "silent": lambda: Says(b""),  # answers any TCP, and nothing that is said on it
    "portal": lambda: Says(PORTAL),
    "junk": lambda: Says(bytes(range(256)) * 4),
}


class Inside(NamedTuple):
    """Where the same responders are inside a WebSocket over TLS: its places, its certificate and key, its path."""

    places: Sequence[tuple[str, int]]
    certificate: str
    key: str
    path: str


async def serve(makes: Makes, places: Sequence[tuple[str, int]], inside: Inside | None = None) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        responder = makes()
        with suppress(OSError, ValueError):
            while data := await reader.read(65536):
                writer.write(responder.receive(data))
                await writer.drain()
        writer.close()

    for host, port in places:
        await asyncio.start_server(converse, host, port, reuse_address=True)
    if inside is not None:
        await _serve_websockets(makes, inside)
    await asyncio.Event().wait()


async def _serve_websockets(makes: Makes, inside: Inside) -> None:
    async def converse(request: web.Request) -> web.WebSocketResponse:
        websocket, responder = web.WebSocketResponse(), makes()
        await websocket.prepare(request)
        with suppress(OSError, ValueError):
            async for message in websocket:
                if reply := responder.receive(message.data):
                    await websocket.send_bytes(reply)
        return websocket

    app = web.Application()
    app.router.add_get(inside.path, converse)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(inside.certificate, inside.key)
    for host, port in inside.places:
        await web.TCPSite(runner, host, port, ssl_context=context, reuse_address=True).start()


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--listen", action="append", default=[], type=place, metavar="ADDRESS:PORT")
    parser.add_argument("--as", dest="guise", default="genuine", help="genuine, or one of the impostors")
    return parser


def place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def program(
    module: str,
    directory: Path,
    places: Mapping[str, Sequence[tuple[str, int]]],
    more: Sequence[str] = (),
    inside: str | None = None,
) -> Iterator[None]:
    """The module as a process of its own, in the network namespace `inside` if given, until it accepts connections.

    `places` has those of each option, `--listen` and the like.
    """
    listen = [(option, where(*each)) for option, several in places.items() for each in several]
    command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", module, *(word for pair in listen for word in pair)]
    with running([*command, *more], directory, [f"tcp:{each}" for _, each in listen], inside):
        yield
