"""Answers that are made while they are read: in bounded memory, for a bounded number of strangers, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aiohttp import web

from collector.front.executors import Bounded, reading
from collector.front.refusals import Refused
from probe.failure import fault_text

NDJSON = "application/x-ndjson"
SLICE = 1 << 16
STALLED_S = 60.0  # for a slice: whoever reads slower keeps others from their turn

log = logging.getLogger(__name__)


class Turns:
    """The turns that strangers have: at most so many answers are under way at once."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once

    @contextmanager
    def taken(self, message: str) -> Iterator[None]:
        """One turn. Raises Refused, 429 with the message, when there is none."""
        if not self._free:
            raise Refused(429, "busy", message)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def stream(
    request: web.Request, pieces: Iterator[bytes], headers: Mapping[str, str], stalled_s: float = STALLED_S
) -> web.StreamResponse:
    """Sends lines of JSON as they are made. Raises ConnectionError, and breaks off, when they cannot be sent whole."""
    response = web.StreamResponse(headers={"Content-Type": NDJSON, "Cache-Control": "no-store", **headers})
    await response.prepare(request)
    try:
        await _write(response, pieces, stalled_s, reading(request))
    except ConnectionError:  # whoever asked has left
        raise
    except Exception as error:
        if isinstance(error, TimeoutError):
            log.warning("An answer was given up: it was not read.")
        else:
            log.error("An answer failed under way.\n%s", fault_text(error))
        if request.transport is not None:
            request.transport.abort()  # an end would make it look whole
        raise ConnectionResetError from error
    return response


async def _write(response: web.StreamResponse, pieces: Iterator[bytes], stalled_s: float, executor: Bounded) -> None:
    """Writes the pieces, a slice at a time. Raises TimeoutError when nobody reads."""
    while (piece := await executor.run(next, pieces, None, always=True)) is not None:
        for start in range(0, len(piece), SLICE):
            async with asyncio.timeout(stalled_s):
                await response.write(piece[start : start + SLICE])
    await response.write_eof()
