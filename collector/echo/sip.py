"""Our own SIP server, for the probes' handshake `sip-echo`: it says byte for byte what reached it, in base64.

To the same conversation with every bit inverted (`sip-twin`) it answers inverted. It keeps and logs nothing. An answer
is some two times as long as what it answers, so over UDP no source gets many of them, nor all sources together.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from probe.codecs import sip
from probe.failure import UserError

WINDOW_S = 10.0
OF_ONE_SOURCE, OF_ALL = 10, 2_000  # answers over UDP in a window
LONGEST = 2_048  # bytes of a request
PATIENCE_S = 10.0  # with a connection


def answer(data: bytes) -> bytes | None:
    """The answer to a SIP request, or to one whose every bit is inverted; None to anything else."""
    if len(data) > LONGEST:  # unread
        return None
    plain = _answer(data)
    twin = None if plain else _answer(sip.inverted(data))
    return plain or (twin and sip.inverted(twin))


def _answer(data: bytes) -> bytes | None:
    try:
        request = sip.parse(data)
    except ValueError:
        return None
    if not request.method or request.method == "ACK":
        return None
    return sip.response(request, "200 OK", base64.b64encode(data))


class Rate:
    """The rate limit: how many answers may still go out in this window. Sources are forgotten with the window."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._given: Counter[str] = Counter()

    def allows(self, source: str) -> bool:
        if self._clock() - self._since >= WINDOW_S:
            self._since, self._given = self._clock(), Counter()
        place = _place(source)
        if self._given[place] >= OF_ONE_SOURCE or self._given.total() >= OF_ALL:
            return False
        self._given[place] += 1
        return True


def _place(source: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, of which whoever has one has all."""
    address = ipaddress.ip_address(source.partition("%")[0])
    return str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, rate: Rate) -> None:
        self._rate = rate

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        reply = answer(data)
        if reply is not None and self._rate.allows(address[0]):
            self._transport.sendto(reply, address)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request of a connection, and closes it."""
    with suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            reply = answer(await _request(reader))
            writer.write(reply or b"")
            await writer.drain()
    writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """The first message, as it came. Raises ValueError for what is too long or no SIP, either way round."""
    data = b""
    while received := await reader.read(LONGEST):
        data += received
        plain = data if data[:1] < b"\x80" else sip.inverted(data)
        length = sip.length(plain)
        if length is not None:
            return data[:length]
        if len(data) > LONGEST:
            break
    raise ValueError("This is no SIP request.")


@asynccontextmanager
async def listening(host: str, port: int) -> AsyncIterator[str]:
    """Answers over UDP and TCP; gives HOST:PORT. Raises UserError."""
    loop = asyncio.get_running_loop()
    try:
        server = await asyncio.start_server(_converse, host, port)
        bound = server.sockets[0].getsockname()[1]
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(Rate(loop.time)), (host, bound))
    except (OSError, OverflowError) as error:
        raise UserError(f"Cannot listen on {host}:{port}: {error}. Give another address or port.") from error
    try:
        yield f"{host}:{bound}"
    finally:
        transport.close()
        server.close()
