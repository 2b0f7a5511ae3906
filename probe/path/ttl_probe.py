"""Where on the path it dies: one packet, sent with TTL after TTL, and what comes back of each. Without root.

A router at which the TTL runs out says so by ICMP. The kernel gives that to the socket that sent the packet: over UDP
and for a SYN (Linux 5.18 and later) with the router's address, in an open TCP connection as an error alone
(IP_RECVERR, ip(7)). So a packet that nothing answers can be followed to the last router that saw it, and whoever
answers in a service's place is found at the TTL at which he first does. A router that says nothing to anybody says
nothing here: a neutral packet is followed beside the failing one.

Every TTL has a socket of its own, for a connection must be new for each; all of one packet's are asked at once. What
is sent in an open connection never reaches the service unless the TTL allows it, and the connection ends with a RST.
Where the kernel gives no senders, an error without one is nobody's word: it may be a reject as well. Only on Linux
(probe.net.platform); there is no sweeper elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import closing, suppress
from typing import Protocol

from msgspec import Struct

from probe.failure import fault_text, is_fault
from probe.model import ReplyKind, Transport
from probe.net.dialer import MAX_DATAGRAM, READ_SIZE, Counters, IcmpError, open_socket, read_error_queue, report_icmp
from probe.net.platform import HERE, Platform
from probe.net.waiting import StallWatch

TRIES = 2  # of a TTL that stays silent
LIMIT = 1.0  # seconds, of one try
LATER = 0.3  # of that, in which a reset may follow a router's word
TIME_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}  # ICMP's and ICMPv6's type
TTL_OPTION = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}
FAR = 64  # what a packet has that is to arrive
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a RST


logger = logging.getLogger(__name__)


class Packet(Struct, frozen=True, kw_only=True):
    """A packet to send. Over TCP without a payload it is the SYN, else the first data of an opened connection."""

    transport: Transport
    address: str
    port: int
    payload: bytes = b""


class Reply(Struct, frozen=True, kw_only=True):
    """The first reply to a packet. `sender` is the packed address that an ICMP error came from, `data` an answer's."""

    came: ReplyKind
    sender: bytes = b""
    data: bytes = b""


SILENCE = Reply(came=ReplyKind.SILENCE)


class Replies(Struct, frozen=True, kw_only=True):
    """The replies by TTL. A connection that did not open sent no packet, and has no reply."""

    by_ttl: dict[int, Reply]
    bytes_sent: int
    packets_sent: int


class Sweeper(Protocol):
    """Sends packets with small TTLs."""

    async def sweep(self, packet: Packet, ttls: Sequence[int], scale: float) -> Replies:
        """One packet with each of these TTLs, at the same time. Does not raise."""
        ...


class SocketSweeper:
    """A sweeper through real sockets of its own."""

    def __init__(self, platform: Platform = HERE) -> None:
        self._platform = platform

    async def sweep(self, packet: Packet, ttls: Sequence[int], scale: float) -> Replies:
        counters, senders = Counters(), self._platform.errors_have_senders
        found: dict[int, Reply] = {}
        for _ in range(TRIES):
            silent = [ttl for ttl in ttls if found.get(ttl, SILENCE) == SILENCE]
            replies = await asyncio.gather(*(_asked(packet, ttl, LIMIT * scale, counters, senders) for ttl in silent))
            found |= {ttl: reply for ttl, reply in zip(silent, replies, strict=True) if reply is not None}
        return Replies(
            by_ttl=dict(sorted(found.items())), bytes_sent=counters.bytes_sent, packets_sent=counters.packets_sent
        )


async def _asked(packet: Packet, ttl: int, limit: float, counters: Counters, senders: bool) -> Reply | None:
    """The reply; None where nothing was measured: it could not be asked, nobody listened, or by our own mistake."""
    try:
        return await _ask(packet, ttl, limit, counters, senders)
    except Exception as error:  # a sweep is an extra: it may cost no measurement
        logger.error("A fault of ours at a sweep:\n%s", fault_text(error))
        return None


async def _ask(packet: Packet, ttl: int, limit: float, counters: Counters, senders: bool) -> Reply | None:
    """The reply; None when there was nothing to ask with: no route, no more sockets, no connection."""
    try:
        sock = open_socket(packet.address, _kind(packet))
    except OSError:
        return None
    with closing(sock):
        report_icmp(sock)
        if packet.transport is Transport.UDP:
            return await _heard(sock, _ask_by_datagram(sock, packet, ttl, counters), limit, senders)
        if not packet.payload:
            return await _heard(sock, _ask_by_syn(sock, packet, ttl, counters), limit, senders)
        return await _ask_inside(sock, packet, ttl, limit, counters, senders)


async def _ask_by_datagram(sock: socket.socket, packet: Packet, ttl: int, counters: Counters) -> Reply:
    loop = asyncio.get_running_loop()
    _limit_ttl(sock, ttl)
    sock.connect((packet.address, packet.port))
    await loop.sock_sendall(sock, packet.payload)
    counters.sent(packet.payload)
    return Reply(came=ReplyKind.ANSWER, data=await loop.sock_recv(sock, MAX_DATAGRAM))


async def _ask_by_syn(sock: socket.socket, packet: Packet, ttl: int, counters: Counters) -> Reply:
    _limit_ttl(sock, ttl)
    counters.sent(b"")
    await asyncio.get_running_loop().sock_connect(sock, (packet.address, packet.port))
    return Reply(came=ReplyKind.ANSWER)


async def _ask_inside(
    sock: socket.socket, packet: Packet, ttl: int, limit: float, counters: Counters, senders: bool
) -> Reply | None:
    """The reply to data in a connection that opened with an ordinary TTL; None when it did not open."""
    try:
        async with asyncio.timeout(limit):
            await asyncio.get_running_loop().sock_connect(sock, (packet.address, packet.port))
    except (OSError, TimeoutError):
        return None
    try:
        reply = await _heard(sock, _say(sock, packet, ttl, counters), limit, senders)
        exceeded = reply is not None and reply.came is ReplyKind.EXCEEDED
        return await _or_a_later_reset(sock, limit * LATER, senders) if exceeded else reply
    finally:
        with suppress(OSError):  # a connection that was reset may have no options any more
            _limit_ttl(sock, FAR)  # so that the RST arrives
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)


async def _say(sock: socket.socket, packet: Packet, ttl: int, counters: Counters) -> Reply:
    _limit_ttl(sock, ttl)
    await asyncio.get_running_loop().sock_sendall(sock, packet.payload)
    counters.sent(packet.payload)
    return await _listen(sock)


async def _listen(sock: socket.socket) -> Reply:
    return Reply(
        came=ReplyKind.ANSWER if await asyncio.get_running_loop().sock_recv(sock, READ_SIZE) else ReplyKind.RESET
    )


async def _or_a_later_reset(sock: socket.socket, limit: float, senders: bool) -> Reply | None:
    """A slow box beside the path may break off what a router behind it has seen by then."""
    until = asyncio.get_running_loop().time() + limit
    reply: Reply | None = Reply(came=ReplyKind.EXCEEDED)
    while reply and reply.came is ReplyKind.EXCEEDED:  # of the same words sent again too
        left = until - asyncio.get_running_loop().time()
        reply = await _heard(sock, _listen(sock), max(left, 0.0), senders)
    return Reply(came=ReplyKind.EXCEEDED) if reply == SILENCE else reply


async def _heard(sock: socket.socket, asking: Awaitable[Reply], limit: float, senders: bool) -> Reply | None:
    """The reply to a question, errors and silence too; None where we ourselves stood still, or were at fault."""
    watch = StallWatch(limit)
    try:
        with watch:
            async with asyncio.timeout(limit):
                return await asking
    except TimeoutError:
        return None if watch.stood_still else SILENCE
    except OSError as error:
        return None if is_fault(error) else read_error(sock.family, error, read_error_queue(sock), senders)


def read_error(family: int, error: OSError, queued: Iterable[IcmpError], senders: bool) -> Reply:
    """The reply of which a socket's error tells; `senders`: this kernel gives the sender of every error it can.

    EHOSTUNREACH is the number of an exceeded TTL and of rejects alike. Where the kernel would have given a reject's
    sender, one without it is an open connection's, whose TTL ran out; elsewhere nothing can be told from it.
    """
    for icmp in queued:
        exceeded = icmp.type == TIME_EXCEEDED.get(socket.AddressFamily(family))
        return Reply(came=ReplyKind.EXCEEDED if exceeded else ReplyKind.REJECTED, sender=icmp.sender)
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
        return Reply(came=ReplyKind.RESET)
    if error.errno == errno.EHOSTUNREACH and senders:
        return Reply(came=ReplyKind.EXCEEDED)
    return SILENCE


def _kind(packet: Packet) -> socket.SocketKind:
    return socket.SOCK_DGRAM if packet.transport is Transport.UDP else socket.SOCK_STREAM


def _limit_ttl(sock: socket.socket, ttl: int) -> None:
    sock.setsockopt(*TTL_OPTION[sock.family], ttl)
