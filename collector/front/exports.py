"""Exports over HTTP, GET /v1/export/{cells,verdicts,measurements}: lines of JSON, in bounded memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from aiohttp import web

from collector.front.access import is_full
from collector.front.cells import NDJSON
from collector.front.parameters import MAX_MS, BadParameter, Parameters
from collector.front.refusals import refusal
from collector.package.source import DATASETS, PUBLIC, Source, Wanted, about
from probe.failure import UserError

log = logging.getLogger(__name__)

PARAMETERS = ("since", "until", "country", "simulated", "full")
AT_ONCE = 2  # for strangers
SLICE = 1 << 16
STALLED_S = 60.0  # for a slice: whoever reads slower keeps others from their export
RULES_HEADER, UNJUDGED_HEADER = "Ringback-Rules-Version", "Ringback-Unjudged-Batches"
BUSY = "Other exports are under way; try again in a minute."
SINGLE_LINES = "This is of single lines: send the admin token, or ask for /v1/export/cells."


class Exports:
    """The HTTP method. At most `at_once` exports of strangers are under way; each must be read at a kB a second."""

    def __init__(
        self, source: Source, now_ms: Callable[[], int], at_once: int = AT_ONCE, stalled_s: float = STALLED_S
    ) -> None:
        self._source, self._now_ms, self._stalled_s = source, now_ms, stalled_s
        self._free = at_once

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One object a line; not `full=true`, cells that pass the privacy floor, with counts in bands."""
        dataset = request.match_info["dataset"]
        try:
            wanted = _wanted(request.query, self._now_ms())
            found = await asyncio.to_thread(about, self._source)
        except BadParameter as error:
            return refusal(400, error.reason, str(error))
        except UserError as error:
            return refusal(503, "nothing_judged", str(error))
        if (wanted.full or dataset not in PUBLIC) and not (wanted.full and is_full(request)):
            return refusal(403, "full_access_only", SINGLE_LINES)
        marks = {RULES_HEADER: str(found.rules_version), UNJUDGED_HEADER: str(found.unjudged)}
        if wanted.full:
            return await self._send(request, dataset, wanted, marks)
        if not self._free:
            return refusal(503, "busy", BUSY)
        self._free -= 1
        try:
            return await self._send(request, dataset, wanted, marks)
        finally:
            self._free += 1

    async def _send(
        self, request: web.Request, dataset: str, wanted: Wanted, marks: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": NDJSON, "Cache-Control": "no-store", **marks})
        await response.prepare(request)
        try:
            await _write(response, DATASETS[dataset](self._source, wanted), self._stalled_s)
        except ConnectionError:  # whoever asked has left
            raise
        except Exception as error:
            if isinstance(error, TimeoutError):
                log.warning("An export was given up: it was not read.")
            else:
                log.exception("An export failed under way.")
            if request.transport is not None:
                request.transport.abort()  # an end would make it look whole
            raise ConnectionResetError from error
        return response


async def _write(response: web.StreamResponse, pieces: Iterator[bytes], stalled_s: float) -> None:
    """Writes the pieces, a slice at a time. Raises TimeoutError when nobody reads."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        for start in range(0, len(piece), SLICE):
            async with asyncio.timeout(stalled_s):
                await response.write(piece[start : start + SLICE])
    await response.write_eof()


def add_routes(app: web.Application, source: Source, now_ms: Callable[[], int]) -> None:
    names = "|".join(DATASETS)
    app.router.add_get(f"/v1/export/{{dataset:{names}}}", Exports(source, now_ms).stream)


def _wanted(parameters: Mapping[str, str], now_ms: int) -> Wanted:
    """The interval, place and kind that a request asks for. Raises BadParameter."""
    given = Parameters(parameters, PARAMETERS)
    since_ms, until_ms = given.number("since", MAX_MS) or 0, given.number("until", MAX_MS)
    until_ms = now_ms + 1 if until_ms is None else until_ms
    if since_ms > until_ms:
        raise BadParameter("bad_span", "Ask for since ≤ until.")
    return Wanted(
        since_ms=since_ms,
        until_ms=until_ms,
        country=given.country(),
        simulated=given.word("simulated", ("true", "false")) == "true",
        full=given.word("full", ("true", "false")) == "true",
    )
