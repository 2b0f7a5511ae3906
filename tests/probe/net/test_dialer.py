"""Real sockets on loopback, and the error queue's structures built by hand."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import socket
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import IcmpFacts
from probe.net.dialer import IP_RECVERR, IPV6_RECVERR, SocketDialer, parse_extended_error, socket_address

DIALER = SocketDialer()
LOCALS = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]


@contextmanager
def bound(address: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.bind((address, 0))
        sock.setblocking(False)
        if kind is socket.SOCK_STREAM:
            sock.listen()
        yield sock


def closed_port(address: str, kind: socket.SocketKind) -> int:
    with bound(address, kind) as sock:
        return int(sock.getsockname()[1])


# --- UDP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_datagrams_go_out_and_in_and_are_counted(address: str) -> None:
    with bound(address) as server:
        datagrams = await DIALER.udp(address, server.getsockname()[1])
        for _ in range(2):
            await datagrams.send(b"abc")
        peer = server.recvfrom(10)[1]
        server.sendto(b"12345", peer)
        assert await datagrams.receive() == b"12345"
        counters = datagrams.counters
        assert (counters.bytes_sent, counters.packets_sent) == (6, 2)
        assert (counters.bytes_received, counters.packets_received) == (5, 1)
        assert datagrams.local == peer[:2]
        datagrams.close()


async def test_what_a_stranger_sends_does_not_come() -> None:
    with bound("127.0.0.1") as server, bound("127.0.0.1") as stranger:
        datagrams = await DIALER.udp(*server.getsockname())
        stranger.sendto(b"forged", datagrams.local)
        server.sendto(b"true", datagrams.local)
        assert await datagrams.receive() == b"true"
        datagrams.close()


@pytest.mark.parametrize(
    ("address", "facts"),
    [("127.0.0.1", IcmpFacts(type=3, code=3, from_target=True)), ("::1", IcmpFacts(type=1, code=4, from_target=True))],
)
async def test_a_refusal_by_icmp_is_an_error_with_its_sender(address: str, facts: IcmpFacts) -> None:
    datagrams = await DIALER.udp(address, closed_port(address, socket.SOCK_DGRAM))
    assert datagrams.icmp is None
    await datagrams.send(b"abc")
    with pytest.raises(ConnectionRefusedError):
        await datagrams.receive()
    assert datagrams.icmp == facts
    datagrams.close()


async def test_an_icmp_that_came_before_sending_again_is_raised_by_it() -> None:
    datagrams = await DIALER.udp("127.0.0.1", closed_port("127.0.0.1", socket.SOCK_DGRAM))
    await datagrams.send(b"abc")
    with pytest.raises(ConnectionRefusedError):
        await datagrams.send(b"abc")
    assert datagrams.icmp == IcmpFacts(type=3, code=3, from_target=True)
    assert datagrams.counters.packets_sent == 1
    datagrams.close()


async def test_after_an_icmp_the_genuine_reply_still_comes() -> None:
    with bound("127.0.0.1") as server:
        address = server.getsockname()
        server.close()
        datagrams = await DIALER.udp(*address)
        await datagrams.send(b"1")
        with pytest.raises(ConnectionRefusedError):
            await datagrams.receive()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(address)
            await datagrams.send(b"2")
            again.sendto(b"there", datagrams.local)
            assert await datagrams.receive() == b"there"
        datagrams.close()


async def test_each_call_has_a_port_of_its_own() -> None:
    with bound("127.0.0.1") as server:
        opened = [await DIALER.udp(*server.getsockname()) for _ in range(5)]
        assert len({each.local[1] for each in opened}) == 5
        for each in opened:
            each.close()


# --- TCP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_stream_carries_both_ways_is_counted_and_ends(address: str) -> None:
    with bound(address, socket.SOCK_STREAM) as server:
        stream = await DIALER.tcp(address, server.getsockname()[1])
        peer, _ = server.accept()
        await stream.send(b"abc")
        assert peer.recv(10) == b"abc"
        peer.sendall(b"12345")
        peer.close()
        assert await stream.receive() == b"12345"
        assert await stream.receive() == b""
        counters = stream.counters
        assert (counters.bytes_sent, counters.packets_sent) == (3, 1)
        assert (counters.bytes_received, counters.packets_received) == (5, 1)  # the end is no packet
        stream.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_closed_port_refuses(address: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        await DIALER.tcp(address, closed_port(address, socket.SOCK_STREAM))


async def test_a_reset_is_an_error() -> None:
    with bound("127.0.0.1", socket.SOCK_STREAM) as server:
        stream = await DIALER.tcp(*server.getsockname())
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionResetError):
            await stream.receive()
        stream.close()


# --- Leaving nothing behind -----------------------------------------------------------------------------------


@contextmanager
def full_backlog() -> Iterator[tuple[str, int]]:
    """An address whose connections are neither accepted nor refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
            waiting.append(sock)
        yield server.getsockname()
        for sock in waiting:
            sock.close()


async def test_a_cancelled_connect_leaves_no_socket() -> None:
    with warnings.catch_warnings(record=True) as seen, full_backlog() as address:
        warnings.simplefilter("always", ResourceWarning)
        task = asyncio.create_task(DIALER.tcp(*address))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
    assert [str(each.message) for each in seen if issubclass(each.category, ResourceWarning)] == []


async def test_what_keeps_coming_leaves_time_for_others() -> None:
    """Else a flood of junk could outlast every time limit."""
    with bound("127.0.0.1") as server, bound("127.0.0.1", socket.SOCK_STREAM) as listener:
        datagrams = await DIALER.udp(*server.getsockname())
        for _ in range(50):
            server.sendto(b"junk", datagrams.local)
        stream = await DIALER.tcp(*listener.getsockname())
        peer, _ = listener.accept()
        peer.sendall(bytes(100))
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for _ in range(50):
            await datagrams.receive()
        assert turns >= 45
        before = turns
        await stream.receive()
        assert turns > before
        task.cancel()
        for each in (datagrams, stream, peer):
            each.close()


# --- The error queue ------------------------------------------------------------------------------------------

V4 = (socket.IPPROTO_IP, IP_RECVERR)
V6 = (socket.IPPROTO_IPV6, IPV6_RECVERR)


def extended(origin: int, kind: int, code: int, offender: str | None) -> bytes:
    """A struct sock_extended_err and the offender's sockaddr, as linux/errqueue.h has them."""
    head = struct.pack("=IBBBBII", 111, origin, kind, code, 0, 0, 0)
    if offender is None:
        return head
    packed = socket.inet_pton(socket.AF_INET6 if ":" in offender else socket.AF_INET, offender)
    if ":" in offender:
        return head + struct.pack("=HHI", socket.AF_INET6, 0, 0) + packed + bytes(4)
    return head + struct.pack("=HH", socket.AF_INET, 0) + packed + bytes(8)


@pytest.mark.parametrize(
    ("where", "data", "error"),
    [
        (V4, extended(2, 3, 3, "203.0.113.4"), (3, 3, "203.0.113.4")),
        (V4, extended(2, 11, 0, "192.0.2.1"), (11, 0, "192.0.2.1")),
        (V6, extended(3, 1, 4, "2001:db8::4"), (1, 4, "2001:db8::4")),
        (V6, extended(3, 3, 0, "2001:db8::1"), (3, 0, "2001:db8::1")),
        (V4, extended(2, 3, 3, None), (3, 3, None)),
        (V4, extended(1, 0, 0, None), None),  # our own, such as a datagram that is too long
        ((socket.SOL_SOCKET, IP_RECVERR), extended(2, 3, 3, "203.0.113.4"), None),
    ],
)
def test_an_extended_error_says_what_came_and_from_whom(
    where: tuple[int, int], data: bytes, error: tuple[int, int, str | None] | None
) -> None:
    found = parse_extended_error(*where, data)
    sender = str(ipaddress.ip_address(found.sender)) if found and found.sender else None
    assert (found and (found.type, found.code, sender)) == error


@pytest.mark.parametrize("where", [V4, V6])
@given(data=st.binary(max_size=60))
def test_no_extended_error_raises(where: tuple[int, int], data: bytes) -> None:
    found = parse_extended_error(*where, data)
    assert found is None or len(data) >= 16


# --- Scoped addresses (NLnetLabs/ldns#176) --------------------------------------------------------------------


def test_a_scope_reaches_the_kernel_as_a_number() -> None:
    assert socket_address("203.0.113.7", 53) == ("203.0.113.7", 53)
    assert socket_address("fe80::1%7", 53) == ("fe80::1", 53, 0, 7)
    assert socket_address("fe80::1%lo", 53) == ("fe80::1", 53, 0, socket.if_nametoindex("lo"))
    with pytest.raises(OSError, match="interface"):
        socket_address("fe80::1%none", 53)


async def test_an_address_with_a_scope_is_dialled() -> None:
    with bound("::1") as server, bound("::1", socket.SOCK_STREAM) as listener:
        datagrams = await DIALER.udp("::1%lo", server.getsockname()[1])
        await datagrams.send(b"abc")
        assert server.recvfrom(10)[0] == b"abc"
        datagrams.close()
        (await DIALER.tcp("::1%lo", listener.getsockname()[1])).close()
