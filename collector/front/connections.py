"""Connections: what is no HTTP gets the same kind of answer as everything else, and few lines in the log.

aiohttp answers it before any route of ours is met, names itself and its version while doing so, and logs each with the
peer's address; who may connect may so fill the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

from collector.front.door import Door
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
    """A connection of aiohttp's, but that it asks at the door, and for what it answers to what is no request."""

    __slots__ = ("_door", "_entered")

    def __init__(self, door: Door, manager: web.Server, **kinds: Any) -> None:
        super().__init__(manager, **kinds)
        self._door = door
        self._entered: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Goes on where there is room; else ends it before anything is read."""
        stream = cast(asyncio.Transport, transport)
        if not self._door.enter(stream):
            stream.abort()
            return
        self._entered = stream
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Makes room again."""
        if self._entered is not None:
            self._door.leave(self._entered)
            self._entered = None
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
    """aiohttp's, with connections of ours behind one door."""

    def __init__(self, door: Door, handler: Any, **kinds: Any) -> None:
        super().__init__(handler, **kinds)
        self._door = door

    def __call__(self) -> web.RequestHandler:
        return Connection(self._door, self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner of an application, with a server of ours."""

    def __init__(self, app: web.Application, door: Door, **kinds: Any) -> None:
        super().__init__(app, **kinds)
        self._door = door

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        kinds: dict[str, Any] = self._kwargs
        return _Server(self._door, made.request_handler, request_factory=made.request_factory, **kinds)
