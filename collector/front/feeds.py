"""What probes and operators ask for over HTTP: uploads, the targets file, what controls saw and what they are to dial,
health and metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import msgspec
from aiohttp import ETag, web
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector.front.access import is_full
from collector.front.batches import Ingest
from collector.front.operations import Metrics
from collector.influx.forwarder import Forwarder
from collector.judging.projector import Projector
from collector.log import HOUR_MS, Log
from collector.warehouse import questions
from collector.warehouse.privacy_floor import LINES_FLOOR
from collector.warehouse.store import Warehouse
from probe.model import AlsoDial, ControlMeasurement, Targets

NDJSON = "application/x-ndjson"
DEFAULT_SPAN_MS = 2 * HOUR_MS
MAX_SPAN_MS = 48 * HOUR_MS
TARGETS_MAX_AGE_S = 300
MOST_ADDRESSES = 500
MOST_OF_ENDPOINT = 4  # and family: a probe dials no more


class Parts(Struct, frozen=True, kw_only=True):
    """What the collector is made of. `controls` are keys in hex; `targets` is the file that probes are told to use."""

    log: Log
    ingest: Ingest
    projector: Projector
    warehouse: Warehouse
    targets: Targets
    controls: frozenset[str]
    metrics: Metrics
    now_ms: Callable[[], int]
    forwarder: Forwarder | None = None  # where there is an InfluxDB


class Api:
    """The handlers; `routes` says what each is for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/batches", self._parts.ingest.receive),
            web.get("/v1/targets", self.targets),
            web.get("/v1/controls", self.controls),
            web.get("/v1/addresses", self.addresses),
            web.get("/healthz", self.health),
            web.get("/metrics", self.metrics),
        ]

    async def targets(self, request: web.Request) -> web.Response:
        """The targets file, YAML as read; its digest is the ETag."""
        tag = ETag(self._parts.targets.digest)
        if any(known.value in (tag.value, "*") for known in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(body=self._parts.targets.body, content_type="application/yaml")
        response.etag = tag
        response.headers["Cache-Control"] = f"max-age={TARGETS_MAX_AGE_S}"
        return response

    async def controls(self, request: web.Request) -> web.StreamResponse:
        """What controls measured with since ≤ started < until (ms), one ControlMeasurement a line."""
        since_ms, until_ms = _span(request, self._parts.now_ms())
        response = web.StreamResponse(headers={"Content-Type": NDJSON, "Cache-Control": "no-store"})
        await response.prepare(request)
        for since, until in pairwise([*range(since_ms, until_ms, HOUR_MS), until_ms]):
            await response.write(await asyncio.to_thread(self._seen_by_controls, since, until))
        await response.write_eof()
        return response

    def _seen_by_controls(self, since_ms: int, until_ms: int) -> bytes:
        records = self._parts.log.by_keys(self._parts.controls, since_ms, until_ms)
        seen = [ControlMeasurement(key=r.key, network=r.network, measurement=r.measurement) for r in records]
        return b"".join(msgspec.json.encode(one) + b"\n" for one in seen)

    async def addresses(self, request: web.Request) -> web.Response:
        """Where lines failed in the hours of since ≤ t < until (ms), one AlsoDial a line: for controls to dial also.

        Of services only: neither who failed there nor how many, and nothing that today's targets do not dial. For an
        address may be an operator's own cache, strangers see those at which enough lines failed to hide each.
        """
        since_ms, until_ms = _span(request, self._parts.now_ms())
        least = 1 if is_full(request) else LINES_FLOOR
        dials = await asyncio.to_thread(self._failing, since_ms, until_ms, least)
        body = b"".join(msgspec.json.encode(dial) + b"\n" for dial in dials)
        return web.Response(body=body, headers={"Content-Type": NDJSON, "Cache-Control": "no-store"})

    def _failing(self, since_ms: int, until_ms: int, least_lines: int) -> list[AlsoDial]:
        most = {"most_each": MOST_OF_ENDPOINT, "limit": MOST_ADDRESSES}
        known = self._parts.targets.targets
        return questions.failing(self._parts.warehouse, known, since_ms, until_ms, least_lines=least_lines, **most)

    async def health(self, request: web.Request) -> web.Response:
        """`{"ok":true}`; to those who may see all also how far the log and the projection are, in batches."""
        if not is_full(request):
            return web.json_response({"ok": True})
        log, projection = await asyncio.to_thread(self._cursors)
        return web.json_response(
            {
                "ok": True,
                "log_cursor": log,
                "projection_cursor": projection,
                "lag": log - projection,
                "projection_error": self._parts.projector.error,
            }
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """In the text format of Prometheus."""
        if not is_full(request):
            raise web.HTTPForbidden(text="Metrics are for the operator: send the admin token.")
        metrics = self._parts.metrics
        log, projection = await asyncio.to_thread(self._cursors)
        metrics.log_cursor.set(log)
        metrics.projection_cursor.set(projection)
        metrics.projection_broken.set(self._parts.projector.error is not None)
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _cursors(self) -> tuple[int, int]:
        """Of the projection first, so that the lag is never less than it is."""
        projection = self._parts.warehouse.cursor()
        return self._parts.log.cursor(), projection


def _span(request: web.Request, now_ms: int) -> tuple[int, int]:
    """since ≤ t < until, in ms; without them the last two hours."""
    until_ms = _integer(request, "until", now_ms)
    since_ms = _integer(request, "since", until_ms - DEFAULT_SPAN_MS)
    if not 0 <= until_ms - since_ms <= MAX_SPAN_MS:
        raise web.HTTPBadRequest(text="Ask for at most 48 hours: since ≤ until ≤ since + 172800000.")
    return since_ms, until_ms


def _integer(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise web.HTTPBadRequest(text=f"`{name}` is a number of milliseconds since 1970.")
    return int(text)
