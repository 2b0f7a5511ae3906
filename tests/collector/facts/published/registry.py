"""A registry and a web server on loopback, that say and give what a test has them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.collector.facts.published.packages import VERSION, asn_package, country_package

ARCHIVES = {"@ip-location-db/asn": asn_package(), "@ip-location-db/geo-whois-asn-country": country_package()}
DATED = "Wed, 17 Jun 2026 19:00:00 GMT"


def integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


class Registry:
    """`said` changes what the registry says of each archive; `given` what it gives instead of some."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.given: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.files: Mapping[str, bytes] = {}

    async def metadata(self, request: web.Request) -> web.Response:
        name = f"@{request.match_info['scope']}/{request.match_info['name']}"
        self.asked.append(name)
        if name not in ARCHIVES:
            raise web.HTTPNotFound
        tarball = str(request.url.origin() / "-" / f"{request.match_info['name']}.tgz")
        said = {"tarball": tarball, "integrity": integrity(ARCHIVES[name]), **self.said}
        return web.json_response({"name": name, "version": VERSION, "dist": said, "license": "x"})

    async def archive(self, request: web.Request) -> web.Response:
        name = f"@ip-location-db/{request.match_info['name'].removesuffix('.tgz')}"
        return web.Response(body=self.given.get(name, ARCHIVES[name]))

    async def file(self, request: web.Request) -> web.Response:
        body = self.files[request.match_info["name"]]
        return web.Response(body=body, headers={"Last-Modified": DATED})

    async def elsewhere(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"] if request.query["to"] != "itself" else str(request.rel_url))

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its address."""
        app = web.Application()
        app.router.add_get("/@{scope}/{name}/latest", self.metadata)
        app.router.add_get("/-/{name}", self.archive)
        app.router.add_get("/files/{name}", self.file)
        app.router.add_get("/elsewhere", self.elsewhere)
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url("/"))
