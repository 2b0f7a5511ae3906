"""HTTP as bytes, from any source of loopback: light enough that thousands of clients are no load of their own.

All of 127.0.0.0/8 is this machine, so that clients may come from as many /24s as there are volunteers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct

from collector.front.batches import CONTENT_TYPE

Address = tuple[str, int]
LONGEST_S = 60.0  # to wait for an answer
HERE = "127.0.0.1"


class Gone(Exception):
    """The connection ended, or was never made, without an answer."""


class Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]  # by names in lower case
    body: bytes


def source(number: int) -> str:
    """An address of loopback, in a /24 of its own for each number up to 50,000."""
    return f"127.{1 + number // 250}.{number % 250}.7"


def get(path: str, **headers: str) -> bytes:
    return _request("GET", path, headers)


def post(body: bytes) -> bytes:
    """An upload."""
    return _request("POST", "/v1/batches", {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}) + body


def _request(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: collector", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(address: Address, request: bytes, source: str = HERE, limit_s: float = LONGEST_S) -> Answer:
    """The answer, on a connection of its own. Raises Gone, and TimeoutError."""
    async with asyncio.timeout(limit_s):
        wire = await Wire.to(address, source)
        try:
            return await wire.ask(request)
        finally:
            wire.close()


class Wire:
    """A connection, on which one request follows the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def to(cls, address: Address, source: str = HERE) -> Wire:
        """Raises Gone."""
        try:
            return cls(*await asyncio.open_connection(*address, local_addr=(source, 0)))
        except OSError as error:
            raise Gone(str(error)) from error

    async def ask(self, request: bytes) -> Answer:
        """Raises Gone."""
        try:
            self.writer.write(request)
            return await self._answer()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Gone(type(error).__name__) from error

    async def ended(self) -> None:
        """Waits until the other side ends it, whatever it says before."""
        with suppress(OSError):
            while await self._reader.read(65_536):
                pass

    def close(self) -> None:
        self.writer.transport.abort()

    async def _answer(self) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body
