"""The door: connections come in while there is room, and go when what they asked for is not read.

A whole header within its time is asked for by the lobby (lobby.py), and from its first byte on by aiohttp, as the time
that a connection may be idle; bodies by their pace (pace.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web

from collector.front.limits import LIMITS, ConnectionLimits, Counted
from collector.front.stalls import Stalls

LOOK_S = 1.0  # between two looks at who reads


class Door:
    """The connections that are open. `ended` is told why one was: no room (`full`), or nobody reads (`stalled`).

    `clock` counts seconds.
    """

    def __init__(
        self,
        limits: ConnectionLimits = LIMITS,
        ended: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._ended, self._clock = ended, clock
        self._counted = Counted(limits)
        self._stalls: Stalls[asyncio.Transport] = Stalls(limits.stalled_s)
        self._open: set[asyncio.Transport] = set()

    def enter(self, peer: str) -> bool:
        """Whether there is room for one more of this address; then it has a place until it leaves."""
        if not self._counted.enter(peer):
            self._ended("full")
            return False
        return True

    def leave(self, peer: str) -> None:
        self._counted.leave(peer)

    def opened(self, transport: asyncio.Transport) -> None:
        """Is looked at from now on, until it is closed."""
        self._open.add(transport)

    def closed(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    def look(self) -> None:
        """Ends the connections whose answers nobody reads."""
        for each in self._stalls.look(self.waiting(), self._clock()):
            self._ended("stalled")
            each.abort()

    def waiting(self) -> dict[asyncio.Transport, int]:
        """The connections with answers that wait to be read, and their bytes."""
        sizes = {each: each.get_write_buffer_size() for each in self._open}
        return {each: size for each, size in sizes.items() if size}

    async def watched(self, app: web.Application) -> AsyncIterator[None]:
        """Looks every second, while the application runs."""
        task = asyncio.create_task(self._watch(), name="door")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()
