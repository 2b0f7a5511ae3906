"""Exports over HTTP, GET /v1/export/{cells,verdicts,measurements}: lines of JSON, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from aiohttp import web

from collector.facts.credits import in_header
from collector.front.access import is_full
from collector.front.executors import reading
from collector.front.parameters import Parameters
from collector.front.refusals import Refused
from collector.front.streaming import STALLED_S, Turns, stream
from collector.package.source import DATASETS, PUBLIC, Source, Wanted, about
from probe.failure import UserError

PARAMETERS = ("since", "until", "country", "simulated", "full")
AT_ONCE = 2  # for strangers
RULES_HEADER, UNJUDGED_HEADER = "Ringback-Rules-Version", "Ringback-Unjudged-Batches"
WAITING_HEADER = "Ringback-Waiting-Hours"  # that stand as earlier rules, controls or blocked keys had them
CREDITS_HEADER = "Ringback-Credits"  # JSON
BUSY = "Other exports are under way; try again in a minute."
SINGLE_LINES = "This is of single lines: send the admin token, or ask for /v1/export/cells."


class Exports:
    """The HTTP method. At most `at_once` exports of strangers are under way; each must be read at a kB a second."""

    def __init__(
        self, source: Source, now_ms: Callable[[], int], at_once: int = AT_ONCE, stalled_s: float = STALLED_S
    ) -> None:
        self._source, self._now_ms, self._stalled_s = source, now_ms, stalled_s
        self._turns = Turns(at_once)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One object a line; not `full=true`, cells that pass the privacy floor, with counts in bands."""
        dataset = request.match_info["dataset"]
        wanted = _wanted(request.query, self._now_ms())
        if (wanted.full or dataset not in PUBLIC) and not (wanted.full and is_full(request)):
            raise Refused(403, "full_access_only", SINGLE_LINES)
        try:
            found = await reading(request).run(about, self._source, always=wanted.full)
        except UserError as error:
            raise Refused(503, "nothing_judged", str(error)) from error
        marks = {RULES_HEADER: str(found.rules_version), UNJUDGED_HEADER: str(found.unjudged)}
        marks[WAITING_HEADER] = str(found.waiting)
        if found.credits:
            marks[CREDITS_HEADER] = in_header(found.credits)
        with nullcontext() if wanted.full else self._turns.taken(BUSY):
            return await stream(request, DATASETS[dataset](self._source, wanted), marks, self._stalled_s)


def add_routes(app: web.Application, source: Source, now_ms: Callable[[], int]) -> None:
    names = "|".join(DATASETS)
    app.router.add_get(f"/v1/export/{{dataset:{names}}}", Exports(source, now_ms).stream)


def _wanted(parameters: Mapping[str, str], now_ms: int) -> Wanted:
    """The interval, place and kind that a request asks for. Raises Refused."""
    given = Parameters(parameters, PARAMETERS)
    since_ms, until_ms = given.moment("since") or 0, given.moment("until")
    until_ms = now_ms + 1 if until_ms is None else until_ms
    if since_ms > until_ms:
        raise Refused(400, "bad_span", "Ask for since ≤ until.")
    return Wanted(
        since_ms=since_ms,
        until_ms=until_ms,
        now_ms=now_ms,
        country=given.country(),
        simulated=given.word("simulated", ("true", "false")) == "true",
        full=given.word("full", ("true", "false")) == "true",
    )
