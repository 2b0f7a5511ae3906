"""One packet with several TTLs, through real sockets on loopback; how far it gets on a path is in tests/lab."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import ReplyKind, Transport
from probe.net.dialer import IcmpError
from probe.path.ttl_probe import ABORT, FAR, TRIES, Packet, Replies, Reply, SocketSweeper, _heard, read_error
from tests.probe.net.test_dialer import bound, closed_port
from tests.scripted import freeze_at, run

ADDRESSES = ["127.0.0.1", "::1"]
ROUTER, ROUTER6 = bytes((192, 0, 2, 1)), bytes.fromhex("20010db8000000000000000000000001")
SCALE = 0.2  # of a second for each of the tries
both = pytest.mark.parametrize("address", ADDRESSES)


async def swept(transport: Transport, address: str, port: int, payload: bytes = b"", ttls: Any = (1, 2)) -> Replies:
    packet = Packet(transport=transport, address=address, port=port, payload=payload)
    return await SocketSweeper().sweep(packet, ttls, SCALE)


def came(replies: Replies) -> list[ReplyKind]:
    return [reply.came for reply in replies.by_ttl.values()]


# --- Datagrams ----------------------------------------------------------------------------------------------------


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, sender: Any) -> None:
        self.transport.sendto(data[::-1], sender)


@both
async def test_a_datagram_that_is_answered(address: str) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=(address, 0))
    replies = await swept(Transport.UDP, address, transport.get_extra_info("sockname")[1], b"abc")
    transport.close()
    assert replies.by_ttl == {
        1: Reply(came=ReplyKind.ANSWER, data=b"cba"),
        2: Reply(came=ReplyKind.ANSWER, data=b"cba"),
    }
    assert (replies.bytes_sent, replies.packets_sent) == (6, 2)


@both
async def test_a_datagram_that_is_rejected_has_its_sender(address: str) -> None:
    replies = await swept(Transport.UDP, address, closed_port(address, socket.SOCK_DGRAM), b"abc")
    own = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    assert replies.by_ttl == dict.fromkeys((1, 2), Reply(came=ReplyKind.REJECTED, sender=own))


@both
async def test_silence_is_asked_again_and_no_more(address: str) -> None:
    with bound(address) as silent:
        replies = await swept(Transport.UDP, address, silent.getsockname()[1], b"abc", ttls=[3])
    assert came(replies) == [ReplyKind.SILENCE]
    assert replies.packets_sent == TRIES


# --- Connections --------------------------------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def serving(address: str, serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, address, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(100))
    await writer.drain()
    writer.close()


async def abort(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    writer.close()


async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.close()


@both
async def test_a_connection_that_is_accepted(address: str) -> None:
    async with serving(address, end) as port:
        replies = await swept(Transport.TCP, address, port)
    assert came(replies) == [ReplyKind.ANSWER, ReplyKind.ANSWER]
    assert (replies.bytes_sent, replies.packets_sent) == (0, 2)


@both
async def test_a_connection_that_is_refused(address: str) -> None:
    replies = await swept(Transport.TCP, address, closed_port(address, socket.SOCK_STREAM))
    assert came(replies) == [ReplyKind.RESET, ReplyKind.RESET]


@both
@pytest.mark.parametrize(
    ("serve", "what"), [(answer, ReplyKind.ANSWER), (abort, ReplyKind.RESET), (end, ReplyKind.RESET)]
)
async def test_what_is_said_inside_a_connection(address: str, serve: Serve, what: ReplyKind) -> None:
    async with serving(address, serve) as port:
        replies = await swept(Transport.TCP, address, port, b"hello")
    assert came(replies) == [what, what]
    assert (replies.bytes_sent, replies.packets_sent) == (10, 2)


async def test_a_connection_that_nobody_answers_in_ends_with_a_reset() -> None:
    ends: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(100) == b"hello"
        try:
            ends.put_nowait(await reader.read(100))
        except ConnectionResetError as error:
            ends.put_nowait(error)
        writer.close()

    async with serving("127.0.0.1", silent) as port:
        replies = await swept(Transport.TCP, "127.0.0.1", port, b"hello", ttls=[2])
        found = [await ends.get() for _ in range(TRIES)]
    assert came(replies) == [ReplyKind.SILENCE]
    assert [type(each) for each in found] == [ConnectionResetError] * TRIES


async def test_a_socket_that_takes_no_more_options_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS says EINVAL of a socket whose connection was reset."""

    def limit(sock: socket.socket, ttl: int) -> None:
        if ttl == FAR:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("probe.path.ttl_probe._limit_ttl", limit)
    async with serving("127.0.0.1", abort) as port:
        replies = await swept(Transport.TCP, "127.0.0.1", port, b"hello")
    assert came(replies) == [ReplyKind.RESET, ReplyKind.RESET]


async def test_what_could_not_be_said_has_no_reply() -> None:
    replies = await swept(Transport.TCP, "127.0.0.1", closed_port("127.0.0.1", socket.SOCK_STREAM), b"hello")
    assert (replies.by_ttl, replies.packets_sent) == ({}, 0)


# --- Ours ---------------------------------------------------------------------------------------------------------


def heard(asking: Callable[[], Any], **freeze: float) -> Reply | None:
    """What comes of a question on a clock that does not wait."""

    async def work() -> Reply | None:
        if freeze:
            freeze_at(freeze["at"], freeze["seconds"])
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            return await _heard(sock, asking(), 1.0, senders=True)

    return run(work())


async def nothing() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def test_silence_while_we_stood_still_is_no_reply() -> None:
    assert heard(nothing) == Reply(came=ReplyKind.SILENCE)
    assert heard(nothing, at=0.5, seconds=60.0) is None


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.EADDRNOTAVAIL])
def test_a_packet_that_was_not_sent_has_no_reply(number: int) -> None:
    async def full() -> Reply:
        raise OSError(number, "x")

    assert heard(full) is None


async def test_a_mistake_of_ours_costs_its_reply_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mistaken(*_: Any) -> Reply:
        raise ZeroDivisionError

    monkeypatch.setattr("probe.path.ttl_probe._ask_by_syn", mistaken)
    replies = await swept(Transport.TCP, "127.0.0.1", 9)
    assert replies.by_ttl == {}


# --- Errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "number", "queued", "reply"),
    [
        (socket.AF_INET, errno.EHOSTUNREACH, [IcmpError(11, 0, ROUTER)], Reply(came=ReplyKind.EXCEEDED, sender=ROUTER)),
        (
            socket.AF_INET6,
            errno.EHOSTUNREACH,
            [IcmpError(3, 0, ROUTER6)],
            Reply(came=ReplyKind.EXCEEDED, sender=ROUTER6),
        ),
        (socket.AF_INET, errno.EHOSTUNREACH, [IcmpError(3, 1, ROUTER)], Reply(came=ReplyKind.REJECTED, sender=ROUTER)),
        (socket.AF_INET6, errno.EACCES, [IcmpError(1, 1, ROUTER6)], Reply(came=ReplyKind.REJECTED, sender=ROUTER6)),
        (socket.AF_INET, errno.EHOSTUNREACH, [], Reply(came=ReplyKind.EXCEEDED)),  # in an open connection
        (socket.AF_INET, errno.ECONNREFUSED, [], Reply(came=ReplyKind.RESET)),
        (socket.AF_INET, errno.ECONNRESET, [], Reply(came=ReplyKind.RESET)),
        (socket.AF_INET, errno.ENETUNREACH, [], Reply(came=ReplyKind.SILENCE)),  # this device's own word
        (socket.AF_INET, errno.EPERM, [], Reply(came=ReplyKind.SILENCE)),
    ],
)
def test_what_an_error_says(family: int, number: int, queued: list[IcmpError], reply: Reply) -> None:
    assert read_error(family, OSError(number, ""), queued, senders=True) == reply


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_error_without_its_sender_says_nothing_where_the_kernel_gives_none(family: int) -> None:
    """Before Linux 5.18 a home's router that rejects a SYN by ICMP looks like one at which its TTL ran out."""
    assert read_error(family, OSError(errno.EHOSTUNREACH, ""), [], senders=False) == Reply(came=ReplyKind.SILENCE)


@given(st.sampled_from([socket.AF_INET, socket.AF_INET6]), st.integers(1, 133), st.binary(max_size=16))
def test_no_error_raises(family: int, number: int, sender: bytes) -> None:
    for queued in ([], [IcmpError(number, 0, sender)]):
        for senders in (True, False):
            assert read_error(family, OSError(number, ""), queued, senders).came in ReplyKind
