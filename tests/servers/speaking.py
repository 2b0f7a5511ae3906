"""A service's other half in a few lines: over UDP a function from a datagram to its answers, over TCP a conversation.

Each server module gives one and is a program: `python -m tests.servers.msturn --listen 203.0.113.4:3478 …` serves on
every address given, `[2001:db8::4]:3478` too, until it is told to end. It is written without the product's codecs, so
that both would have to be wrong in the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
Address = tuple[str, int]
Answer = Callable[[bytes, Address], Sequence[bytes]]  # a datagram and who sent it
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        for reply in self.answer(data, address[:2]):
            self.transport.sendto(reply, address)


@asynccontextmanager
async def udp(answer: Answer, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serves; gives the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answering(answer), (host, port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@asynccontextmanager
async def tcp(conversation: Conversation, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serves; gives the port. A peer that goes away ends its conversation."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def command(module: ModuleType, *listen: str) -> list[str]:
    """What runs a server of this kind, wherever its working directory is."""
    where = [word for each in listen for word in ("--listen", each)]
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", module.__name__, *where]


def parser(what: str) -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=what)
    arguments.add_argument("--listen", action="append", required=True, metavar="ADDRESS:PORT")
    return arguments


def serve_udp(answer: Answer, listen: Sequence[str]) -> None:
    asyncio.run(_forever(udp, answer, listen))


def serve_tcp(conversation: Conversation, listen: Sequence[str]) -> None:
    asyncio.run(_forever(tcp, conversation, listen))


async def _forever(serving: Callable[..., Any], what: Any, listen: Sequence[str]) -> None:
    async with AsyncExitStack() as stack:
        for where in listen:
            host, _, port = where.rpartition(":")
            await stack.enter_async_context(serving(what, host.strip("[]"), int(port)))
        await asyncio.Event().wait()
