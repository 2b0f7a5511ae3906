"""Who was named is who is asked: a redirect leads nowhere. A signature that is refused is left out."""

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


@pytest.mark.parametrize(
    ("signature", "refused", "heard"),
    [
        (None, False, [None]),
        ("Ringback 1", False, ["Ringback 1"]),
        ("Ringback 1", True, ["Ringback 1", None]),
        (None, True, [None]),
    ],
)
async def test_a_refused_signature_costs_no_more_than_itself(
    signature: str | None, refused: bool, heard: list[str | None], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403 if refused and seen[-1] else 200, text="a\nb\n")

    def authorize(url: str) -> str | None:
        asked.append(url)
        return signature

    app = web.Application()
    app.router.add_get("/v1/lines", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        lines = await fetch_lines(url, "/v1/lines", {"since": 5}, what="lines", limit=100, authorize=authorize)
    assert lines == [b"a", b"b"]
    assert asked == [f"{url}v1/lines?since=5"]
    assert seen == heard
    assert ("refuses this probe's signature" in caplog.text) == (len(heard) == 2)
