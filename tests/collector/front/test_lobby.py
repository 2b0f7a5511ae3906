"""The lobby: who says nothing is no connection yet, and crowds come and go by portions."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from collector.front.door import Door
from collector.front.limits import ConnectionLimits
from collector.front.listening import open_socket
from collector.front.lobby import PORTION, Lobby
from tests.collector.servers import eventually
from tests.patience import PATIENCE

CROWD = 2 * PORTION + 3


class Spoken(asyncio.Protocol):
    """What is made of who has spoken; it keeps what was said."""

    def __init__(self, peer: str, left_s: float) -> None:
        self.peer, self.left_s, self.said = peer, left_s, b""

    def data_received(self, data: bytes) -> None:
        self.said += data


class Met(Lobby):
    """A lobby on a socket of its own, which keeps all that was made."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.door, self.made, self.ended = Door(limits, lambda why: self.ended.append(why)), list[Spoken](), list[str]()
        listener = open_socket("127.0.0.1", 0)
        self.address = listener.getsockname()
        super().__init__(listener, self.door, self._keep)

    def _keep(self, peer: str, left_s: float) -> Spoken:
        self.made.append(Spoken(peer, left_s))
        return self.made[-1]


@pytest.fixture
async def lobby(loop: asyncio.AbstractEventLoop) -> AsyncIterator[Met]:
    met = Met(ConnectionLimits(header_s=PATIENCE))
    yield met
    met.close()


@pytest.fixture
def crowd(lobby: Met) -> Iterator[list[socket.socket]]:
    """So many have come, and wait before the lobby."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(lobby.address)) for _ in range(CROWD)]


async def test_a_crowd_is_let_in_by_portions(lobby: Met, crowd: list[socket.socket]) -> None:
    sizes = []
    while len(lobby) < len(crowd):
        lobby.accept()
        sizes.append(len(lobby))
    assert sizes == [PORTION, 2 * PORTION, CROWD]


async def test_who_says_nothing_is_no_connection(lobby: Met, crowd: list[socket.socket]) -> None:
    await eventually(lambda: len(lobby) == CROWD)
    assert lobby.made == []
    crowd[7].sendall(b"GET /")
    crowd[9].close()
    await eventually(lambda: len(lobby) == CROWD - 2)
    await eventually(lambda: [one.said for one in lobby.made] == [b"GET /"])
    assert lobby.made[0].peer == "127.0.0.1"
    assert 0 < lobby.made[0].left_s <= PATIENCE


async def test_who_says_nothing_for_too_long_is_ended_by_portions(lobby: Met, crowd: list[socket.socket]) -> None:
    await eventually(lambda: len(lobby) == CROWD)
    now_s = asyncio.get_running_loop().time()
    left = []
    for later_s in (0.0, *[PATIENCE + 1] * 4):
        lobby.look(now_s + later_s)
        left.append(len(lobby))
    assert left == [CROWD, CROWD - PORTION, CROWD - 2 * PORTION, 0, 0]
    assert [one.recv(1) for one in crowd] == [b""] * CROWD


async def test_they_are_looked_at_again_until_all_are_ended() -> None:
    lobby = Met(ConnectionLimits(header_s=0.0))
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(lobby.address)) for _ in range(CROWD)]
        await eventually(lambda: all(map(is_ended, crowd)))
    lobby.close()


def is_ended(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


async def test_places_are_counted_from_the_lobby_on() -> None:
    lobby = Met(ConnectionLimits(of_source=2))
    with ExitStack() as stack:
        first, *_ = [stack.enter_context(socket.create_connection(lobby.address)) for _ in range(3)]
        await eventually(lambda: lobby.ended == ["full"])
        first.close()
        await eventually(lambda: len(lobby) == 1)
        stack.enter_context(socket.create_connection(lobby.address))
        await eventually(lambda: len(lobby) == 2)
    lobby.close()
    assert lobby.door.enter("127.0.0.1")


async def test_where_files_run_out_it_is_told_and_tried_again(
    lobby: Met, crowd: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    monkeypatch.setattr("collector.front.lobby.EXHAUSTED_S", 0.0)
    with no_more_files():
        lobby.accept()
    assert (told, len(lobby)) == (["socket.accept() out of system resource"], 0)
    await eventually(lambda: len(lobby) == CROWD)


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
