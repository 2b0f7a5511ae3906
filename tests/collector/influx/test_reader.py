"""A reader's account: made on a real InfluxDB 1.6.7 that asks for passwords, and on a stand-in for 2.x."""

from __future__ import annotations

import os
import stat
import urllib.error
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector import commands
from collector.influx.client import Server
from collector.influx.reader import NAME, Reader, from_settings, make
from collector.influx.setup import setup
from probe.failure import UserError
from tests.collector.influx.test_setup import Stand
from tests.servers.influxd import Influxd, Refused, influxd

ADMIN = ("admin", "secret")
GIVEN = "grafana:pass+word=1/2"


@pytest.mark.needs("influxdb")
async def test_on_1x_it_reads_both_databases_and_changes_nothing(tmp_path: Path) -> None:
    with influxd(tmp_path, ADMIN) as locked:
        server = Server(url=locked.url, api="v1", token=":".join(ADMIN))
        await setup(server)
        locked.create("else")
        for reader in (Reader(given="grafana:the-first-one"), Reader(given=GIVEN), Reader(given=GIVEN)):
            (said,) = await make(server, reader)
            assert said.endswith("has a reader for Grafana: grafana.")
        locked.write("ringback", "cell value=1i")
        viewer = Influxd(locked.port, ("grafana", "pass+word=1/2"))
        assert viewer.rows("SELECT value FROM cell", "ringback")[0]["value"] == 1
        assert viewer.query("SHOW MEASUREMENTS", "ringback_rollup") == []
        for forbidden in ('DROP DATABASE "ringback"', "DROP MEASUREMENT cell", "SHOW USERS"):
            with pytest.raises((Refused, urllib.error.HTTPError)):
                viewer.query(forbidden, "ringback")
        with pytest.raises((Refused, urllib.error.HTTPError)):
            viewer.query("SHOW MEASUREMENTS", "else")
        with pytest.raises(urllib.error.HTTPError):
            viewer.write("ringback", "cell value=2i")
        assert locked.rows("SELECT value FROM cell", "ringback")[0]["value"] == 1
        with pytest.raises(UserError, match=r"admin is an administrator of .*: give the reader another name"):
            await make(server, Reader(given="admin:other-password"))


@pytest.mark.needs("influxdb")
def test_on_1x_the_command_makes_one_and_keeps_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reader"
    with influxd(tmp_path, ADMIN) as locked:
        monkeypatch.setenv("RINGBACK_INFLUX_TOKEN", ":".join(ADMIN))
        words = ["influx", "setup", "--influx", locked.url, "--influx-api", "v1", "--influx-reader-file", str(path)]
        for _ in range(2):
            assert commands.main(words) == 0
            said = capsys.readouterr().out.splitlines()[-1]
            assert said.endswith(f"has a reader for Grafana: {NAME}, with its password in {path}.")
        name, _, password = path.read_text().strip().partition(":")
        assert password not in said
        assert Influxd(locked.port, (name, password)).query("SHOW MEASUREMENTS", "ringback") == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def two(token: str = "a token to read with") -> Stand:
    return Stand(
        "v2.7.11",
        {
            "GET /api/v2/orgs": (200, {"orgs": [{"id": "0e"}]}),
            "GET /api/v2/buckets": (200, lambda _, query: {"buckets": [{"id": f"id of {query['name']}"}]}),
            "POST /api/v2/authorizations": (201, {"token": token}),
        },
    )


async def test_on_2x_the_server_chooses_a_token(tmp_path: Path) -> None:
    path = tmp_path / "reader"
    stand = two()
    async with stand.serving(org="ngo") as server:
        (said,) = await make(server, Reader(path=path))
    assert said.endswith(f"has a reader for Grafana: its token is in {path}.")
    assert path.read_text() == "a token to read with\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked: Any = stand.asked[-1][3]
    assert {one["action"] for one in asked["permissions"]} == {"read"}
    assert [one["resource"].get("id") for one in asked["permissions"]] == [
        None,
        "id of ringback",
        "id of ringback_rollup",
    ]
    async with (again := two("another")).serving(org="ngo") as server:
        kept = from_settings(path, {})
        assert kept is not None
        assert (await make(server, kept))[0].endswith("and stays.")
    assert again.asked == []


async def test_on_2x_what_is_refused_leaves_no_empty_file(tmp_path: Path) -> None:
    stand = two()
    stand.answers["POST /api/v2/authorizations"] = (422, {"message": "no"})
    async with stand.serving(org="ngo") as server:
        with pytest.raises(UserError, match="answers 422 to /api/v2/authorizations"):
            await make(server, Reader(path=tmp_path / "reader"))
        with pytest.raises(UserError, match="give --influx-reader-file in place of RINGBACK_INFLUX_READER"):
            await make(server, Reader(given=GIVEN))
        with pytest.raises(UserError, match="The reader cannot be kept in"):
            await make(server, Reader(path=tmp_path / "absent" / "reader"))
    assert os.listdir(tmp_path) == []


async def test_3_core_has_no_readers() -> None:
    async with Stand("3.4.1").serving() as server:
        with pytest.raises(UserError, match="Core has administrators' tokens only"):
            await make(server, Reader(given=GIVEN))


def test_from_settings(tmp_path: Path) -> None:
    assert from_settings(None, {}) is None
    assert from_settings(None, {"RINGBACK_INFLUX_READER": f"{GIVEN}\n"}) == Reader(given=GIVEN)
    assert from_settings(tmp_path / "new", {}) == Reader(path=tmp_path / "new")
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match=r"The file of --influx-reader-file, .*, is empty"):
        from_settings(tmp_path / "empty", {})


@pytest.mark.parametrize(
    "given", ["", "grafana", "grafana:short", "gra fana:long-enough", "g:it's-a-quote", "g:back\\slash"]
)
async def test_what_is_no_account_on_1x(given: str) -> None:
    stand = Stand("1.8.10", {"POST /query": (200, {"results": [{}]})})
    async with stand.serving() as server:
        with pytest.raises(UserError, match=r"is name:password for 1\.x"):
            await make(msgspec.structs.replace(server, token="t0ken"), Reader(given=given))
