"""The page for people: a single one, made here, without scripts and without anything fetched from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from aiohttp import ETag, web

from collector.front.access import is_full, own_port
from collector.front.executors import reading
from collector.front.page.kept import KEPT_S, KeptPages
from collector.front.page.page import Instance, render
from collector.front.parameters import Parameters
from collector.warehouse.store import Warehouse

HOW_TO_SEE_ALL = (
    "This is what everybody may see. If the collector is yours: `ringback-collector link --data DIR`, with the"
    " directory that it runs on, prints a link that shows everything to the browser that opens it."
)
# Whoever opens the owner's link is not to be shown again what was kept for strangers.
FOR_ALL = {"Cache-Control": f"max-age={KEPT_S:.0f}", "Vary": "Authorization, Cookie"}


class Site:
    """The HTTP method. `clock` counts seconds."""

    def __init__(
        self, warehouse: Warehouse, now_ms: Callable[[], int], instance: Instance, clock: Callable[[], float]
    ) -> None:
        self._warehouse, self._now_ms, self._instance = warehouse, now_ms, instance
        self._kept = KeptPages(now_ms, clock)

    async def page(self, request: web.Request) -> web.Response:
        """What the warehouse holds of the last 24 hours, of one country or of all: to those who may see all as it is
        now, to others as of the last minute.
        """
        Parameters(request.query, ())
        country = request.match_info.get("country")
        if is_full(request):
            asked = (self._warehouse, self._now_ms(), True, "", country, self._instance)
            text = await reading(request).run(render, *asked, always=True)
            return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})
        return await self._for_all(request, "" if own_port(request) is None else HOW_TO_SEE_ALL, country)

    async def _for_all(self, request: web.Request, notice: str, country: str | None) -> web.Response:
        kept = await self._kept.page(f"{country} {notice}", partial(self._made, request, notice, country))
        tag = ETag(kept.tag)
        if any(known.value in (tag.value, "*") for known in request.if_none_match or ()):
            response = web.Response(status=304, headers=FOR_ALL)
        else:
            response = web.Response(text=kept.text, content_type="text/html", headers=FOR_ALL)
        response.etag = tag
        return response

    async def _made(self, request: web.Request, notice: str, country: str | None, now_ms: int) -> str:
        """Made for all who wait, so that it is never refused."""
        asked = (self._warehouse, now_ms, False, notice, country, self._instance)
        return await reading(request).run(render, *asked, always=True)


def add_routes(
    app: web.Application,
    warehouse: Warehouse,
    now_ms: Callable[[], int],
    instance: Instance,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    pages = Site(warehouse, now_ms, instance, clock)
    app.router.add_get("/", pages.page)
    app.router.add_get("/country/{country:[A-Z]{2}}", pages.page)
