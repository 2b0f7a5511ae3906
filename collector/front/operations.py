"""Health and metrics: what the operator asks for over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from aiohttp import web
from msgspec import to_builtins
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from collector.front.access import is_full
from collector.front.parameters import Parameters
from collector.judging.index import SqliteIndex
from collector.judging.projector import Projector
from collector.log import Log
from collector.metrics import Metrics
from collector.warehouse.store import Warehouse


class Operations:
    """The HTTP methods; `routes` says what each is for."""

    def __init__(
        self, log: Log, index: SqliteIndex, warehouse: Warehouse, projector: Projector, metrics: Metrics
    ) -> None:
        self._log, self._index, self._warehouse = log, index, warehouse
        self._projector, self._metrics = projector, metrics

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self.health), web.get("/metrics", self.metrics)]

    async def health(self, request: web.Request) -> web.Response:
        """`{"ok":true}`, or false while judging stands still; to those who may see all also for how long, in seconds,
        how far the log and the projection are, in batches, what is missing of what probes sent, and what is to be
        judged again because the rules, the controls or the blocked keys changed: how many hours, and since when all is.

        The status is 200 all the same: uploads are taken, and nobody is to restart what takes them.
        """
        Parameters(request.query, ())
        standstill_s = self._projector.standstill_s
        if not is_full(request):
            return web.json_response({"ok": standstill_s is None})
        (log, projection), left = await asyncio.to_thread(self._cursors), await asyncio.to_thread(self._warehouse.left)
        return web.json_response(
            {
                "ok": standstill_s is None,
                "standstill_s": round(standstill_s or 0),
                "log_cursor": log,
                "projection_cursor": projection,
                "lag": log - projection,
                "projection_error": self._projector.error,
                "missing": to_builtins(await asyncio.to_thread(self._index.missing)),
                "waiting_hours": left.hours,
                "judged_again_back_to": None if left.since_ms is None else _hour(left.since_ms),
            }
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """The counters, in the text format of Prometheus."""
        if not is_full(request):
            raise web.HTTPForbidden(text="Metrics are for the operator: send the admin token.")
        Parameters(request.query, ())
        metrics = self._metrics
        (log, projection), left = await asyncio.to_thread(self._cursors), await asyncio.to_thread(self._warehouse.left)
        metrics.log_cursor.set(log)
        metrics.projection_cursor.set(projection)
        metrics.projection_broken.set(self._projector.error is not None)
        metrics.projection_standstill.set(self._projector.standstill_s or 0)
        metrics.tell_missing(await asyncio.to_thread(self._index.missing))
        metrics.tell_unreadable(await asyncio.to_thread(self._index.unreadable))
        metrics.waiting_hours.set(left.hours)
        metrics.judged_again_back_to.set((left.since_ms or 0) // 1000)
        metrics.told(metrics.quarantined, self._projector.quarantined)
        metrics.told(metrics.left_out, self._warehouse.faults.counts)
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _cursors(self) -> tuple[int, int]:
        """The positions of log and projection, the projection's read first: the lag is never less than it is."""
        projection = self._warehouse.cursor()
        return self._log.latest(), projection


def _hour(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"
