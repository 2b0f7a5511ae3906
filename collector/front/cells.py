"""GET /v1/verdicts and GET /v1/cells. What is asked for is read strictly: a slip is named, not ignored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

import msgspec
from aiohttp import web

from collector.front.access import is_full
from collector.log import HOUR_MS
from collector.warehouse import privacy_floor, questions
from collector.warehouse.questions import CellQuery, VerdictQuery
from collector.warehouse.store import Warehouse
from probe.model import Access, Json, Target

NDJSON = "application/x-ndjson"
DEFAULT_SPAN_MS = 24 * HOUR_MS
MAX_SPAN_MS = 31 * 24 * HOUR_MS
MAX_ASN = 2**32 - 1
MAX_MS = 2**53
MAX_VERDICTS = 10_000
DEFAULT_VERDICTS = 1_000

VERDICT_PARAMETERS = ("target", "country", "asn", "access", "since", "until", "limit")
CELL_PARAMETERS = ("since", "until", "country", "asn", "operator", "access", "service", "role")
ACCESSES = tuple(access.value for access in Access)
NUMBERS = {"since": ": milliseconds since 1970", "until": ": milliseconds since 1970", "asn": ", such as 36903"}


class Refused(Exception):
    """What was asked for cannot be understood: `reason` is for machines, the message a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Asked:
    """The parameters of one request. Raises Refused on an unknown or a repeated one."""

    def __init__(self, query: Mapping[str, str], names: Collection[str]) -> None:
        self._query = query
        for name in query:
            if name not in names:
                raise Refused("unknown_parameter", f"There is no parameter `{name}`; {_nearest(name, names)}.")
        if len(query) != len(set(query)):  # a MultiDict counts each, its names are a set
            raise Refused("repeated_parameter", "Give each parameter once.")

    def text(self, name: str) -> str | None:
        return self._query.get(name)

    def word(self, name: str, words: Collection[str]) -> str | None:
        """One of a list. Raises Refused."""
        word = self._query.get(name)
        if word is not None and word not in words:
            raise Refused("unknown_word", f"`{name}` has no value `{word}`; {_nearest(word, words)}.")
        return word

    def country(self) -> str | None:
        country = self._query.get("country")
        if country is not None and not re.fullmatch("[A-Z]{2}", country):
            raise Refused("bad_value", "`country` is two capital letters, such as MA.")
        return country

    def number(self, name: str, most: int) -> int | None:
        """A whole number up to `most`. Raises Refused."""
        text = self._query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= most):
            raise Refused("bad_value", f"`{name}` is a whole number of at most {most}{NUMBERS.get(name, '')}.")
        return int(text)

    def span(self, now_ms: int) -> tuple[int, int]:
        """since ≤ t < until, in ms; without them the last 24 hours. Raises Refused."""
        until = self.number("until", MAX_MS)
        since = self.number("since", MAX_MS)
        until_ms = until if until is not None else (now_ms + 1 if since is None else max(now_ms, since) + 1)
        since_ms = since if since is not None else max(0, until_ms - DEFAULT_SPAN_MS)
        if not 0 <= until_ms - since_ms <= MAX_SPAN_MS:
            raise Refused("bad_span", f"Ask for at most 31 days: since ≤ until ≤ since + {MAX_SPAN_MS}.")
        return since_ms, until_ms


def _nearest(word: str, words: Collection[str]) -> str:
    close = get_close_matches(word, words, 1, cutoff=0.5)
    return f"did you mean `{close[0]}`" if close else f"give one of {', '.join(words)}"


class Queries:
    """The handlers. `targets` are those that probes are told to measure: their names are known before any verdict."""

    def __init__(self, warehouse: Warehouse, targets: Collection[Target], now_ms: Callable[[], int]) -> None:
        self._warehouse, self._now_ms = warehouse, now_ms
        self._targets = {target.id for target in targets}
        self._services = {target.service for target in targets}
        self._roles = {target.role for target in targets}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/verdicts", self.verdicts), web.get("/v1/cells", self.cells)]

    async def verdicts(self, request: web.Request) -> web.Response:
        """One verdict per measurement, newest first; only for those who may see all."""
        if not is_full(request):
            return _error(403, "full_access_only", "Single verdicts are of single lines: ask for /v1/cells instead.")
        try:
            query = await asyncio.to_thread(self._verdict_query, request.query)
        except Refused as refused:
            return _error(400, refused.reason, str(refused))
        rows = await asyncio.to_thread(questions.verdicts, self._warehouse, query)
        if NDJSON in request.headers.get("Accept", ""):
            return _body(b"".join(msgspec.json.encode(row) + b"\n" for row in rows), NDJSON)
        return _json({"verdicts": rows, "complete": len(rows) < query.limit})

    async def cells(self, request: web.Request) -> web.Response:
        """`{"cells":[…],"complete":…}`, newest hour first; below the floor none, and counts as bands."""
        full = is_full(request)
        try:
            query = await asyncio.to_thread(self._cell_query, request.query, full)
        except Refused as refused:
            return _error(400, refused.reason, str(refused))
        rows = await asyncio.to_thread(questions.cells, self._warehouse, query)
        return _json({"cells": [privacy_floor.shown(row, full) for row in rows], "complete": len(rows) < query.limit})

    def _verdict_query(self, parameters: Mapping[str, str]) -> VerdictQuery:
        asked = Asked(parameters, VERDICT_PARAMETERS)
        since_ms, until_ms = asked.span(self._now_ms())
        return VerdictQuery(
            since_ms=since_ms,
            until_ms=until_ms,
            target=self._measured(asked, "target", self._targets),
            country=asked.country(),
            asn=asked.number("asn", MAX_ASN),
            access=asked.word("access", ACCESSES),
            limit=asked.number("limit", MAX_VERDICTS) or DEFAULT_VERDICTS,
        )

    def _cell_query(self, parameters: Mapping[str, str], full: bool) -> CellQuery:
        asked = Asked(parameters, CELL_PARAMETERS)
        since_ms, until_ms = asked.span(self._now_ms())
        return CellQuery(
            since_ms=since_ms,
            until_ms=until_ms,
            country=asked.country(),
            asn=asked.number("asn", MAX_ASN),
            operator=asked.text("operator"),
            access=asked.word("access", ACCESSES),
            service=self._measured(asked, "service", self._services),
            role=asked.word("role", sorted(self._roles)),
            least_lines=0 if full else privacy_floor.LINES_FLOOR,
        )

    def _measured(self, asked: Asked, name: str, words: Collection[str]) -> str | None:
        """A target or service of today's file, or one that was measured before it left the file."""
        word = asked.text(name)
        if word is not None and word not in words and questions.is_measured(self._warehouse, word):
            return word
        return asked.word(name, sorted(words))


def add_routes(
    app: web.Application, warehouse: Warehouse, targets: Collection[Target], now_ms: Callable[[], int]
) -> None:
    app.add_routes(Queries(warehouse, targets, now_ms).routes())


def _json(value: Json) -> web.Response:
    return _body(msgspec.json.encode(value), "application/json")


def _body(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _error(status: int, reason: str, message: str) -> web.Response:
    return web.json_response({"error": reason, "message": message}, status=status)
