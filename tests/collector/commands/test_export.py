"""The whole export: from files that nobody holds, or through the collector that does; whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from collector import commands
from collector.commands.export import export_from
from collector.front.listening import listening, open_socket
from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES
from collector.package.export import Order, export
from collector.package.origin import OwnFiles, RunningCollector
from collector.package.source import Source
from probe.failure import UserError
from tests.collector.package.holding import STORY, UNTIL, WHEN, exported, wanted
from tests.collector.replay.stories import small, told

FROM_2016 = ["--since", "2016-01-01", "--until", "2016-02-01", "--simulated"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a collector that has ended."""
    directory = tmp_path_factory.mktemp("kept")
    with told(directory, small(STORY), WHEN):
        pass
    return directory


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "data"))


def order(out: Path, format: str = "csv", **changes: object) -> Order:
    return Order(out=out, format=format, wanted=wanted(**changes), publisher="Ringback", now_ms=UNTIL)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_from_the_files_that_nobody_holds(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "--data", str(data), "--format", "csv", *FROM_2016]
    assert commands.main([*words, "--out", str(tmp_path / "out")]) == 0
    assert names(tmp_path / "out") == ["cells.csv", "datapackage.json"]  # the privacy floor: no token was given
    said = capsys.readouterr()
    assert "cells:" in said.err
    assert said.out == ""
    assert commands.main([*words, "--out", str(tmp_path / "all"), "--admin-token", str(data / "admin.token")]) == 0
    assert names(tmp_path / "all") == ["cells.csv", "datapackage.json", "verdicts.csv"]


@pytest.mark.parametrize("format", ["csv", "jsonl", "ooni"])
async def test_through_the_collector_that_runs_it_is_the_same(data: Path, tmp_path: Path, format: str) -> None:
    """The files are held: where by, the directory says."""
    options = Options(data=data)
    token = (data / "admin.token").read_text().strip()
    await export_from(order(tmp_path / "alone", format), data, None, token, RULES, lambda _: None)
    with opened(options, RULES) as parts, open_socket("127.0.0.1", 0) as sock:
        with pytest.raises(UserError, match="Another ringback-collector runs"):  # it does not listen yet
            await export_from(order(tmp_path / "x", format), data, None, token, RULES, lambda _: None)
        async with listening(parts, options, sock):
            await export_from(order(tmp_path / "running", format), data, None, token, RULES, lambda _: None)
    assert content(tmp_path / "running") == content(tmp_path / "alone")
    assert not (tmp_path / "x").exists()


async def test_a_wrong_token_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the admin token"):
        await export_from(order(tmp_path / "out"), data, None, "guessed", RULES, lambda _: None)
    options = Options(data=data, trusted_proxies=("10.0.0.0/8",))  # nobody is local
    with opened(options, RULES) as parts, open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock):
            with pytest.raises(UserError, match="does not know that admin token"):
                await export_from(order(tmp_path / "out"), data, None, "guessed", RULES, lambda _: None)
    assert not (tmp_path / "out").exists()


async def test_single_lines_need_the_token(source: Source, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--admin-token"):
        await exported(source, tmp_path / "out", "ooni", full=False)


async def test_what_exists_is_not_touched(source: Source, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="exists"):
        await exported(source, tmp_path / "out", "csv")
    assert names(tmp_path) == ["out"]


async def test_what_an_interrupted_export_left_is_made_again(source: Source, tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "cells.csv").write_text("half of")
    await exported(source, tmp_path / "out", "csv")
    assert not (tmp_path / "out.partial").exists()
    assert "half of" not in (tmp_path / "out" / "cells.csv").read_text()


@pytest.mark.parametrize("body", [b'{"hour":"2016', b'{"hour":"2016-01-01"}\n{"hou'])
async def test_an_export_that_is_cut_short_is_none(tmp_path: Path, body: bytes) -> None:
    """The connection breaks off, with or without an end of the line before it."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Ringback-Rules-Version": "1"})
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.close()
        return response

    await _refused(cut, tmp_path, "ended")


async def test_what_is_no_collector_is_told(tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<p>Log in here</p>")

    async def absent(request: web.Request) -> web.Response:
        return web.Response(status=404, text="<p>Not found</p>")

    await _refused(page, tmp_path, "no collector")
    await _refused(absent, tmp_path, "no collector")


async def _refused(answer: object, tmp_path: Path, said: str) -> None:
    app = web.Application()
    app.router.add_get("/v1/export/cells", answer)  # type: ignore[arg-type]
    served = web.AppRunner(app)
    await served.setup()
    try:
        await web.TCPSite(served, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as session:
            collector = RunningCollector(f"http://127.0.0.1:{served.addresses[0][1]}", None, session)
            with pytest.raises(UserError, match=said):
                await export(order(tmp_path / "out", full=False), collector, lambda _: None)
    finally:
        await served.cleanup()
    assert names(tmp_path) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1"])
def test_nobody_listens(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^No collector answers at {url} .*: check --collector\.$"):
        asyncio.run(export_from(order(tmp_path / "out"), None, url, None, RULES, lambda _: None))


def test_it_says_how_far_it_is_and_what_is_missing(
    parts: Parts, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.package.export.TELL_EVERY_S", 0.0)
    said: list[str] = []
    asyncio.run(export(order(tmp_path / "out"), OwnFiles(source), said.append))
    assert any(line.startswith("verdicts: ") and line.endswith("up to 2016-01-15 …") for line in said)
    assert said[-1].endswith("datapackage.json says how to cite it.")
    empty: list[str] = []
    asyncio.run(export(order(tmp_path / "none", simulated=False), OwnFiles(source), empty.append))
    assert any(line.endswith("or export with --simulated.") for line in empty)


@pytest.mark.parametrize(
    "words",
    [
        ["--country", "Morocco"],
        ["--since", "2016-02-01", "--until", "2016-01-01"],
        ["--since", "2999-01-01"],
        ["--admin-token", "/nowhere/token"],
        ["--data", "/nowhere"],
    ],
)
def test_a_slip_is_a_sentence(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["export", "--format", "csv", "--since", "2016-01-01", "--out", str(tmp_path / "out"), *words]
    assert commands.main(given) == 2
    assert capsys.readouterr().err.strip().endswith((".", ")."))
    assert not (tmp_path / "out").exists()


def test_the_descriptor_is_dated_by_the_clock(kept: Path, source: Source, tmp_path: Path) -> None:
    found = asyncio.run(exported(source, tmp_path / "out", "jsonl"))
    assert found["created"] == "2016-02-01T00:00:00Z"
    assert json.dumps(found).count("SIMULATED") == 1
