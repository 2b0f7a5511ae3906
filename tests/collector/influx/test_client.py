"""influxdb-client on a real InfluxDB 1.6.7: by the API of 2.x through a front that has it, and by that of 1.x."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from collector.influx.client import Client, Misconfigured, Rejected, Server, Unavailable
from collector.influx.line import line
from collector.influx.schema import EVENT, Database
from tests.servers.influx_shim import Failure, Shim, influx_shim
from tests.servers.influxd import Influxd, influxd
from tests.servers.process import free_port

LINE = line(EVENT, {"kind": "release"}, {"title": "one, two"}, 1_772_000_000_000_000_001)
SECRET = "s3cret-t0ken"
needs_influxd = pytest.mark.needs("influxdb")


@pytest.fixture
async def shim(loop: asyncio.AbstractEventLoop, influxd_server: Influxd) -> AsyncIterator[Shim]:
    async with influx_shim(influxd_server) as shim:
        yield shim


async def write(server: Server, *lines: str, answer_ms: int = 10_000) -> None:
    def writing() -> None:
        client = Client(server, answer_ms)
        try:
            client.write(Database.RAW, lines)
        finally:
            client.close()

    await asyncio.to_thread(writing)


@needs_influxd
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_what_is_written_is_there(shim: Shim, influx_database: str, api: str) -> None:
    server = Server(url=shim.url, api=api, database=influx_database, token=SECRET, org="o")
    for _ in range(2):  # writing again changes nothing
        await write(server, LINE, LINE.replace("release", "rules"))
    rows = await asyncio.to_thread(shim.server.rows, 'SELECT * FROM "event"', influx_database)
    assert [(row["time"], row["kind"], row["title"]) for row in rows] == [
        (1_772_000_000_000_000_001, kind, "one, two") for kind in ("release", "rules")
    ]
    request = shim.writes[0]
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.query["precision"] == "ns"
    assert request.headers["Authorization"] == f"Token {SECRET}"


@needs_influxd
async def test_of_a_user_of_1x(tmp_path: Path) -> None:
    with influxd(tmp_path, ("ringback", "pass:word")) as real:
        real.create("ringback")
        server = Server(url=real.url, api="v1", token="ringback:pass:word")
        await write(server, LINE)
        assert len(real.rows('SELECT * FROM "event"', "ringback")) == 1
        with pytest.raises(Misconfigured, match="refuses the token") as refused:
            await write(msgspec.structs.replace(server, token="ringback:wrong"), LINE)
    assert "wrong" not in str(refused.value)


@needs_influxd
async def test_the_wrong_api_and_a_missing_database_are_said(influxd_server: Influxd) -> None:
    server = Server(url=influxd_server.url, database="nowhere")
    with pytest.raises(Misconfigured, match=r"has no /api/v2/write \(404\): .* give --influx-api v1"):
        await write(server, LINE)
    with pytest.raises(Misconfigured, match=r"has no nowhere .*: run `ringback-collector influx setup`"):
        await write(msgspec.structs.replace(server, api="v1"), LINE)


@needs_influxd
async def test_a_bad_point_is_rejected_with_the_servers_reason(influxd_server: Influxd, influx_database: str) -> None:
    server = Server(url=influxd_server.url, api="v1", database=influx_database)
    await write(server, LINE)
    with pytest.raises(Rejected, match="field type conflict") as rejected:
        await write(server, LINE, "event,kind=release title=1i 1772000000000000002")
    assert rejected.value.status == 400
    with pytest.raises(Rejected, match="unable to parse"):
        await write(server, "event,kind= title")


@needs_influxd
async def test_what_is_too_old_for_the_database_is_not_wrong(influxd_server: Influxd, influx_database: str) -> None:
    influxd_server.query(f'ALTER RETENTION POLICY "autogen" ON "{influx_database}" DURATION 1h SHARD DURATION 1h')
    server = Server(url=influxd_server.url, api="v1", database=influx_database)
    now = line(EVENT, {}, {"title": "now"}, time.time_ns())
    await write(server, line(EVENT, {}, {"title": "long ago"}, 1), now)
    (row,) = await asyncio.to_thread(influxd_server.rows, 'SELECT * FROM "event"', influx_database)
    assert row["title"] == "now"


@needs_influxd
@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass(shim: Shim, influx_database: str, status: int) -> None:
    shim.failures.append(Failure(status, {"Retry-After": "7"}))
    with pytest.raises(Unavailable, match=str(status)) as passing:
        await write(Server(url=shim.url, database=influx_database), LINE)
    assert passing.value.after_s == 7
    await write(Server(url=shim.url, database=influx_database), LINE)


@needs_influxd
async def test_one_that_is_slow(shim: Shim, influx_database: str) -> None:
    shim.failures.append(Failure(503, seconds=0.5))
    with pytest.raises(Unavailable) as passing:
        await write(Server(url=shim.url, database=influx_database), LINE, answer_ms=50)
    assert passing.value.slow


async def test_one_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match="cannot be reached") as passing:
        await write(Server(url=f"http://127.0.0.1:{free_port()}"), LINE)
    assert not passing.value.slow


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[tuple[str, list[tuple[web.Request, bytes]]]]:
    """A server that always says this; and what it was asked."""
    asked: list[tuple[web.Request, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request, await request.read()))
        return web.Response(status=status, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, '{"code":"unauthorized","message":"unauthorized access"}', "refuses the token"),
        (403, '{"code":"forbidden","message":"insufficient permissions"}', "refuses the token"),
        (404, '{"code":"not found","message":"bucket \\"ringback\\" not found"}', "run `ringback-collector influx"),
        (404, '{"code":"not found","message":"organization name \\"o\\" not found"}', "check --influx-org"),
        (302, "", "answers 302"),
        (405, "Method Not Allowed", "give --influx-api v1"),
    ],
)
async def test_what_somebody_must_set_right(status: int, body: str, sentence: str) -> None:
    """As InfluxDB 2 says it: shapes of its API reference."""
    async with answering(status, body) as (url, _):
        with pytest.raises(Misconfigured, match=sentence):
            await write(Server(url=url, token=SECRET, org="o"), LINE)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"code":"invalid","message":"unable to parse \'x\': missing fields"}'),
        (
            422,
            '{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type"}',
        ),
        (413, '{"code":"request too large","message":"too large"}'),
        (400, '{"error":"partial write of line protocol occurred","data":[{"line_number":1,"error_message":"x"}]}'),
    ],
)
async def test_what_is_rejected(status: int, body: str) -> None:
    async with answering(status, body) as (url, _):
        with pytest.raises(Rejected) as rejected:
            await write(Server(url=url, token=SECRET), LINE)
    assert rejected.value.status == status


async def test_a_server_that_repeats_the_token_is_not_quoted() -> None:
    async with answering(400, f'{{"error":"no such header: {SECRET}"}}') as (url, _):
        with pytest.raises(Rejected, match="no such header: …"):
            await write(Server(url=url, token=SECRET), LINE)


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("status", [200, 201, 202, 203, 205, 206])
async def test_only_204_is_written(status: int, api: str) -> None:
    """A page to sign in, in front of the database, says yes to anything; whoever believes it forgets the points."""
    page = "<html><title>Sign in</title></html>"
    async with answering(status, page) as (url, _):
        with pytest.raises(Misconfigured, match=f"answers {status} to points, and an InfluxDB .* 204"):
            await write(Server(url=url, token=SECRET, org="o", api=api), LINE)


@needs_influxd
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_the_real_one_says_204(shim: Shim, influx_database: str, api: str) -> None:
    """By both APIs, also to points that are there already; what it says to a mistake is in the tests above."""
    for _ in range(2):
        await write(Server(url=shim.url, api=api, database=influx_database), LINE)


async def test_the_request_is_what_2x_and_3x_document() -> None:
    """POST /api/v2/write?org=&bucket=&precision=ns, gzip, `Authorization: Token`; 3.x takes the bucket as database."""
    async with answering(204, "") as (url, requests):
        await write(Server(url=url, token=SECRET, org="o"), LINE, LINE)
    ((request, body),) = requests
    assert (request.method, request.path) == ("POST", "/api/v2/write")
    assert dict(request.query) == {"org": "o", "bucket": "ringback", "precision": "ns"}
    assert request.headers["Authorization"] == f"Token {SECRET}"
    assert request.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert gzip.decompress(body).decode() == f"{LINE}\n{LINE}"
