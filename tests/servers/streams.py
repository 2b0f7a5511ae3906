"""Small servers of our own over TCP: a responder without sockets for each connection, and a program around it.

    python -m tests.servers.noise --listen 127.0.0.1:5222 --listen '[::1]:5222' …

A responder is given what came and says what to send back; it raises ValueError when it would hang up.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

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


async def serve(makes: Makes, places: Sequence[tuple[str, int]]) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        responder = makes()
        with suppress(OSError, ValueError):
            while data := await reader.read(65536):
                writer.write(responder.receive(data))
                await writer.drain()
        writer.close()

    for host, port in places:
        await asyncio.start_server(converse, host, port, reuse_address=True)
    await asyncio.Event().wait()


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--listen", action="append", required=True, type=place, metavar="ADDRESS:PORT")
    parser.add_argument("--as", dest="guise", default="genuine", help="genuine, or one of the impostors")
    return parser


def place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def program(
    module: str, directory: Path, places: Sequence[tuple[str, int]], more: Sequence[str] = (), inside: str | None = None
) -> Iterator[None]:
    """The module as a process of its own, in the network namespace `inside` if given, until it accepts connections."""
    listen = [word for address, port in places for word in ("--listen", where(address, port))]
    command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", module, *listen, *more]
    with running(command, directory, [f"tcp:{where(address, port)}" for address, port in places], inside):
        yield
