"""Connections at a real collector: too many, too slow, and those whose answers nobody reads."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from pathlib import Path

import pytest

from collector.front.batches import CONTENT_TYPE, IngestLimits
from collector.front.door import Door
from collector.front.limits import ConnectionLimits
from collector.front.loop_faults import LoopFaults
from tests.collector.batches import Volunteer
from tests.collector.servers import Serving, eventually, serving
from tests.patience import PATIENCE

ASKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def came(collector: Serving, address: str = "127.0.0.1", said: bytes = b"") -> Stream:
    reader, writer = await asyncio.open_connection("127.0.0.1", collector.port, local_addr=(address, 0))
    writer.write(said)
    return reader, writer


async def is_ended(stream: Stream) -> bool:
    """Whether the collector ended it, rather than answer; waits for either."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await stream[0].read(1) == b""
        except ConnectionError:
            return True


async def is_answered(stream: Stream) -> bool:
    stream[1].write(ASKED)
    return not await is_ended(stream)


async def test_behind_a_trusted_proxy_each_source_has_its_share(tmp_path: Path) -> None:
    """Of requests under way; those who come straight write in X-Forwarded-For what they like."""
    proxies = (ipaddress.ip_network("127.6.0.1"),)
    door = Door(ConnectionLimits(of_source=2, proxies=proxies, header_s=PATIENCE))
    head = f"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 9\r\n"

    async def sent(collector: Serving, peer: str, source: str, said: bytes = b"") -> Stream:
        return await came(collector, peer, f"{head}X-Forwarded-For: {source}\r\n\r\n".encode() + said)

    async def status(stream: Stream) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return (await stream[0].readline()).split()[1]

    async with serving(tmp_path, owner=False, door=door, proxies=proxies) as collector:
        slow = [await sent(collector, "127.6.0.1", f"203.0.113.{n}", b"slow") for n in range(2)]
        async with asyncio.timeout(PATIENCE):
            while await status(await sent(collector, "127.6.0.1", "203.0.113.9", b"not gzip.")) != b"429":
                pass  # the two were not all read yet
        assert await status(await sent(collector, "127.6.0.1", "203.0.112.9", b"not gzip.")) == b"400"
        assert await status(await sent(collector, "127.6.0.2", "203.0.113.9", b"not gzip.")) == b"400"
        for reader, writer in slow:
            writer.write(b" end!")
            assert await status((reader, writer)) == b"400"
        assert await status(await sent(collector, "127.6.0.1", "203.0.113.9", b"not gzip.")) == b"400"


async def test_one_source_keeps_no_other_out(tmp_path: Path) -> None:
    ended: list[str] = []
    door = Door(ConnectionLimits(of_source=3, header_s=PATIENCE), ended.append)
    volunteer = Volunteer()
    async with serving(tmp_path, owner=False, door=door) as collector:
        idle = [await came(collector, "127.5.0.9") for _ in range(3)]
        assert await is_answered(idle[0])
        assert await is_ended(await came(collector, "127.5.0.8"))
        assert ended == ["full"]
        assert await collector.post(volunteer.seal([volunteer.measure()])) == (200, {"stored": 1, "known": 0})
        idle[1][1].close()
        await idle[1][1].wait_closed()
        async with asyncio.timeout(PATIENCE):
            while not await is_answered(await came(collector, "127.5.0.8")):
                pass  # the end of the one that left has not come yet
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"\r\n"], ids=["nothing", "half", "line"])
async def test_half_a_header_is_not_waited_for(tmp_path: Path, said: bytes) -> None:
    async with serving(tmp_path, door=Door(ConnectionLimits(header_s=0.05))) as collector:
        assert await is_ended(await came(collector, said=said))


async def test_nor_after_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, door=Door(ConnectionLimits(header_s=0.05))) as collector:
        answer = b""
        async with asyncio.timeout(PATIENCE):
            while not answer:  # a busy machine may not get to the first header in its time either
                reader, writer = await came(collector, said=ASKED + b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
                answer = await reader.read()
                writer.close()
        assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_body_that_stands_still_ends_before_the_time_for_a_whole_one(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=IngestLimits(body_s=PATIENCE, grace_s=0.05)) as collector:
        head = f"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 9\r\n\r\n"
        reader, writer = await came(collector, said=head.encode() + b"\x1f")
        async with asyncio.timeout(PATIENCE):
            answer = await reader.readuntil(b"}")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert collector.counted("too_slow") == 1


async def test_bodies_of_one_byte_keep_no_upload_out(tmp_path: Path) -> None:
    """They hold as many bytes as they are, not as many as they say."""
    volunteer = Volunteer()
    door = Door(ConnectionLimits(of_source=700))
    async with serving(tmp_path, owner=False, door=door) as collector:
        head = f"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 200000\r\n\r\n"
        slow = [await came(collector, said=head.encode() + b"\x1f") for _ in range(200)]
        assert await collector.post(volunteer.seal([volunteer.measure()])) == (200, {"stored": 1, "known": 0})
        for _, writer in slow:
            writer.close()


async def test_who_does_not_read_is_ended(tmp_path: Path) -> None:
    """Of one who only asks, answers come to wait in the collector; then time passes, on a clock of the test's."""
    ended: list[str] = []
    now = [0.0]
    door = Door(ConnectionLimits(stalled_s=30), ended.append, lambda: now[0])
    async with serving(tmp_path, owner=False, door=door) as collector:
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(mute, ("127.0.0.1", collector.port))
            asking = asyncio.create_task(loop.sock_sendall(mute, ASKED * 100_000))
            await eventually(lambda: bool(door.waiting()))

            def is_ended_later() -> bool:
                now[0] += 0.01
                door.look()
                return bool(ended)

            await eventually(is_ended_later)
            asking.cancel()
            await asyncio.wait([asking])
        assert ended == ["stalled"]
        await eventually(lambda: not door.waiting())


async def test_faults_of_the_loop_are_told_once_and_without_words(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    faults = LoopFaults(60, lambda: now[0])
    loop = asyncio.get_running_loop()
    emfile = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
    for _ in range(1000):
        faults(loop, {**emfile, "socket": "203.0.113.7"})
    assert len(caplog.records) == 1
    now[0] = 60.0
    faults(loop, emfile)
    assert caplog.records[1].getMessage().endswith("(999 more like this were not logged)")
    faults(loop, {"message": "Exception in callback f('203.0.113.7')", "exception": ValueError("203.0.113.7")})
    assert [each.levelno for each in caplog.records] == [logging.ERROR] * 3
    assert "203.0.113.7" not in caplog.text
