"""Executors: ingest and reading have threads of their own, as judging has; neither waits for the other.

What is asked for more than can be done soon is refused at once, and says when to come back: a long queue helps nobody,
for those who stand in it give up, and ask again. The owner is never refused, for who asks so has the token.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from collector.front.refusals import Refused

T = TypeVar("T")

BUSY = "The collector has more to do than it can at the moment; try again later."

SWITCH_S = 0.0005  # for which one thread computes while others wait: an upload passes through four


class Size(Struct, frozen=True):
    threads: int
    waiting: int  # beside what the threads are at


INGEST, CAREFUL, READING = Size(2, 32), Size(1, 16), Size(2, 16)


class Bounded:
    """A few threads, and a short queue before them. `turned_away` is called for each who is refused."""

    def __init__(self, name: str, size: Size, turned_away: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(size.threads, thread_name_prefix=name)
        self._most, self._under_way, self._turned_away = size.threads + size.waiting, 0, turned_away

    async def run(self, call: Callable[..., T], *arguments: object, always: bool = False) -> T:
        """What the call returns. Raises Refused, 429, when the queue is full; `always`: waits however long it is."""
        if self._under_way >= self._most and not always:
            self._turned_away()
            raise Refused(429, "busy", BUSY)
        self._under_way += 1
        # Until the thread is done with it, whoever has left: it is not free before.
        future = self._pool.submit(call, *arguments)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _from_thread(loop, self._done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Ends the threads once they have done what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self) -> None:
        self._under_way -= 1


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


class Executors(Struct, frozen=True, kw_only=True):
    """`careful` is for uploads that cost much to read (unsealing.py)."""

    ingest: Bounded
    careful: Bounded
    reading: Bounded


EXECUTORS = web.AppKey("executors", Executors)


def add_executors(
    app: web.Application,
    turned_away: Callable[[str], None] = lambda _: None,
    ingest: Size = INGEST,
    read: Size = READING,
) -> None:
    """Adds the executors to an application, which ends them. `turned_away` is told which of them refused."""
    executors = Executors(
        ingest=Bounded("ingest", ingest, lambda: turned_away("ingest")),
        careful=Bounded("careful", CAREFUL, lambda: turned_away("careful")),
        reading=Bounded("reading", read, lambda: turned_away("reading")),
    )
    app[EXECUTORS] = executors

    async def running(_: web.Application) -> AsyncIterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        yield
        sys.setswitchinterval(before)
        for each in (executors.ingest, executors.careful, executors.reading):
            each.close()

    app.cleanup_ctx.append(running)


def reading(request: web.Request) -> Bounded:
    return request.app[EXECUTORS].reading
