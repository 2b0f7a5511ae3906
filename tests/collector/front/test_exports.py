"""GET /v1/export/…: strictly asked, streamed, to strangers only cells, and never too many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from collector.facts.credits import of_header
from collector.facts.published.publishers import DBIP
from collector.front import exports as routes
from collector.front.access import ACCESS, OwnerAccess
from collector.front.connections import Site
from collector.front.executors import add_executors
from collector.front.exports import CREDITS_HEADER
from collector.front.listening import open_socket
from collector.front.refusals import in_json
from collector.front.server import create_app, runner
from collector.instance import Parts
from collector.judging.projector import Projector
from collector.judging.rules import RULES
from collector.package.origin import RunningCollector
from collector.package.source import DATASETS, Source, about, measurements
from probe import targets as targets_file
from tests.collector.package.holding import SINCE, UNTIL, wanted
from tests.patience import PATIENCE

TOKEN = "the-admin-token"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
SPAN = f"since={SINCE}&until={UNTIL}&simulated=true"


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}", headers=headers) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[Client]:
    served = runner(app)
    await served.setup()
    try:
        await Site(served, open_socket("127.0.0.1", 0)).start()
        async with aiohttp.ClientSession() as session:
            yield Client(session, f"http://127.0.0.1:{served.addresses[0][1]}")
    finally:
        await served.cleanup()


def public(parts: Parts) -> web.Application:
    """As strangers meet it."""
    kept = (parts.log, parts.index, parts.kept_targets)
    projector = Projector(*kept, parts.warehouse, parts.controls, rules=RULES, parse=targets_file.parse)
    return create_app(msgspec.structs.replace(parts, projector=projector), OwnerAccess(TOKEN, lambda: UNTIL))


async def test_strangers_get_cells_above_the_floor(parts: Parts) -> None:
    async with listening(public(parts)) as client:
        status, text = await client.get(f"/v1/export/cells?{SPAN}")
    found = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert {row["lines"] for row in found} == {"3-5"}


@pytest.mark.parametrize("path", ["verdicts?full=true", "measurements?full=true", "cells?full=true", "verdicts?"])
async def test_strangers_get_nothing_of_single_lines(parts: Parts, path: str) -> None:
    async with listening(public(parts)) as client:
        status, text = await client.get(f"/v1/export/{path}&{SPAN}")
        wrong = await client.get(f"/v1/export/{path}&{SPAN}", {"Authorization": "Bearer guessed"})
    assert status == wrong[0] == 403
    assert json.loads(text)["error"] == "full_access_only"


@pytest.mark.parametrize("dataset", DATASETS)
async def test_who_has_the_token_gets_all(parts: Parts, source: Source, dataset: str) -> None:
    async with listening(public(parts)) as client:
        status, text = await client.get(f"/v1/export/{dataset}?{SPAN}&full=true", ADMIN)
        mine = await client.get(f"/v1/export/cells?{SPAN}", ADMIN)
    assert status == 200
    assert text.encode() == b"".join(DATASETS[dataset](source, wanted()))
    assert json.loads(mine[1].splitlines()[0])["lines"] == "3-5"  # what is not asked for in full is as for everybody


async def test_whose_data_names_the_networks_goes_along(
    parts: Parts, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a header, from which a package takes it."""
    monkeypatch.setattr(parts.networks, "credits", lambda: (DBIP,))
    async with listening(public(parts)) as client:
        async with client.session.get(f"{client.url}/v1/export/cells?{SPAN}") as answer:
            assert of_header(answer.headers[CREDITS_HEADER]) == (DBIP,)
        async with RunningCollector(client.url, TOKEN, client.session).open("cells", wanted()) as stream:
            assert stream.about.credits == (DBIP,)
    assert about(msgspec.structs.replace(source, credits=lambda: (DBIP,))).credits == (DBIP,)
    assert about(source).credits == ()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("sinse=1", "unknown_parameter"),
        ("since=1&since=2", "repeated_parameter"),
        ("since=soon", "bad_value"),
        ("since=2&until=1", "bad_span"),
        ("country=Morocco", "bad_value"),
        ("full=yes", "unknown_word"),
        ("simulated=", "unknown_word"),
    ],
)
async def test_a_slip_is_named(parts: Parts, query: str, reason: str) -> None:
    async with listening(public(parts)) as client:
        status, text = await client.get(f"/v1/export/cells?{query}")
        nothing = await client.get("/v1/export/probes")
    assert (status, json.loads(text)["error"]) == (400, reason)
    assert nothing[0] == 404


async def test_no_more_than_so_many_at_once(parts: Parts, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has left makes room again."""
    going_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object):  # type: ignore[no-untyped-def]
        yield b"{}\n"
        asyncio.run_coroutine_threadsafe(going_on.wait(), loop).result(10)
        yield b"{}\n"

    monkeypatch.setattr(routes, "DATASETS", {"cells": slow})
    app = web.Application(middlewares=[in_json])
    add_executors(app)
    app.router.add_get("/v1/export/{dataset}", routes.Exports(source, lambda: UNTIL, at_once=1).stream)
    async with listening(app) as client, client.session.get(f"{client.url}/v1/export/cells") as first:
        assert await first.content.readline() == b"{}\n"  # it comes before the rest is there
        status, text = await client.get("/v1/export/cells")
        assert (status, json.loads(text)["error"]) == (429, "busy")
        going_on.set()
        assert await first.content.read() == b"{}\n"
        statuses = [(await client.get("/v1/export/cells"))[0] for _ in range(20)]
        assert 200 in statuses


async def test_a_failure_under_way_is_seen_by_who_reads(
    parts: Parts, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that ends early must not look whole."""

    def broken(*_: object):  # type: ignore[no-untyped-def]
        yield b"".join(measurements(source, wanted()))[:1000]
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(routes, "DATASETS", {"cells": broken})
    async with listening(public(parts)) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get("/v1/export/cells")


async def test_who_does_not_read_is_given_up(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """And makes room for others."""

    def endless(*_: object):  # type: ignore[no-untyped-def]
        while True:
            yield b"{}" + b" " * 1_000_000 + b"\n"

    monkeypatch.setattr(routes, "DATASETS", {"cells": endless})
    exports, given_up = routes.Exports(source, lambda: UNTIL, at_once=1, stalled_s=0.2), asyncio.Event()

    async def watched(request: web.Request) -> web.StreamResponse:
        try:
            return await exports.stream(request)
        finally:
            given_up.set()

    app = web.Application(middlewares=[in_json])
    add_executors(app)
    app.router.add_get("/v1/export/{dataset}", watched)
    async with listening(app) as client, client.session.get(f"{client.url}/v1/export/cells") as answer:
        async with asyncio.timeout(PATIENCE):
            await given_up.wait()
        async with client.session.get(f"{client.url}/v1/export/cells") as another:
            assert another.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_the_administrator_does_not_wait_for_strangers(parts: Parts, source: Source) -> None:
    app = web.Application(middlewares=[in_json])
    add_executors(app)
    app[ACCESS] = OwnerAccess(TOKEN, lambda: UNTIL)
    app.router.add_get("/v1/export/{dataset}", routes.Exports(source, lambda: UNTIL, at_once=0).stream)
    async with listening(app) as client:
        assert (await client.get(f"/v1/export/cells?{SPAN}"))[0] == 429
        assert (await client.get(f"/v1/export/cells?{SPAN}&full=true", ADMIN))[0] == 200
