"""Connections: what is no HTTP gets the same kind of answer as everything else, and few lines in the log.

aiohttp answers it before any route of ours is met, names itself and its version while doing so, and logs each with the
peer's address; who may connect may so fill the disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

from collector.front.door import Door
from collector.front.lobby import Lobby
from collector.front.refusals import refusal

SERVER = "ringback"  # what every answer says of us
NO_REQUEST = "This is no HTTP request that the collector understands."
QUIET_S = 60.0  # between two lines of one kind


class Sparing(logging.Filter):
    """Lets one line of a kind through in a while; the next says how many it stands for. `clock` counts seconds."""

    def __init__(self, quiet_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._quiet_s, self._clock = quiet_s, clock
        self._seen: dict[object, tuple[float, int]] = {}  # kind → since when it is quiet, how many were swallowed

    def filter(self, record: logging.LogRecord) -> bool:
        now, kind = self._clock(), record.msg
        since, swallowed = self._seen.get(kind, (None, 0))
        if since is not None and now - since < self._quiet_s:
            self._seen[kind] = (since, swallowed + 1)
            return False
        self._seen[kind] = (now, 0)
        if swallowed:
            record.msg = f"{record.msg} ({swallowed} more like this were not logged)"
        return True


class NoAddresses(logging.Filter):
    """The web server names the peer in what it logs of malformed requests; only the kind of error is kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "unknown error"
        record.msg, record.args = f"A connection failed before any route: {kind}", ()
        record.exc_info, record.exc_text = None, None
        return True


class Connection(web.RequestHandler):
    """A connection of aiohttp's that has a place behind the door, and its own answers to what is no request."""

    __slots__ = ("_door", "_peer", "_stream")

    def __init__(self, door: Door, peer: str, manager: web.Server, **kinds: Any) -> None:
        super().__init__(manager, **kinds)
        self._door, self._peer = door, peer
        self._stream: asyncio.Transport | None = None  # also when aiohttp has let go of it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = cast(asyncio.Transport, transport)
        self._door.opened(self._stream)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Makes room again."""
        if self._stream is not None:
            self._door.closed(self._stream)
        self._door.leave(self._peer)
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what could not be read, or failed outside of every route. Raises ConnectionError too late."""
        self.log_exception("A connection failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("A part of an answer was sent already.")
        reason = "bad_request" if status < 500 else "failed"
        response = refusal(status, reason, NO_REQUEST, {"Server": SERVER})
        response.force_close()
        return response


class _Server(web.Server):
    """aiohttp's, with connections of ours, which come in by a lobby."""

    def __init__(self, door: Door, handler: Any, **kinds: Any) -> None:
        super().__init__(handler, **kinds)
        self._door = door

    def __call__(self) -> web.RequestHandler:
        raise TypeError("Connections come in by a lobby: serve the socket by Site.")

    def lobby(self, sock: socket.socket) -> Lobby:
        return Lobby(sock, self._door, self._connection)

    def _connection(self, peer: str, left_s: float) -> Connection:
        """Who began late has as little time between two requests."""
        kinds = {**self._kwargs, "keepalive_timeout": left_s}
        return Connection(self._door, peer, self, loop=self._loop, **kinds)


class Site(web.SockSite):
    """aiohttp's, which serves a socket, with a lobby."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        server = self._runner.server
        assert isinstance(server, _Server)
        self._server = cast(asyncio.Server, server.lobby(self._sock))


class Runner(web.AppRunner):
    """aiohttp's runner of an application, with a server of ours."""

    def __init__(self, app: web.Application, door: Door, **kinds: Any) -> None:
        super().__init__(app, **kinds)
        self._door = door

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        kinds: dict[str, Any] = self._kwargs
        return _Server(self._door, made.request_handler, request_factory=made.request_factory, **kinds)
