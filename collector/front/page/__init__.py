"""The page for people: a single one, made here, without scripts and without anything fetched from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from collector.front.access import is_full
from collector.front.page.page import render
from collector.warehouse.store import Warehouse


def add_routes(app: web.Application, warehouse: Warehouse, now_ms: Callable[[], int]) -> None:
    """Adds `/`: what the warehouse holds of the last 24 hours, in full for those who may see all."""

    async def page(request: web.Request) -> web.Response:
        text = await asyncio.to_thread(render, warehouse, now_ms(), is_full(request))
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    app.router.add_get("/", page)
