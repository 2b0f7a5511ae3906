"""The one place that dials: connected UDP sockets and TCP streams that count what passes.

Sockets are connected, so that an ICMP unreachable reaches us, and its sender is read from the error queue: an ICMP
from the target itself says that the path is open, one from elsewhere that somebody on the path refuses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Protocol

from probe.model import IcmpFacts
from probe.net.platform import HERE, Platform

MAX_DATAGRAM = 65535
READ_SIZE = 65536
IP_RECVERR = 11  # linux/in.h
IPV6_RECVERR = 25  # linux/in6.h
MSG_ERRQUEUE = 0x2000
EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err
TCP_INFO = 11  # linux/tcp.h
UNACKED = slice(24, 28)  # of struct tcp_info: tcpi_unacked, segments
ICMP_ORIGINS = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6; a local error has another origin


@dataclass(slots=True)
class Counters:
    """The traffic of one socket, in payload bytes and in datagrams or segments handed over."""

    bytes_sent: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_received: int = 0

    def sent(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        self.packets_sent += 1

    def received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        self.packets_received += 1 if data else 0

    def copy(self) -> Counters:
        return self.since(Counters())

    def since(self, before: Counters) -> Counters:
        """The traffic after `before`."""
        return Counters(
            self.bytes_sent - before.bytes_sent,
            self.bytes_received - before.bytes_received,
            self.packets_sent - before.packets_sent,
            self.packets_received - before.packets_received,
        )

    def add(self, more: Counters) -> None:
        self.bytes_sent += more.bytes_sent
        self.bytes_received += more.bytes_received
        self.packets_sent += more.packets_sent
        self.packets_received += more.packets_received


class Datagrams(Protocol):
    """A connected UDP socket."""

    counters: Counters
    icmp: IcmpFacts | None  # the last ICMP error that came for it

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port: to compare with, never to keep."""
        ...

    async def send(self, data: bytes) -> None:
        """Sends a datagram. Raises OSError, also for an ICMP error that came since."""
        ...

    async def receive(self) -> bytes:
        """The next datagram. Raises OSError for an ICMP error."""
        ...

    def close(self) -> None: ...


class Stream(Protocol):
    """A TCP connection, or something secure on top of one."""

    counters: Counters

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """The bytes that came; b"" at the end of the stream."""
        ...

    def acknowledged(self) -> bool | None:
        """The other end's TCP has acknowledged all that was sent; None where that cannot be known."""
        ...

    def close(self) -> None: ...


class Dialer(Protocol):
    """Opens sockets. Both methods take a literal address and raise OSError."""

    async def udp(self, address: str, port: int) -> Datagrams: ...

    async def tcp(self, address: str, port: int) -> Stream: ...


class SocketDialer:
    """A dialer of real sockets. Each call makes one of its own, so each attempt has a fresh source port."""

    def __init__(self, platform: Platform = HERE) -> None:
        self._platform = platform

    async def udp(self, address: str, port: int) -> Datagrams:
        sock = open_socket(address, socket.SOCK_DGRAM)
        try:
            if self._platform.queues_errors:
                report_icmp(sock)
            sock.connect(socket_address(address, port))
        except BaseException:
            sock.close()
            raise
        return SocketDatagrams(sock, address, self._platform)

    async def tcp(self, address: str, port: int) -> Stream:
        sock = open_socket(address, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(sock, socket_address(address, port))
        except BaseException:
            sock.close()
            raise
        return SocketStream(sock, self._platform)


class SocketDatagrams:
    def __init__(self, sock: socket.socket, address: str, platform: Platform = HERE) -> None:
        self.counters = Counters()
        self.icmp: IcmpFacts | None = None
        self._socket = sock
        self._address = address
        self._platform = platform

    @property
    def local(self) -> tuple[str, int]:
        host, port, *_ = self._socket.getsockname()
        return host, port

    async def send(self, data: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except OSError:
            self._read_error_queue()
            raise
        self.counters.sent(data)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)  # what waits is read without a pause, and a flood of it must not outlast a time limit
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, MAX_DATAGRAM)
        except OSError:
            self._read_error_queue()
            raise
        self.counters.received(data)
        return data

    def close(self) -> None:
        self._socket.close()

    def _read_error_queue(self) -> None:
        for error in read_error_queue(self._socket) if self._platform.queues_errors else ():
            from_target = error.sender == ipaddress.ip_address(self._address).packed
            self.icmp = IcmpFacts(type=error.type, code=error.code, from_target=from_target)


class SocketStream:
    def __init__(self, sock: socket.socket, platform: Platform = HERE) -> None:
        self.counters = Counters()
        self._socket = sock
        self._platform = platform

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)
        self.counters.sent(data)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)  # as above
        data = await asyncio.get_running_loop().sock_recv(self._socket, READ_SIZE)
        self.counters.received(data)
        return data

    def acknowledged(self) -> bool | None:
        if not self._platform.tells_acknowledged:
            return None
        try:
            information = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, UNACKED.stop)
        except OSError:
            return None
        return not any(information[UNACKED]) if len(information) == UNACKED.stop else None

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True, slots=True)
class IcmpError:
    """One ICMP error, with the packed address of its sender: to compare with, never to keep."""

    type: int
    code: int
    sender: bytes


def read_error_queue(sock: socket.socket) -> list[IcmpError]:
    """The ICMP errors of one entry of a socket's error queue; none where there is none, or no such queue."""
    try:
        _, ancillary, _, _ = sock.recvmsg(512, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return []
    return [error for each in ancillary if (error := parse_extended_error(*each)) is not None]


def parse_extended_error(level: int, kind: int, data: bytes) -> IcmpError | None:
    """The ICMP error in a `sock_extended_err`, with the offender behind it (linux/errqueue.h); None for others."""
    if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
        return None
    if len(data) < EXTENDED_ERROR.size:
        return None
    _, origin, icmp_type, code, _, _, _ = EXTENDED_ERROR.unpack_from(data)
    if origin not in ICMP_ORIGINS:
        return None
    return IcmpError(icmp_type, code, data[20:24] if level == socket.IPPROTO_IP else data[24:40])


def socket_address(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address for connect, in which a scope (RFC 4007) is a number: as text it is lost. Raises OSError."""
    host, _, scope = address.partition("%")
    if not scope:
        return host, port
    return host, port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def open_socket(address: str, kind: socket.SocketKind) -> socket.socket:
    """A socket of the address's family that does not block, for asyncio."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock


def report_icmp(sock: socket.socket) -> None:
    """Has the kernel keep ICMP errors, with their senders, in the socket's error queue."""
    level, option = (
        (socket.IPPROTO_IPV6, IPV6_RECVERR) if sock.family == socket.AF_INET6 else (socket.IPPROTO_IP, IP_RECVERR)
    )
    try:
        sock.setsockopt(level, option, 1)
    except OSError:
        return  # the errors still come, only without their sender
