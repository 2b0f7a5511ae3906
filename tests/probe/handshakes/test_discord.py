"""Discord's gateway greets first: what its greeting proves, and what anything else in its place does not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import discord
from probe.model import Grade, Operation, Step
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, shake
from tests.servers.certificates import Authority
from tests.servers.discord import HELLO, application

PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))


def test_a_hello_names_its_interval() -> None:
    assert discord.heartbeat_interval(HELLO.encode()) == 41_250


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b'{"op":9,"d":false}', "begins with opcode 10, not 9"),
        (b'{"op":11}', "begins with opcode 10, not 11"),
        (b'{"op":10}', "a JSON object with an opcode"),
        (b'{"op":10,"d":{"heartbeat_interval":"41250"}}', "a JSON object with an opcode"),
        (b'{"op":10,"d":{"heartbeat_interval":0}}', "an interval of some seconds"),
        (b'{"op":10,"d":{"heartbeat_interval":4125000000}}', "an interval of some seconds"),
        (b"[10]", "a JSON object with an opcode"),
        (b"", "a JSON object with an opcode"),
        (b"\xff\xfe", "a JSON object with an opcode"),
        (b'{"op":10,"d":' + b"[" * 100_000, "a JSON object with an opcode"),
    ],
)
def test_what_is_no_hello(message: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        discord.heartbeat_interval(message)


@given(st.binary(max_size=200))
def test_junk_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="Discord"):
        discord.heartbeat_interval(message)


@asynccontextmanager
async def gateway(authority: Authority, directory: Path, app: web.Application) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.leaf("gateway.example").write(directory, "gateway"))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def greeted(
    directory: Path, app: web.Application, authority: Authority = PUBLIC, ca: str | None = None, **changes: Any
) -> Outcome:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    async with gateway(authority, directory, app) as port:
        where = endpoint("discord", "127.0.0.1", port, server_name="gateway.example", ca=ca)
        return await shake(instruments(SocketDialer(), trust=trust, wall_ms=lambda: now_ms, **changes), where)


async def test_the_greeting_is_the_mark(tmp_path: Path) -> None:
    seen = await greeted(tmp_path, application())
    assert (seen.grade, seen.failure) == (Grade.MARKED, None)
    assert [each.step for each in seen.observations] == [Step.TCP, Step.TLS, Step.WEBSOCKET, Step.HELLO]
    assert seen.last.bytes_sent == 0  # nothing is said on it, and so nobody is identified
    assert (await greeted(tmp_path, application(), OWN, "service")).grade is Grade.CRYPTO


async def test_somebody_elses_certificate_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    seen = await greeted(tmp_path, application(), FORGER)
    assert (seen.grade, seen.failure, seen.last.step) == (None, "ssl_unknown_authority", Step.TLS)


@pytest.mark.parametrize(
    ("says", "failure", "operation"),
    [
        ('{"op":9,"d":false}', "unexpected_reply", Operation.DECODE),
        ("welcome", "unexpected_reply", Operation.DECODE),
        ("", "generic_timeout_error", Operation.READ),  # an empty message says nothing
    ],
)
async def test_another_greeting(says: str, failure: str, operation: Operation, tmp_path: Path) -> None:
    seen = await greeted(tmp_path, application(says), scale=0.05)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, operation)
    assert seen.last.step is Step.HELLO


async def test_a_web_server_that_is_no_gateway(tmp_path: Path) -> None:
    seen = await greeted(tmp_path, web.Application())
    assert (seen.grade, seen.failure, seen.last.step) == (None, "http_unexpected_status_code", Step.WEBSOCKET)
    assert seen.last.http is not None
    assert seen.last.http.status == 404


async def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return socket

    app = web.Application()
    app.router.add_get("/", hang_up)
    seen = await greeted(tmp_path, app)
    assert (seen.grade, seen.last.step) == (None, Step.HELLO)
    assert seen.failure in ("eof_error", "connection_reset")
