"""A reader's account of an InfluxDB, for Grafana: what may be asked with it changes nothing.

Grafana hands on whatever InfluxQL its viewers send, so with an administrator's account each of them may drop a
database. On 1.x the account is a name and a password, ours or given; on 2.x a token, which the server chooses and
tells once. InfluxDB 3 Core has administrators' tokens only. Sources: InfluxDB 1.x, authentication and authorization;
InfluxDB 2 API, /api/v2/authorizations; InfluxDB 3 Core, token administration.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
from msgspec import Struct

from collector.influx.client import Server
from collector.influx.schema import Database
from collector.influx.settings import read_secret
from collector.influx.setup import PATIENCE, ManagementApi, SetupFailed, chosen, organization, query_v1
from probe.failure import UserError

VARIABLE = "RINGBACK_INFLUX_READER"
NAME = "ringback_reader"

NO_READERS = (
    "{url} is InfluxDB {version}, whose Core has administrators' tokens only: give Grafana one of InfluxDB 3 Enterprise"
    " that may read, or let nobody but yourself sign in."
)

_ACCOUNT = re.compile(r"([A-Za-z0-9_-]{1,60}):([!-&(-\[\]-~]{8,128})")  # plain characters without ' and \


class Reader(Struct, frozen=True, kw_only=True):
    """The account: as it was given, or in a file, which is made where it lacks."""

    given: str = ""
    path: Path | None = None


def from_settings(path: Path | None, environment: Mapping[str, str]) -> Reader | None:
    """The reader that was asked for; None where none was. Raises UserError."""
    if path is not None:
        return Reader(given=read_secret(path, "--influx-reader-file") if path.exists() else "", path=path)
    given = environment.get(VARIABLE, "").strip()
    return Reader(given=given) if given else None


async def make(server: Server, reader: Reader) -> list[str]:
    """Makes the account, which may read both databases; says so in a sentence. Raises UserError."""
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:
        api = ManagementApi(session, server)
        version, maker = await chosen(api, MAKERS, NO_READERS)
        return [f"InfluxDB {version} at {server.url} has a reader for Grafana: {await maker(api, reader)}."]


# --- 1.x


async def _make_v1(api: ManagementApi, reader: Reader) -> str:
    name, password = _account(reader)
    known = {row[0]: row[1] for row in await query_v1(api, "SHOW USERS")}
    if known.get(name):
        raise SetupFailed(f"{name} is an administrator of {api.server.url}: give the reader another name.")
    verb = f"SET PASSWORD FOR \"{name}\" = '{password}'" if name in known else _create(name, password)
    await query_v1(api, verb)
    for database in Database:
        await query_v1(api, f'GRANT READ ON "{api.server.name(database)}" TO "{name}"')
    return name if reader.path is None else f"{name}, with its password in {reader.path}"


def _create(name: str, password: str) -> str:
    return f"CREATE USER \"{name}\" WITH PASSWORD '{password}'"


def _account(reader: Reader) -> tuple[str, str]:
    """The name and the password; new ones are kept in the file before anybody is told them. Raises UserError."""
    text = reader.given
    if not text and reader.path is not None:
        text = f"{NAME}:{secrets.token_urlsafe(24)}"
        _keep(reader.path, text)
    found = _ACCOUNT.fullmatch(text)
    if found is None:
        raise UserError(
            f"The reader ({VARIABLE}, or --influx-reader-file) is name:password for 1.x: letters, digits, _ and - in"
            " the name, 8 plain characters or more in the password."
        )
    return found[1], found[2]


# --- 2.x


async def _make_v2(api: ManagementApi, reader: Reader) -> str:
    if reader.path is None:
        raise UserError(
            f"InfluxDB 2 chooses a reader's token itself: give --influx-reader-file in place of {VARIABLE}."
        )
    if reader.given:
        return f"its token is in {reader.path}, and stays"
    org = await organization(api)
    permissions = [_may_read(org, "dbrp")]
    for database in Database:
        found = await api.asked("GET", "/api/v2/buckets", orgID=org, name=api.server.name(database))
        permissions += [_may_read(org, "buckets", bucket["id"]) for bucket in found["buckets"]]
    _keep(reader.path, "")  # a token is told once: first see that it can be kept
    what = {"orgID": org, "description": f"{NAME}: Grafana, {api.server.database}", "permissions": permissions}
    try:
        made = await api.asked("POST", "/api/v2/authorizations", what)
    except SetupFailed:
        reader.path.unlink()
        raise
    reader.path.write_text(f"{made['token']}\n")
    return f"its token is in {reader.path}"


def _may_read(org: str, kind: str, one: str | None = None) -> dict[str, object]:
    return {"action": "read", "resource": {"type": kind, "orgID": org, **({} if one is None else {"id": one})}}


def _keep(path: Path, text: str) -> None:
    """A new file, for its owner alone. Raises UserError."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n" if text else "")
    except OSError as error:
        raise UserError(f"The reader cannot be kept in {path} ({error.strerror}): give another file.") from error


MAKERS: dict[str, Callable[[ManagementApi, Reader], Awaitable[str]]] = {"1": _make_v1, "2": _make_v2}
