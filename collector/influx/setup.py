"""Makes the two databases (in 2.x buckets) of an InfluxDB as the projection needs them; again changes nothing.

Raw points expire, totals do not. Shards of totals are long, since a question costs as many shards as it touches.
Sources: InfluxQL reference of 1.x; HTTP API references of 2.x (orgs, buckets, dbrps) and 3 Core (configure/database).
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import aiohttp
from msgspec import Struct

from collector.influx.client import Client, Rejected, Server, Unavailable
from collector.influx.line import clean
from collector.influx.schema import Database
from probe.failure import UserError
from probe.model import Json

DAY_S = 86_400
RAW_DAYS = 90
M = TypeVar("M")
PATIENCE = aiohttp.ClientTimeout(total=15)
COMMENT = "# ringback asks whether it may write here"  # a comment of the line protocol: no point


class Retention(Struct, frozen=True):
    """The retention of a database: for how many days it keeps points, 0 for ever; and how many a shard holds."""

    days: int
    shard_days: int


class Answer(Struct, frozen=True):
    status: int
    body: Json
    version: str


class SetupFailed(UserError):
    """The server's answer, as a sentence that says what to do."""


class ManagementApi:
    """One InfluxDB, asked as its administrator."""

    def __init__(self, session: aiohttp.ClientSession, server: Server) -> None:
        self._session, self.server = session, server

    async def ask(
        self, method: str, path: str, body: Json = None, form: Mapping[str, str] | None = None, **query: str
    ) -> Answer:
        """The answer to a request. Raises SetupFailed where nobody answers, or the token is refused."""
        try:
            async with self._session.request(
                method,
                f"{self.server.url}{path}",
                params=query,
                headers=_authorization(self.server),
                **({"json": body} if form is None else {"data": form}),
            ) as answer:
                version = answer.headers.get("X-Influxdb-Version", "")
                said = Answer(answer.status, await _json(answer), version)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SetupFailed(
                f"InfluxDB at {self.server.url} cannot be reached ({type(error).__name__}): check --influx, and"
                " whether it runs."
            ) from error
        if said.status in (401, 403):
            raise SetupFailed(
                f"InfluxDB at {self.server.url} refuses the token ({said.status}): --influx-token-file needs one of"
                " an administrator here (for 1.x `user:password`)."
            )
        return said

    async def asked(
        self, method: str, path: str, body: Json = None, form: Mapping[str, str] | None = None, **query: str
    ) -> Json:
        """The body of the answer to a request that has to succeed. Raises SetupFailed."""
        said = await self.ask(method, path, body, form, **query)
        if said.status >= 400 or not isinstance(said.body, Mapping):  # a page to sign in says 200 as well
            raise self.failed(path, said)
        return said.body

    def failed(self, path: str, said: Answer) -> SetupFailed:
        reason = said.body.get("error") or said.body.get("message") if isinstance(said.body, Mapping) else said.body
        fix = " Check --influx." if said.status == 404 else ""
        return SetupFailed(
            f"InfluxDB at {self.server.url} answers {said.status} to {path}: {clean(str(reason), 300)}.{fix}"
        )


async def _json(answer: aiohttp.ClientResponse) -> Json:
    try:
        return await answer.json(content_type=None)
    except ValueError:
        return await answer.text(errors="replace")


def _is_page(body: Json) -> bool:
    """Whether something else than an InfluxDB answered, such as a page to sign in."""
    return isinstance(body, str) and body.lstrip().startswith("<")


def _authorization(server: Server) -> dict[str, str]:
    if server.token is None:
        return {}
    if ":" in server.token:  # 1.x: a name and a password
        return {"Authorization": f"Basic {base64.b64encode(server.token.encode()).decode()}"}
    return {"Authorization": f"Token {server.token}"}


async def setup(server: Server, raw_days: int = RAW_DAYS) -> list[str]:
    """Makes what lacks, and sets how long it is kept; returns what holds now, in sentences. Raises UserError."""
    keeping = {Database.RAW: Retention(raw_days, 7), Database.ROLLUP: Retention(0, 364)}
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:
        api = ManagementApi(session, server)
        version, make = await chosen(api, MAKERS, "{url} says that it is InfluxDB {version}: 1, 2 and 3 are known.")
        await make(api, keeping)
    return [
        f"InfluxDB {version} at {server.url} has {server.name(database)}, kept"
        f" {f'for {kept.days} days' if kept.days else 'for ever'}."
        for database, kept in keeping.items()
    ]


async def check(server: Server) -> list[str]:
    """Checks that points can be written, without writing any; returns what holds, in sentences. Raises UserError."""
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:
        api = ManagementApi(session, server)
        version = await version_of(api)
        await asyncio.to_thread(_try_writing, server)
        if version.startswith("2."):
            await _look_for_mappings(api)
    names = " and ".join(server.name(database) for database in Database)
    return [f"InfluxDB {version} at {server.url} takes points for {names}."]


def _try_writing(server: Server) -> None:
    client = Client(server)
    try:
        for database in Database:
            try:
                client.write(database, [COMMENT])
            except Rejected:
                continue  # that there is no point in it: so it would have been let in
    except Unavailable as error:
        raise SetupFailed(f"{error} Check --influx, and whether it runs.") from error
    finally:
        client.close()


async def chosen(api: ManagementApi, makers: Mapping[str, M], unknown: str) -> tuple[str, M]:
    """The version of a server, and of `makers`, by the first number of a version, that for it. Raises SetupFailed,
    which says `unknown` of its {url} and {version}, where there is none.
    """
    version = await version_of(api)
    maker = makers.get(version.partition(".")[0])
    if maker is None:
        raise SetupFailed(unknown.format(url=api.server.url, version=version))
    return version, maker


async def version_of(api: ManagementApi) -> str:
    """The version, such as 1.6.7, 2.7.11 or 3.0.1. Raises SetupFailed."""
    said = await api.ask("GET", "/ping")
    told = said.version or (said.body.get("version", "") if isinstance(said.body, Mapping) else "")
    found = re.search(r"\d{1,4}\.\d{1,4}[\w.~-]{0,40}", str(told))
    if found is None:
        raise SetupFailed(
            f"{api.server.url} does not answer as an InfluxDB does ({said.status} to /ping): check --influx."
        )
    return found[0]


# --- 1.x


async def _make_v1(api: ManagementApi, keeping: Mapping[Database, Retention]) -> None:
    for database, kept in keeping.items():
        name = api.server.name(database)
        lasting = f"DURATION {f'{kept.days}d' if kept.days else 'INF'} REPLICATION 1 SHARD DURATION {kept.shard_days}d"
        await query_v1(api, f'CREATE DATABASE "{name}"')
        policies = await query_v1(api, f'SHOW RETENTION POLICIES ON "{name}"')
        exists = any(policy[0] == "autogen" for policy in policies)
        await query_v1(
            api, f'{"ALTER" if exists else "CREATE"} RETENTION POLICY "autogen" ON "{name}" {lasting} DEFAULT'
        )


async def query_v1(api: ManagementApi, statement: str) -> list[list[Json]]:
    """The rows of an answer to InfluxQL. Raises SetupFailed."""
    body = await api.asked(
        "POST", "/query", form={"q": statement}
    )  # in no URL, which logs keep: it may hold a password
    (result,) = body["results"]
    if "error" in result:
        said = re.sub(r"'.*'", "'…'", statement)
        raise SetupFailed(f"InfluxDB at {api.server.url} refuses `{said}`: {clean(result['error'], 300)}.")
    return [row for series in result.get("series", ()) for row in series.get("values", ())]


# --- 2.x


async def _make_v2(api: ManagementApi, keeping: Mapping[Database, Retention]) -> None:
    """Makes buckets, and for each a mapping by which InfluxQL finds it under its name."""
    org = await organization(api)
    for database, kept in keeping.items():
        name = api.server.name(database)
        rules = {
            "type": "expire",
            "everySeconds": kept.days * DAY_S,
            "shardGroupDurationSeconds": kept.shard_days * DAY_S,
        }
        found = await api.asked("GET", "/api/v2/buckets", orgID=org, name=name)
        if found["buckets"]:
            bucket = found["buckets"][0]["id"]
            await api.asked("PATCH", f"/api/v2/buckets/{bucket}", {"retentionRules": [rules]})
        else:
            made = await api.asked("POST", "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": [rules]})
            bucket = made["id"]
        mapped = await api.asked("GET", "/api/v2/dbrps", orgID=org, db=name)
        if not any(one["bucketID"] == bucket for one in mapped["content"]):
            mapping = {"orgID": org, "bucketID": bucket, "database": name, "retention_policy": "autogen"}
            await api.asked("POST", "/api/v2/dbrps", {**mapping, "default": True})


async def _look_for_mappings(api: ManagementApi) -> None:
    """Raises SetupFailed where a bucket has none: points would arrive, and Grafana would not find them."""
    for database in Database:
        name = api.server.name(database)
        mapped = await api.asked("GET", "/api/v2/dbrps", org=api.server.org, db=name)
        if not mapped["content"]:
            raise SetupFailed(
                f"InfluxDB at {api.server.url} has no DBRP mapping for {name}, by which InfluxQL finds the bucket:"
                " run `ringback-collector influx setup`."
            )


async def organization(api: ManagementApi) -> str:
    """The id of the organization whose the buckets are. Raises SetupFailed."""
    if not api.server.org:
        raise SetupFailed("InfluxDB 2 needs to know whose the buckets are: give --influx-org.")
    said = await api.ask("GET", "/api/v2/orgs", org=api.server.org)
    if said.status == 404 or not (isinstance(said.body, Mapping) and said.body.get("orgs")):
        raise SetupFailed(f"InfluxDB at {api.server.url} has no organization {api.server.org}: check --influx-org.")
    return str(said.body["orgs"][0]["id"])


# --- 3.x


async def _make_v3(api: ManagementApi, keeping: Mapping[Database, Retention]) -> None:
    for database, kept in keeping.items():
        body = {"db": api.server.name(database), **({"retention_period": f"{kept.days}d"} if kept.days else {})}
        said = await api.ask("POST", "/api/v3/configure/database", body)
        if said.status not in (200, 201, 204, 409) or _is_page(said.body):  # 409: it exists
            raise api.failed("/api/v3/configure/database", said)


MAKERS: dict[str, Callable[[ManagementApi, Mapping[Database, Retention]], Awaitable[None]]] = {
    "1": _make_v1,
    "2": _make_v2,
    "3": _make_v3,
}
