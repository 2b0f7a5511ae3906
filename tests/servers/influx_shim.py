"""A front that gives an influxd 1.6.7, which lacks it, the /api/v2/write of 1.8 and later; everything else it hands on.

It also misbehaves as it is told: `shim.failures.append(Failure(429))` fails the next write and counts it.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.servers.influxd import Influxd

# 1.6.7 takes `us` without complaint, and for nanoseconds.
PRECISIONS = {"us": "u"}
KEPT = ("Content-Encoding", "Content-Type")


@dataclass(frozen=True)
class Failure:
    """What a write gets instead of its answer; `seconds` is how long that takes. `stored`: it was written before."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "told to fail"
    seconds: float = 0.0
    stored: bool = False


@dataclass(frozen=True)
class Write:
    """One request to write, as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    lines: list[str]


@dataclass
class Shim:
    """`failures` are for the writes to come, one each; `always` is for all of them while it is set."""

    server: Influxd
    url: str = ""
    token: str | None = None  # the only one that is let through
    failures: deque[Failure] = field(default_factory=deque)
    always: Failure | None = None
    writes: list[Write] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/api/v2/write", self.write_v2)
        app.router.add_post("/write", self.write_v1)
        app.router.add_route("*", "/{path:.*}", self.hand_on)
        return app

    async def write_v2(self, request: web.Request) -> web.Response:
        database, _, policy = request.query.get("bucket", "").partition("/")
        precision = request.query.get("precision", "ns")
        return await self._write(
            request, {"db": database, "rp": policy, "precision": PRECISIONS.get(precision, precision)}
        )

    async def write_v1(self, request: web.Request) -> web.Response:
        return await self._write(request, dict(request.query))

    async def _write(self, request: web.Request, query: dict[str, str]) -> web.Response:
        body = await request.read()
        plain = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        self.writes.append(Write(request.path, dict(request.query), dict(request.headers), plain.decode().split("\n")))
        if self.token is not None and request.headers.get("Authorization") != f"Token {self.token}":
            return web.json_response({"code": "unauthorized", "message": "unauthorized access"}, status=401)
        failure = self.always or (self.failures.popleft() if self.failures else None)
        if failure is None or failure.stored:
            answer = await self._forward(request, "/write", {k: v for k, v in query.items() if v}, body)
        if failure is None:
            return answer
        await asyncio.sleep(failure.seconds)
        text = {"code": "failed", "message": failure.message}
        return web.json_response(text, status=failure.status, headers=failure.headers)

    async def hand_on(self, request: web.Request) -> web.Response:
        return await self._forward(request, request.path, dict(request.query), await request.read())

    async def _forward(self, request: web.Request, path: str, query: dict[str, str], body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in KEPT if name in request.headers}
        url = f"{self.server.url}{path}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, params=query, data=body, headers=headers) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name.startswith("X-Influxdb")}
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type, headers=kept
            )


@asynccontextmanager
async def influx_shim(server: Influxd, token: str | None = None) -> AsyncIterator[Shim]:
    """The shim in the running loop: whoever calls it must not block that loop."""
    shim = Shim(server, token=token)
    runner = web.AppRunner(shim.application(), auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        shim.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield shim
    finally:
        await runner.cleanup()
