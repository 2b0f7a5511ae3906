"""Small servers of our own over UDP: a function from a datagram to its answers, and a program around it.

    python -m tests.servers.msturn --listen 203.0.113.4:3478 --listen '[2001:db8::4]:3478' …

They are written without the product's codecs, so that both would have to be wrong in the same way.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.servers import streams
from tests.servers.process import running, where

Address = tuple[str, int]
Answer = Callable[[bytes, Address], Sequence[bytes]]  # of a datagram and who sent it

IMPOSTORS: dict[str, Answer] = {
    "silent": lambda data, sender: (),
    "echo": lambda data, sender: (data,),
    "junk": lambda data, sender: (bytes(range(64)),),
}


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        for reply in self.answer(data, address[:2]):
            self.transport.sendto(reply, address)


@asynccontextmanager
async def answering(answer: Answer, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serves; gives the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answering(answer), (host, port))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def serve(answer: Answer, places: Sequence[Address]) -> None:
    async with AsyncExitStack() as stack:
        for place in places:
            await stack.enter_async_context(answering(answer, *place))
        await asyncio.Event().wait()


def main(description: str, guises: Mapping[str, Answer]) -> None:
    """The program of a server that has no options of its own; an impostor is one of its guises."""
    given = streams.arguments(description).parse_args()
    asyncio.run(serve({**IMPOSTORS, **guises}[given.guise], given.listen))


@contextmanager
def program(
    protocol: str, directory: Path, places: Sequence[Address], guise: str = "genuine", inside: str | None = None
) -> Iterator[None]:
    """The server as a process of its own, in the network namespace `inside` if given, until the genuine one answers."""
    listen = [where(*place) for place in places]
    command = ["env", f"PYTHONPATH={streams.ROOT}", sys.executable, "-m", f"tests.servers.{protocol}", "--as", guise]
    command += [word for each in listen for word in ("--listen", each)]
    questions = [f"{protocol}:{each}" for each in listen] if guise == "genuine" else []
    with running(command, directory, questions, inside):
        yield
