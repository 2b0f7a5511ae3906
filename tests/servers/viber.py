"""A server of Viber's on TCP 5242: answers the greeting with one message, framed as Viber frames.

python -m tests.servers.viber --listen 203.0.113.4:5242 [--as IMPOSTOR]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tests.servers import streams
from tests.servers.streams import IMPOSTORS, Makes

GREETING = bytes.fromhex("180000000000fcff05800900000000000000000033000000")
SIZE = 516  # bytes, as in the capture


class Server:
    def __init__(self) -> None:
        self._read = b""

    def receive(self, data: bytes) -> bytes:
        self._read += data
        if not GREETING.startswith(self._read):
            raise ValueError("This is no greeting.")
        return answer() if self._read == GREETING else b""


def answer() -> bytes:
    head = SIZE.to_bytes(2, "little") + bytes.fromhex("ed030380000000000a00")
    return head + bytes(number % 256 for number in range(SIZE - len(head)))


GUISES: Mapping[str, Makes] = {"genuine": Server, "replay": lambda: streams.Says(answer()), **IMPOSTORS}


def main() -> None:
    given = streams.arguments("A server of Viber's, up to its answer to the greeting.").parse_args()
    asyncio.run(streams.serve(GUISES[given.guise], given.listen))


if __name__ == "__main__":
    main()
