"""Databases as they have to be: made on a real InfluxDB 1.6.7, and on stand-ins that answer as 2.x and 3 document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from collector import commands
from collector.influx.client import Misconfigured, Server
from collector.influx.setup import check, setup
from probe.failure import UserError
from tests.servers.influx_shim import influx_shim
from tests.servers.influxd import Influxd, influxd
from tests.servers.process import free_port

needs_influxd = pytest.mark.needs("influxdb")


def policies(server: Influxd, database: str) -> dict[str, Any]:
    (row,) = server.rows(f'SHOW RETENTION POLICIES ON "{database}"', "")
    return {name: row[name] for name in ("name", "duration", "shardGroupDuration", "default")}


@needs_influxd
async def test_on_1x_again_and_again(influxd_server: Influxd, influx_database: str) -> None:
    """One of the databases is there already, with a policy of its own."""
    server = Server(url=influxd_server.url, api="v1", database=influx_database)
    try:
        for days in (90, 90, 30):
            said = await setup(server, days)
            assert said == [
                f"InfluxDB 1.6.7~rc0 at {server.url} has {influx_database}, kept for {days} days.",
                f"InfluxDB 1.6.7~rc0 at {server.url} has {influx_database}_rollup, kept for ever.",
            ]
            raw = policies(influxd_server, influx_database)
            assert raw == {
                "name": "autogen",
                "duration": f"{days * 24}h0m0s",
                "shardGroupDuration": "168h0m0s",
                "default": True,
            }
        totals = policies(influxd_server, f"{influx_database}_rollup")
        assert totals == {
            "name": "autogen",
            "duration": "0s",
            "shardGroupDuration": "8736h0m0s",
            "default": True,
        }
        assert await check(server) == [
            f"InfluxDB 1.6.7~rc0 at {server.url} takes points for {influx_database} and {influx_database}_rollup."
        ]
        assert influxd_server.query("SHOW MEASUREMENTS", influx_database) == []
    finally:
        influxd_server.drop(f"{influx_database}_rollup")


@needs_influxd
async def test_what_is_wrong_is_one_sentence(influxd_server: Influxd, tmp_path: Path) -> None:
    missing = Server(url=influxd_server.url, api="v1", database="nowhere")
    assert await refusal(check, missing) == (
        f'InfluxDB at {missing.url} has no nowhere (database not found: "nowhere"):'
        " run `ringback-collector influx setup`."
    )
    older = Server(url=influxd_server.url)
    assert await refusal(check, older) == (
        f"{older.url} has no /api/v2/write (404): check the address, or give --influx-api v1"
        " (v1 for InfluxDB before 1.8)."
    )
    with influxd(tmp_path, ("admin", "secret")) as locked:
        stranger = Server(url=locked.url, api="v1", token="admin:wrong")
        assert await refusal(setup, stranger) == (
            f"InfluxDB at {locked.url} refuses the token (401): --influx-token-file needs one of an administrator here"
            " (for 1.x `user:password`)."
        )
        owner = msgspec.structs.replace(stranger, token="admin:secret")
        assert len(await setup(owner)) == 2
        assert len(await check(owner)) == 1


async def test_nobody_there_and_somebody_else() -> None:
    nobody = Server(url=f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached" in await refusal(setup, nobody)
    async with Stand("9.1.0").serving() as other:
        assert await refusal(setup, other) == f"{other.url} says that it is InfluxDB 9.1.0: 1, 2 and 3 are known."
    async with Stand("").serving() as other:
        assert "does not answer as an InfluxDB does (204 to /ping): check --influx." in await refusal(setup, other)


@pytest.mark.parametrize("version", ["1.8.10", "2.7.11", "3.0.1"])
async def test_a_page_to_sign_in_has_made_nothing(version: str) -> None:
    """What stands in front lets the first question through, and answers the others with a page and 200."""
    page = "<html><title>Sign in</title></html>"
    async with Stand(version, page=page).serving(org="ngo") as server:
        said = await refusal(setup, server)
    assert "answers 200 to" in said or "has no organization ngo" in said


async def refusal(what: Any, server: Server) -> str:
    with pytest.raises((UserError, Misconfigured)) as refused:
        await what(server)
    return str(refused.value)


# --- Stand-ins


@dataclass
class Stand:
    """Answers as an InfluxDB of a version, and remembers what it was asked to make."""

    version: str
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    page: str | None = None  # instead of all answers but the first

    @asynccontextmanager
    async def serving(self, token: str | None = "t0ken", org: str = "") -> AsyncIterator[Server]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Server(url=f"http://127.0.0.1:{runner.addresses[0][1]}", token=token, org=org)
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/ping":
            return web.Response(status=204, headers={"X-Influxdb-Version": self.version} if self.version else {})
        if self.page is not None:
            return web.Response(text=self.page, content_type="text/html")
        assert request.headers["Authorization"] == "Token t0ken"
        told = await request.read()
        body = None if request.path == "/api/v2/write" else json.loads(told or b"null")
        self.asked.append((request.method, request.path, dict(request.query), body))
        status, answer = self.answers.get(f"{request.method} {request.path}", (404, {"message": "not found"}))
        return web.json_response(answer(body, request.query) if callable(answer) else answer, status=status)


async def test_on_2x_buckets_and_their_mappings_are_made() -> None:
    stand = Stand(
        "v2.7.11",
        {
            "GET /api/v2/orgs": (200, {"orgs": [{"id": "0e", "name": "ngo"}]}),
            "GET /api/v2/buckets": (200, {"buckets": []}),
            "POST /api/v2/buckets": (201, lambda body, query: {"id": f"id of {body['name']}"}),
            "GET /api/v2/dbrps": (200, {"content": []}),
            "POST /api/v2/dbrps": (201, {}),
        },
    )
    async with stand.serving(org="ngo") as server:
        assert (await setup(server))[0] == f"InfluxDB 2.7.11 at {server.url} has ringback, kept for 90 days."
    made = [(path, body) for method, path, _, body in stand.asked if method == "POST"]
    assert made == [
        ("/api/v2/buckets", bucket("ringback", 90 * 86_400, 7 * 86_400)),
        ("/api/v2/dbrps", mapping("ringback")),
        ("/api/v2/buckets", bucket("ringback_rollup", 0, 364 * 86_400)),
        ("/api/v2/dbrps", mapping("ringback_rollup")),
    ]
    assert stand.asked[0] == ("GET", "/api/v2/orgs", {"org": "ngo"}, None)
    assert stand.asked[1] == ("GET", "/api/v2/buckets", {"orgID": "0e", "name": "ringback"}, None)


def bucket(name: str, keep_s: int, shard_s: int) -> dict[str, Any]:
    rule = {"type": "expire", "everySeconds": keep_s, "shardGroupDurationSeconds": shard_s}
    return {"orgID": "0e", "name": name, "retentionRules": [rule]}


def mapping(name: str) -> dict[str, Any]:
    where = {"orgID": "0e", "bucketID": f"id of {name}", "database": name}
    return {**where, "retention_policy": "autogen", "default": True}


async def test_on_2x_what_is_there_is_only_kept_as_long_as_it_should() -> None:
    stand = Stand(
        "2.0.9",
        {
            "GET /api/v2/orgs": (200, {"orgs": [{"id": "0e"}]}),
            "GET /api/v2/buckets": (200, lambda body, query: {"buckets": [{"id": f"id of {query['name']}"}]}),
            "PATCH /api/v2/buckets/id of ringback": (200, {}),
            "PATCH /api/v2/buckets/id of ringback_rollup": (200, {}),
            "GET /api/v2/dbrps": (200, lambda body, query: {"content": [{"bucketID": f"id of {query['db']}"}]}),
        },
    )
    async with stand.serving(org="ngo") as server:
        await setup(server, 30)
    changed = [(method, body["retentionRules"][0]["everySeconds"]) for method, _, _, body in stand.asked if body]
    assert changed == [("PATCH", 30 * 86_400), ("PATCH", 0)]


@pytest.mark.parametrize("mapped", [True, False])
async def test_on_2x_a_mapping_that_lacks_is_said(mapped: bool) -> None:
    """Points would arrive all the same, and no panel would find them."""
    stand = Stand(
        "2.7.11",
        {
            "POST /api/v2/write": (400, {"code": "invalid", "message": "writing requires points"}),
            "GET /api/v2/dbrps": (200, {"content": [{"bucketID": "b"}] if mapped else []}),
        },
    )
    async with stand.serving(org="ngo") as server:
        if mapped:
            assert await check(server) == [
                f"InfluxDB 2.7.11 at {server.url} takes points for ringback and ringback_rollup."
            ]
        else:
            assert await refusal(check, server) == (
                f"InfluxDB at {server.url} has no DBRP mapping for ringback, by which InfluxQL finds the bucket:"
                " run `ringback-collector influx setup`."
            )


async def test_on_2x_an_organization_is_needed() -> None:
    stand = Stand("2.7.11", {"GET /api/v2/orgs": (404, {"code": "not found", "message": "organization not found"})})
    async with stand.serving() as server:
        assert await refusal(setup, server) == "InfluxDB 2 needs to know whose the buckets are: give --influx-org."
    async with stand.serving(org="nobody") as server:
        assert "has no organization nobody: check --influx-org." in await refusal(setup, server)


@pytest.mark.parametrize("status", [200, 409])
async def test_on_3_databases_are_made(status: int) -> None:
    stand = Stand("3.4.1", {"POST /api/v3/configure/database": (status, {})})
    async with stand.serving() as server:
        assert len(await setup(server)) == 2
    assert [body for _, _, _, body in stand.asked] == [
        {"db": "ringback", "retention_period": "90d"},
        {"db": "ringback_rollup"},
    ]


async def test_what_3_refuses_is_said() -> None:
    stand = Stand("3.4.1", {"POST /api/v3/configure/database": (422, {"error": "Database limit reached (limit: 5)"})})
    async with stand.serving() as server:
        assert (await refusal(setup, server)).endswith(
            "answers 422 to /api/v3/configure/database: Database limit reached (limit: 5)."
        )


# --- On the command line


@needs_influxd
def test_the_commands(influxd_server: Influxd, influx_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--influx", influxd_server.url, "--influx-api", "v1", "--influx-database", influx_database]
    try:
        assert commands.main(["influx", "check", *words]) == 2
        assert capsys.readouterr().err.endswith("run `ringback-collector influx setup`.\n")
        assert commands.main(["influx", "setup", *words, "--raw-days", "14"]) == 0
        assert commands.main(["influx", "check", *words]) == 0
        assert capsys.readouterr().out.count("\n") == 3
    finally:
        influxd_server.drop(f"{influx_database}_rollup")


@needs_influxd
async def test_the_front_of_the_tests_is_checked_like_1_8(influxd_server: Influxd, influx_database: str) -> None:
    influxd_server.create(f"{influx_database}_rollup")
    async with influx_shim(influxd_server, token="t") as shim:
        server = Server(url=shim.url, token="t", database=influx_database)
        assert len(await check(server)) == 1
        assert "refuses the token (401)" in await refusal(check, msgspec.structs.replace(server, token="x"))
    influxd_server.drop(f"{influx_database}_rollup")
