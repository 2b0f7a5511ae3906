"""A chat server of Threema's with a key of our own: proves itself, and waits for a login that does not come.

python -m tests.servers.threema --listen 203.0.113.4:5222 [--secret HEX] [--as IMPOSTOR]
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial

import nacl.bindings

from tests.servers import streams
from tests.servers.streams import IMPOSTORS, Makes

SECRET = bytes(range(1, 33))  # nobody's
PUBLIC = nacl.bindings.crypto_scalarmult_base(SECRET)
HELLO_BYTES = 48


class Server:
    def __init__(self, secret: bytes = SECRET) -> None:
        self._secret, self._read = secret, b""

    def receive(self, data: bytes) -> bytes:
        self._read += data
        if len(self._read) > HELLO_BYTES:
            raise ValueError("That would be a login.")
        return answer(self._read, self._secret) if len(self._read) == HELLO_BYTES else b""


def answer(hello: bytes, secret: bytes = SECRET, cookie: bytes | None = None) -> bytes:
    """By libsodium's own functions, which the client reaches by others."""
    client, challenge = hello[:32], hello[32:]
    cookie = cookie or os.urandom(16)
    fresh = nacl.bindings.crypto_scalarmult_base(os.urandom(32))
    shared = nacl.bindings.crypto_box_beforenm(client, secret)
    nonce = cookie + bytes([1, 0, 0, 0, 0, 0, 0, 0])
    return cookie + nacl.bindings.crypto_box_afternm(fresh + challenge, nonce, shared)


def guises(secret: bytes) -> Mapping[str, Makes]:
    """The genuine server and its impostors, by name."""
    recorded = answer(PUBLIC + bytes(16), secret)
    return {
        "genuine": partial(Server, secret),
        "other-key": lambda: Server(os.urandom(32)),
        "replay": lambda: streams.Says(recorded),
        **IMPOSTORS,
    }


def main() -> None:
    parser = streams.arguments("A chat server of Threema's, up to its proof.")
    parser.add_argument("--secret", type=bytes.fromhex, default=SECRET, help="its key, 32 bytes in hex")
    given = parser.parse_args()
    asyncio.run(streams.serve(guises(given.secret)[given.guise], given.listen))


if __name__ == "__main__":
    main()
