"""Waiting for the answer to what a session said, in pieces as they come, and telling it from everything else.

Three things look alike and mean different things: the stream ended before anything came (`eof_error`), something else
than the service answered (`unexpected_reply`), nothing came (a timeout). A proxy or a block page answers in HTTP,
whatever it was asked; what may be kept of its page is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import h11

from probe.failure import UNEXPECTED_REPLY, Failed
from probe.handshakes.http import Http1Response
from probe.handshakes.trace import Trace
from probe.model import HttpFacts, Operation
from probe.net.dialer import Counters, Stream
from probe.net.record import StepRecord

T = TypeVar("T")

HTTP = b"HTTP/"
PAGE_LIMIT = 2.0  # seconds: the page is an extra


async def answer(trace: Trace, record: StepRecord, stream: Stream, receive: Callable[[bytes], T | None]) -> T:
    """The answer that `receive` reads from the stream: it gives None while it needs more, ValueError for no answer.

    Raises OSError, EOFError, Failed(`unexpected_reply`).
    """
    read = b""
    while True:
        record.operation = Operation.READ
        data = await stream.receive()
        if not data and not read:
            raise EOFError
        read += data
        if read.startswith(HTTP):
            record.keep(await _page(trace, read, stream))
            raise _unexpected(record)
        if not data:  # the end, in the middle of something
            raise _unexpected(record)
        try:
            made = receive(data)
        except ValueError as error:
            raise _unexpected(record) from error
        if made is not None:
            return made


def _unexpected(record: StepRecord) -> Failed:
    record.operation = Operation.DECODE
    return Failed(UNEXPECTED_REPLY)


async def _page(trace: Trace, read: bytes, stream: Stream) -> HttpFacts | None:
    """The page that answers instead, as far as it comes: how it ends is no fact about the service."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))  # for h11's own order; never sent
    connection.send(h11.EndOfMessage())
    reading = Http1Response()
    with suppress(OSError, EOFError, Failed, TimeoutError):
        async with asyncio.timeout(trace.scaled(PAGE_LIMIT)):
            await reading.read(connection, _Resumed(read, stream))
    return None if reading.page is None else reading.page.facts(trace.instruments.fingerprints)


class _Resumed:
    """A stream of which some was read already."""

    def __init__(self, read: bytes, stream: Stream) -> None:
        self.counters: Counters = stream.counters
        self.send, self.acknowledged, self.close = stream.send, stream.acknowledged, stream.close
        self._read, self._stream = read, stream

    async def receive(self) -> bytes:
        read, self._read = self._read, b""
        return read or await self._stream.receive()
