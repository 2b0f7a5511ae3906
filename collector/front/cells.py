"""Cells and single verdicts over HTTP: GET /v1/cells and GET /v1/verdicts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec
from aiohttp import web

from collector.facts.credits import Credit
from collector.front.access import is_full
from collector.front.executors import reading
from collector.front.parameters import Parameters
from collector.front.refusals import Refused
from collector.front.streaming import NDJSON
from collector.warehouse import privacy_floor, questions
from collector.warehouse.early_signal import EarlySignal, early_signals
from collector.warehouse.questions import CellQuery, VerdictQuery
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow
from probe.model import HOUR_MS, Access, Json, Target

MAX_ASN = 2**32 - 1
MAX_VERDICTS = 10_000
MAX_CELLS, MOST_FOR_STRANGERS = 10_000, 500
DEFAULT_VERDICTS = 1_000

VERDICT_PARAMETERS = ("target", "country", "asn", "access", "since", "until", "limit")
CELL_PARAMETERS = ("since", "until", "country", "asn", "operator", "access", "service", "role")
Credits = Callable[[], tuple[Credit, ...]]  # of the networks' names
ACCESSES = tuple(access.value for access in Access)


class Cells:
    """The HTTP methods. `targets` are what probes are told to measure: their names are known before any verdict."""

    def __init__(
        self, warehouse: Warehouse, targets: Collection[Target], now_ms: Callable[[], int], credits: Credits
    ) -> None:
        self._warehouse, self._now_ms, self._credits = warehouse, now_ms, credits
        self._targets = {target.id for target in targets}
        self._services = {target.service for target in targets}
        self._roles = {target.role for target in targets}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/verdicts", self.verdicts), web.get("/v1/cells", self.cells)]

    async def verdicts(self, request: web.Request) -> web.Response:
        """One verdict per measurement, newest first; only for those who may see all."""
        if not is_full(request):
            raise Refused(403, "full_access_only", "Single verdicts are of single lines: ask for /v1/cells instead.")
        rows, complete = await reading(request).run(self._verdicts, request.query, always=True)
        if NDJSON in request.headers.get("Accept", ""):
            return _body(b"".join(msgspec.json.encode(row) + b"\n" for row in rows), NDJSON)
        return _json({"verdicts": rows, "complete": complete})

    async def cells(self, request: web.Request) -> web.Response:
        """`{"cells":[…],"complete":…}`, newest hour first, and as `credits` whose data names the networks; strangers
        get 500 at most, none below the floor, and counts as bands. The owner is told `early_signals` too.
        """
        full = is_full(request)
        return _body(await reading(request).run(self._cells, request.query, full, always=full), "application/json")

    def _verdicts(self, parameters: Mapping[str, str]) -> tuple[list[VerdictRow], bool]:
        """The rows, and whether they are all. Raises Refused."""
        query = self._verdict_query(parameters)
        rows = questions.verdicts(self._warehouse, query)
        return rows, len(rows) < query.limit

    def _cells(self, parameters: Mapping[str, str], full: bool) -> bytes:
        """The body of the answer. Raises Refused."""
        query = self._cell_query(parameters, full)
        rows = questions.cells(self._warehouse, query)
        shown = self._warehouse.faults.each("cells", lambda row: privacy_floor.shown(row, full), rows)
        said = {"cells": list(shown), "complete": len(rows) < query.limit}
        if credits := self._credits():
            said["credits"] = credits
        return msgspec.json.encode({**said, "early_signals": self._early_signals(query)} if full else said)

    def _early_signals(self, query: CellQuery) -> list[EarlySignal]:
        """Those of the days, networks and services that are asked for; no access, for a line may have several."""
        found = early_signals(self._warehouse, query.since_ms // HOUR_MS, (query.until_ms - 1) // HOUR_MS)
        asked = ("country", "asn", "operator", "service", "role")
        return [one for one in found if all(getattr(query, each) in (None, getattr(one, each)) for each in asked)]

    def _verdict_query(self, parameters: Mapping[str, str]) -> VerdictQuery:
        given = Parameters(parameters, VERDICT_PARAMETERS)
        since_ms, until_ms = given.span(self._now_ms())
        return VerdictQuery(
            since_ms=since_ms,
            until_ms=until_ms,
            target=self._measured(given, "target", self._targets, True),
            country=given.country(),
            asn=given.number("asn", MAX_ASN),
            access=given.word("access", ACCESSES),
            limit=given.number("limit", MAX_VERDICTS) or DEFAULT_VERDICTS,
        )

    def _cell_query(self, parameters: Mapping[str, str], full: bool) -> CellQuery:
        given = Parameters(parameters, CELL_PARAMETERS)
        since_ms, until_ms = given.span(self._now_ms())
        return CellQuery(
            since_ms=since_ms,
            until_ms=until_ms,
            country=given.country(),
            asn=given.number("asn", MAX_ASN),
            operator=given.text("operator"),
            access=given.word("access", ACCESSES),
            service=self._measured(given, "service", self._services, full),
            role=given.word("role", sorted(self._roles)),
            public_at=None if full else self._now_ms(),
            limit=MAX_CELLS if full else MOST_FOR_STRANGERS,
        )

    def _measured(self, given: Parameters, name: str, words: Collection[str], full: bool) -> str | None:
        """A target or service of today's file; in full also one that was ever measured.

        Whether a single line once sent some name is nothing that strangers may ask.
        """
        word = given.text(name)
        if full and word is not None and word not in words and questions.is_measured(self._warehouse, word):
            return word
        return given.word(name, sorted(words))


def add_routes(
    app: web.Application,
    warehouse: Warehouse,
    targets: Collection[Target],
    now_ms: Callable[[], int],
    credits: Credits = tuple,
) -> None:
    app.add_routes(Cells(warehouse, targets, now_ms, credits).routes())


def _json(value: Json) -> web.Response:
    return _body(msgspec.json.encode(value), "application/json")


def _body(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, content_type=content_type, headers={"Cache-Control": "no-store"})
