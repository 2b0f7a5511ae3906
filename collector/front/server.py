"""The collector's web application: routes, what every response carries, and the projector that runs beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from collector.facts.networks_file import NetworksFile
from collector.front import cells, exports, page
from collector.front.access import ACCESS, OwnerAccess
from collector.front.access import routes as owner_routes
from collector.front.behind_proxies import BehindProxies
from collector.front.connections import SERVER, NoAddresses, Runner, Sparing
from collector.front.door import Door
from collector.front.executors import add_executors
from collector.front.feeds import Feeds
from collector.front.limits import LIMITS, ConnectionLimits
from collector.front.operations import Operations
from collector.front.page.page import Instance
from collector.front.refusals import in_json
from collector.influx.forwarder import Forwarder
from collector.instance import Parts
from collector.judging.projector import Projector
from collector.package.source import Source

SHUTDOWN_S = 5.0  # for requests under way when the server ends
LINGERING_S = 1.0  # for what is left of a refused body, so that the refusal can be read

# Pages bring their own style and no script from elsewhere; nobody may frame them.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


def create_app(parts: Parts, access: OwnerAccess, limits: ConnectionLimits = LIMITS) -> web.Application:
    """The application. The projector, and what feeds an InfluxDB, run while it does."""
    behind = BehindProxies(limits, parts.metrics.turned_away.labels("source").inc)
    app = web.Application(middlewares=[in_json, behind.middleware()])
    app[ACCESS] = access
    add_executors(app, lambda name: parts.metrics.turned_away.labels(name).inc())
    app.add_routes([*owner_routes(), *routes_for_programs(parts)])
    cells.add_routes(app, parts.warehouse, parts.targets.targets, parts.now_ms, parts.networks.credits)
    page.add_routes(app, parts.warehouse, parts.now_ms, instance_of(parts))
    source = Source(
        log=parts.log,
        index=parts.index,
        targets=parts.kept_targets,
        warehouse=parts.warehouse,
        pseudonyms=parts.pseudonyms,
        credits=parts.networks.credits,
    )
    exports.add_routes(app, source, parts.now_ms)
    app.on_response_prepare.append(_add_headers)
    app.cleanup_ctx.append(lambda _: _running(parts.projector))
    app.cleanup_ctx.append(lambda _: _running(parts.networks))
    if parts.forwarder is not None:
        forwarder = parts.forwarder
        app.cleanup_ctx.append(lambda _: _running(forwarder))
    return app


def instance_of(parts: Parts) -> Instance:
    return Instance(parts.simulated, lambda: parts.log.latest() - parts.warehouse.cursor(), parts.networks.credits)


def routes_for_programs(parts: Parts) -> list[web.RouteDef]:
    """The routes that probes, controls and the operator's programs ask; those for people are beside them."""
    operations = Operations(parts.log, parts.index, parts.warehouse, parts.projector, parts.metrics)
    return [web.post("/v1/batches", parts.ingest.receive), *Feeds(parts).routes(), *operations.routes()]


async def _running(projection: Projector | Forwarder | NetworksFile) -> AsyncIterator[None]:
    task = asyncio.create_task(projection.run(), name=type(projection).__name__)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)  # a page may know better


def runner(app: web.Application, door: Door | None = None) -> web.AppRunner:
    """Serves the application without an access log; bodies are handed on as they came."""
    server_log = logging.getLogger(f"{__name__}.server")
    server_log.filters = [NoAddresses(), Sparing()]
    door = door or Door()
    app.cleanup_ctx.append(door.watched)
    return Runner(
        app,
        door,
        access_log=None,
        logger=server_log,
        auto_decompress=False,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_S,
        lingering_time=LINGERING_S,
        keepalive_timeout=door.limits.header_s,
    )
