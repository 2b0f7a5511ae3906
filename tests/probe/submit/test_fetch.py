"""Who was named is who is asked: a redirect leads nowhere."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from probe.failure import UserError
from probe.submit.fetch import fetch_lines


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        with pytest.raises(UserError, match="the server answered 302"):
            await fetch_lines(str(server.make_url("/")), "/v1/lines", {}, what="lines", limit=100)
    assert asked == ["/v1/lines"]
