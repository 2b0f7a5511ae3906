"""A server of Viber's on TCP 5242: answers the greeting with one message, framed as Viber frames."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tests.servers import speaking

GREETING = bytes.fromhex("180000000000fcff05800900000000000000000033000000")
SIZE = 516  # bytes, as in the capture


def answer() -> bytes:
    head = SIZE.to_bytes(2, "little") + bytes.fromhex("ed030380000000000a00")
    return head + bytes(number % 256 for number in range(SIZE - len(head)))


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.readexactly(len(GREETING)) == GREETING:
        writer.write(answer())
    await reader.read()  # until the client goes


def main(arguments: Sequence[str]) -> None:
    speaking.serve_tcp(converse, speaking.parser("a server of Viber's").parse_args(arguments).listen)


if __name__ == "__main__":
    main(sys.argv[1:])
