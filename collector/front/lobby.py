"""The lobby: a connection waits as a bare socket until it says something.

Most of what strangers can hold open for nothing says nothing. A bare socket costs a place and a few microseconds; the
transport, parser, task and timer of a connection are made for who has begun to speak. Those who come together are let
in by portions, so that nobody's request waits for a crowd. So end those who were silent for too long: they would come
again together.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from msgspec import Struct

from collector.front.door import Door

PORTION = 16  # connections in one turn of the loop: about a millisecond
BEAT_S = 0.01  # between two portions of those that end
BACKLOG = 1_024  # connections that the system holds until they are let in
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_S = 1.0  # until it is tried again

Made = Callable[[str, float], asyncio.Protocol]  # of the peer's address, and the seconds that it has left


class Silent(Struct, frozen=True):
    """Who has said nothing yet: its address, and until when it may be so."""

    peer: str
    until_s: float


class Lobby:
    """Serves a listening socket, until it is closed. Times are the event loop's."""

    def __init__(self, sock: socket.socket, door: Door, made: Made) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock, self._door, self._made = sock, door, made
        self._silent: dict[socket.socket, Silent] = {}  # the oldest first
        self._entering: set[asyncio.Task[object]] = set()
        self._look_again: asyncio.TimerHandle | None = None
        self._try_again: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._listen()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        return (self._sock,)

    def __len__(self) -> int:
        return len(self._silent)

    def close(self) -> None:
        """Lets nobody in any more; who has said nothing is ended."""
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for timer in (self._look_again, self._try_again):
            if timer is not None:
                timer.cancel()
        for each in list(self._silent):
            self._end(each)

    def accept(self) -> None:
        """Takes a portion of those that wait to come in."""
        for _ in range(PORTION):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(error)
                return
            self._enter(sock, str(address[0]))

    def look(self, now_s: float) -> None:
        """Ends a portion of those that were silent for too long."""
        due = [each for each, one in islice(self._silent.items(), PORTION) if one.until_s <= now_s]
        for each in due:
            self._end(each)
        self._look_again = None
        self._look_later(now_s)

    def _listen(self) -> None:
        self._loop.add_reader(self._sock, self.accept)

    def _rest(self, error: OSError) -> None:
        """Where files run out, accepts nobody for a while. Raises what is another error."""
        if error.errno not in EXHAUSTED:
            raise error
        said = {"message": "socket.accept() out of system resource", "exception": error}
        self._loop.call_exception_handler(said)
        self._loop.remove_reader(self._sock)
        self._try_again = self._loop.call_later(EXHAUSTED_S, self._listen)

    def _enter(self, sock: socket.socket, peer: str) -> None:
        if not self._door.enter(peer):
            sock.close()
            return
        sock.setblocking(False)
        now_s = self._loop.time()
        self._silent[sock] = Silent(peer, now_s + self._door.limits.header_s)
        self._loop.add_reader(sock, self._speaks, sock)
        self._look_later(now_s)

    def _look_later(self, now_s: float) -> None:
        if self._silent and self._look_again is None:
            first = next(iter(self._silent.values())).until_s
            self._look_again = self._loop.call_at(max(first, now_s + BEAT_S), lambda: self.look(self._loop.time()))

    def _speaks(self, sock: socket.socket) -> None:
        """Makes a connection of who has said something; of who has gone, nothing."""
        if not _has_said(sock):
            self._end(sock)
            return
        self._loop.remove_reader(sock)
        one = self._silent.pop(sock)
        left_s = max(BEAT_S, one.until_s - self._loop.time())
        entering = self._loop.create_task(
            self._loop.connect_accepted_socket(lambda: self._made(one.peer, left_s), sock), name="entering"
        )
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    def _end(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock)
        sock.close()
        self._door.leave(self._silent.pop(sock).peer)


def _has_said(sock: socket.socket) -> bool:
    with suppress(OSError):
        return bool(sock.recv(1, socket.MSG_PEEK))
    return False
