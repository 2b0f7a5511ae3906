"""A chat server of Threema's with a key of our own: proves itself, and waits for a login that does not come."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial

import nacl.bindings

from tests.servers import speaking

SECRET = bytes(range(1, 33))  # nobody's
PUBLIC = nacl.bindings.crypto_scalarmult_base(SECRET)


def answer(hello: bytes, secret: bytes = SECRET, cookie: bytes | None = None) -> bytes:
    """By libsodium's own functions, which the client reaches by others."""
    client, challenge = hello[:32], hello[32:]
    cookie = cookie or os.urandom(16)
    fresh = nacl.bindings.crypto_scalarmult_base(os.urandom(32))
    shared = nacl.bindings.crypto_box_beforenm(client, secret)
    nonce = cookie + bytes([1, 0, 0, 0, 0, 0, 0, 0])
    return cookie + nacl.bindings.crypto_box_afternm(fresh + challenge, nonce, shared)


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: bytes = SECRET) -> None:
    writer.write(answer(await reader.readexactly(48), secret))
    await reader.read()  # until the client goes


def main(arguments: Sequence[str]) -> None:
    parser = speaking.parser("a chat server of Threema's")
    parser.add_argument("--secret", type=bytes.fromhex, default=SECRET, help="32 bytes in hex")
    given = parser.parse_args(arguments)
    speaking.serve_tcp(partial(converse, secret=given.secret), given.listen)


if __name__ == "__main__":
    main(sys.argv[1:])
