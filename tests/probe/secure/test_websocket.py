"""WebSocket: against wsproto's own server half without a socket, over TLS on loopback, and against impostors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from probe.codecs.http_page import Page
from probe.failure import classify
from probe.handshakes.stream import opened
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Expect, Grade, HttpFacts, Operation, Step, Transport
from probe.net.dialer import SocketDialer
from probe.net.record import StepRecord
from probe.secure.trust import Trust
from probe.secure.websocket import MESSAGE_LIMIT, Upgrade, WebSocketStream
from tests.patience import PATIENCE
from tests.probe.builders import Outcome, instruments
from tests.probe.tls_server import context_of, serving
from tests.scripted import Now, ScriptedDialer, Tcp, run
from tests.servers.certificates import Authority, Leaf

PUBLIC, FORGER = Authority.create("Public root"), Authority.create("A censor")
HOST = "203.0.113.4"
ASKED = Upgrade(path="/ws/chat?v=1", origin="https://web.example", subprotocols=("binary",), headers=(("X-A", "b"),))


class Peer:
    """The server's half: what it answers to each event of the client's."""

    def __init__(self, *answers: Callable[[Event], list[Event]]) -> None:
        self.connection = WSConnection(ConnectionType.SERVER)
        self.heard: list[Event] = []
        self.answers = list(answers)

    def __call__(self, data: bytes) -> bytes:
        self.connection.receive_data(data)
        sent = b""
        for event in self.connection.events():
            self.heard.append(event)
            answer = self.answers.pop(0) if self.answers else (lambda _: [])
            sent += b"".join(self.connection.send(each) for each in answer(event))
        return sent


def says(*events: Event) -> Callable[[Event], list[Event]]:
    return lambda _: list(events)


ACCEPT = AcceptConnection(subprotocol="binary")
REFUSE = [
    RejectConnection(status_code=403, headers=[(b"content-length", b"23"), (b"server", b"edge")], has_body=True),
    RejectData(data=b"<title>Forbidden</title>"[:23]),
]


def over(*replies: Now, then: Callable[[WebSocketStream], Any] | None = None) -> tuple[WebSocketStream, Any]:
    """An upgrade, and what is done with it then; whatever is raised is given as its failure."""

    async def work() -> tuple[WebSocketStream, Any]:
        stream = await ScriptedDialer({("tcp", HOST, 443): Tcp(always=replies)}).tcp(HOST, 443)
        websocket = WebSocketStream(stream)
        try:
            async with asyncio.timeout(PATIENCE):
                await websocket.upgrade(StepRecord(Step.WEBSOCKET, 0.0), "web.example", ASKED)
                return websocket, await then(websocket) if then else None
        except Exception as error:
            return websocket, classify(error)

    return run(work())


# --- Session against session ----------------------------------------------------------------------------------


def test_the_request_is_what_was_asked_for() -> None:
    peer = Peer(says(ACCEPT))
    websocket, failure = over(peer)
    assert (failure, websocket.page) == (None, Page(101, ()))
    (request,) = peer.heard
    assert isinstance(request, Request)
    headers = {name: value for name, value in request.extra_headers if not name.startswith(b"sec-websocket")}
    assert (request.host, request.target, request.subprotocols) == ("web.example", "/ws/chat?v=1", ["binary"])
    assert headers[b"origin"] == b"https://web.example"
    assert (headers[b"user-agent"], headers[b"x-a"]) == (b"Mozilla/5.0", b"b")
    assert request.extensions == []


def test_messages_go_both_ways() -> None:
    async def talk(websocket: WebSocketStream) -> list[bytes]:
        await websocket.send(b"\x00binary")
        first = await websocket.receive()
        await websocket.send_text("text: é")
        return [first, await websocket.receive(), await websocket.receive()]

    peer = Peer(
        says(ACCEPT),
        says(Ping(b"p"), BytesMessage(data=b""), BytesMessage(data=b"an")),
        says(Pong(b"unasked")),  # to our pong
        says(TextMessage(data="swér"), CloseConnection(1000)),
    )
    _, got = over(peer, then=talk)
    assert got == [b"an", "swér".encode(), b""]
    assert [type(each) for each in peer.heard] == [Request, BytesMessage, Pong, TextMessage]


def test_a_message_in_fragments_is_one() -> None:
    async def talk(websocket: WebSocketStream) -> bytes:
        await websocket.send(b"x")
        return await websocket.receive()

    pieces = [BytesMessage(data=bytes([n]), message_finished=n == 4) for n in range(5)]
    assert over(Peer(says(ACCEPT), says(*pieces)), then=talk)[1] == bytes(range(5))


def test_a_message_without_end_is_refused() -> None:
    async def talk(websocket: WebSocketStream) -> bytes:
        await websocket.send(b"x")
        return await websocket.receive()

    piece = BytesMessage(data=bytes(MESSAGE_LIMIT // 2 + 1), message_finished=False)
    assert over(Peer(says(ACCEPT), says(piece, piece)), then=talk)[1] == "unexpected_reply"


def test_what_is_sent_after_the_end_fails_as_an_end() -> None:
    async def talk(websocket: WebSocketStream) -> None:
        await websocket.send(b"x")
        assert [await websocket.receive() for _ in "12"] == [b"hello", b""]
        await websocket.send(b"y")

    bye = says(BytesMessage(data=b"hello"), CloseConnection(1000))
    assert over(Peer(says(ACCEPT), bye), then=talk)[1] == "eof_error"


def test_a_close_before_any_message_is_a_refusal() -> None:
    async def talk(websocket: WebSocketStream) -> None:
        await websocket.send(b"x")
        await websocket.receive()

    assert over(Peer(says(ACCEPT), says(CloseConnection(4000))), then=talk)[1] == "unexpected_reply"


# --- Refusals and impostors -----------------------------------------------------------------------------------


def test_a_refusal_is_kept_as_a_page() -> None:
    websocket, failure = over(Peer(lambda _: list(REFUSE)))
    assert failure == "http_unexpected_status_code"
    assert websocket.page is not None
    assert websocket.page.facts(()) == HttpFacts(status=403, server="edge")
    assert websocket.page.body == b"<title>Forbidden</title>"[:23]


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "http_unexpected_status_code"),  # a portal
        (b"HTTP/1.1 100 Continue\r\n\r\n", "http_unexpected_status_code"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "unexpected_reply"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",  # RFC 6455, 1.3: the answer to another key
            "unexpected_reply",
        ),
        (b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgr\xe9de\r\n\r\n", "unexpected_reply"),
        (b"\x16\x03\x01 no HTTP\r\n\r\n", "unexpected_reply"),
        (b"", "eof_error"),
        (ConnectionResetError(104, "x"), "connection_reset"),
    ],
)
def test_who_does_not_accept_our_own_key_is_not_opened(reply: Now, failure: str) -> None:
    assert over(reply)[1] == failure


@settings(max_examples=150, deadline=None)
@given(
    head=st.sampled_from([b"", b"HTTP/1.1 101 S\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]),
    data=st.binary(max_size=60),
)
def test_whatever_answers_the_upgrade_is_one_of_the_documented_failures(head: bytes, data: bytes) -> None:
    failure = over(head + data, b"")[1]
    assert failure in ("http_unexpected_status_code", "unexpected_reply", "eof_error")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=60))
def test_whatever_follows_the_upgrade_is_messages_an_end_or_a_failure(data: bytes) -> None:
    peer = Peer(says(ACCEPT))

    async def drain(websocket: WebSocketStream) -> None:
        while await websocket.receive():
            pass

    failure = over(lambda request: (peer(request) + data) if not peer.heard else b"", b"", then=drain)[1]
    assert failure in (None, "unexpected_reply", "eof_error")


# --- Over TLS, as a handshake opens it ------------------------------------------------------------------------


async def opened_over_wss(leaf: Leaf, directory: Path, peer: Peer, **where: Any) -> tuple[Outcome, bytes]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(peer(data))

    wall_ms = int(datetime.now(UTC).timestamp() * 1000)
    tools = instruments(SocketDialer(), trust=Trust(PUBLIC.pem, {}), wall_ms=lambda: wall_ms)
    trace, got, grade = Trace(tools), b"", None
    async with serving(answer, context_of(leaf, directory)) as port:
        given: dict[str, Any] = {"expect": Expect(path="/ws/chat"), "server_name": "web.example", **where}
        endpoint = Endpoint(host="127.0.0.1", port=port, transport=Transport.WSS, handshake="noise", **given)
        try:
            async with opened(trace, endpoint, upgrade=ASKED) as stream:
                await stream.stream.send(b"hello")
                got, grade = await stream.stream.receive(), stream.grade
                assert stream.websocket is stream.stream
        except Exception as error:
            assert "StepFailed" in repr(error)  # noqa: PT017
        return Outcome(grade, await trace.finish()), got


async def test_tcp_tls_and_the_upgrade_are_steps(tmp_path: Path) -> None:
    peer = Peer(says(ACCEPT), lambda heard: [BytesMessage(data=bytes(heard.data).upper())])  # type: ignore[attr-defined]
    seen, got = await opened_over_wss(PUBLIC.leaf("web.example"), tmp_path, peer)
    assert got == b"HELLO"
    assert [each.step for each in seen.observations] == [Step.TCP, Step.TLS, Step.WEBSOCKET]
    assert (seen.grade, seen.failure, seen.last.http) == (Grade.BOUND, None, HttpFacts(status=101))
    assert seen.observations[1].tls is not None
    assert seen.last.bytes_sent > 100
    request, message = peer.heard
    assert isinstance(request, Request)
    assert isinstance(message, Message)
    assert request.target == "/ws/chat"  # the targets file's, before the handshake's own


async def test_another_implementation_is_understood(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("binary",))
        await socket.prepare(request)
        await socket.ping()
        await socket.send_bytes((await socket.receive_bytes()).upper())
        await socket.send_str(f"{request.headers['Origin']} {socket.ws_protocol}")
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/ws/chat", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        websocket = WebSocketStream(await SocketDialer().tcp("127.0.0.1", port))
        record = StepRecord(Step.WEBSOCKET, 0.0)
        await websocket.upgrade(record, "web.example", replace(ASKED, path="/ws/chat"))
        await websocket.send(b"hello")
        assert [await websocket.receive() for _ in range(3)] == [b"HELLO", b"https://web.example binary", b""]
        websocket.close()
    finally:
        await runner.cleanup()


async def test_a_refusal_ends_the_handshake_with_its_facts(tmp_path: Path) -> None:
    seen, _ = await opened_over_wss(PUBLIC.leaf("web.example"), tmp_path, Peer(lambda _: list(REFUSE)))
    assert (seen.grade, seen.failure, seen.last.step) == (None, "http_unexpected_status_code", Step.WEBSOCKET)
    assert seen.last.http == HttpFacts(status=403, server="edge")
    assert seen.last.operation is Operation.READ


async def test_nothing_is_asked_of_a_forger(tmp_path: Path) -> None:
    peer = Peer(says(ACCEPT))
    seen, _ = await opened_over_wss(FORGER.leaf("web.example"), tmp_path, peer)
    assert (seen.failure, seen.last.step, peer.heard) == ("ssl_unknown_authority", Step.TLS, [])
