"""The page for people: a single one, made here, without scripts and without anything fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from collector.front.access import is_full, own_port
from collector.front.executors import reading
from collector.front.page.page import render
from collector.front.parameters import Parameters
from collector.warehouse.store import Warehouse

HOW_TO_SEE_ALL = (
    "This is what everybody may see. If the collector is yours: `ringback-collector link --data DIR`, with the"
    " directory that it runs on, prints a link that shows everything to the browser that opens it."
)


def add_routes(app: web.Application, warehouse: Warehouse, now_ms: Callable[[], int]) -> None:
    """Adds `/`: what the warehouse holds of the last 24 hours, in full for those who may see all."""

    async def page(request: web.Request) -> web.Response:
        Parameters(request.query, ())
        full = is_full(request)
        notice = "" if full or own_port(request) is None else HOW_TO_SEE_ALL
        text = await reading(request).run(render, warehouse, now_ms(), full, notice, always=full)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    app.router.add_get("/", page)
