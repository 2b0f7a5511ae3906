"""Through the real ingest API: what is sent is known the second time, and a collector that is not prepared is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from aiohttp import web

from collector import commands
from collector.facts.networks import PrefixTable
from collector.front.source import read_prefixes
from collector.judging.rules import RULES
from collector.replay import Pace, Uploads, control_keys, instance, moment_ms, play
from collector.replay.instance import SECRET_FILE, StoryClock, prepare
from collector.replay.play import Played
from collector.replay.simulate import cycle
from probe import targets as targets_file
from probe.failure import UserError
from probe.judge import Evidence
from probe.model import Verdict
from probe.targets import packaged
from tests.collector.replay.stories import small, told
from tests.collector.servers import Serving, serving

SECRET = b"s" * 32
EPISODE = small()
WHEN = [moment_ms("2016-01-15T12:00"), moment_ms("2016-01-16T13:00")]
NETWORKS = [(place.prefix, place.network) for place in EPISODE.places()]
PREPARED = {
    "networks": NETWORKS,
    "proxies": read_prefixes(["127.0.0.1/32"]),
    "controls": frozenset(control_keys(EPISODE, SECRET)),
    "targets": targets_file.packaged(),
    "simulated": True,
}


async def sent_to(collector: Serving, **more: object) -> Played:
    uploads = Uploads(collector.url, collector.session, SECRET)
    return await play(EPISODE, WHEN, uploads, **more)  # type: ignore[arg-type]


async def test_what_is_sent_stands_in_the_log_once(tmp_path: Path) -> None:
    async with serving(tmp_path, **PREPARED) as collector:  # type: ignore[arg-type]
        first = await sent_to(collector)
        records = collector.records()
        assert first.moments == 2
        assert first.measurements == len(records) > 2 * (len(EPISODE.lines) + 2)
        assert (await sent_to(collector)).measurements == 0
        assert collector.records() == records
    hours = {moment // 3_600_000 for moment in WHEN}
    assert {record.hour for record in records} <= hours | {hour + 1 for hour in hours}
    assert all(record.clock_known and record.measurement.simulated for record in records)
    networks = PrefixTable(NETWORKS)
    assert {record.network for record in records} == {networks.lookup(str(prefix[5])) for prefix, _ in NETWORKS}
    assert len({record.key for record in records}) == len(EPISODE.lines) + len(EPISODE.controls)


async def test_each_moment_waits_for_whoever_follows(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    async def followed() -> None:
        seen.append(("followed", len(collector.records())))

    async with serving(tmp_path, **PREPARED) as collector:  # type: ignore[arg-type]
        await sent_to(collector, reached=lambda at_ms: seen.append(("reached", at_ms)), followed=followed)
        stored = len(collector.records())
    (_, before), first, (_, between), second = seen
    assert [first, second] == [("reached", at_ms + 3_599_999) for at_ms in WHEN]
    assert before == 0 < between < stored


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("controls", "does not know the episode's controls"),
        ("networks", "knows no network"),
        ("proxies", "no network"),
        ("simulated", "was started with `serve --simulated`"),
    ],
)
async def test_a_collector_that_is_not_prepared_is_told_so(tmp_path: Path, lacks: str, said: str) -> None:
    given = {name: value for name, value in PREPARED.items() if name != lacks}
    async with serving(tmp_path, **given) as collector:  # type: ignore[arg-type]
        with pytest.raises(UserError, match=said):
            await sent_to(collector)


async def test_what_is_no_collector_is_told_so(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UserError, match="No collector answers"):
            await play(EPISODE, WHEN, Uploads("http://127.0.0.1:1", session, SECRET))
    async with serving(tmp_path, **PREPARED) as collector:  # type: ignore[arg-type]
        with pytest.raises(UserError, match="404"):
            await play(EPISODE, WHEN, Uploads(f"{collector.url}/elsewhere", collector.session, SECRET))


async def page_to_sign_in(request: web.Request) -> web.Response:
    if request.path == "/v1/targets":
        return web.Response(body=packaged().body)
    return web.Response(text="<html><title>Sign in</title></html>", content_type="text/html")


async def test_a_page_to_sign_in_is_no_collector(aiohttp_client: Any) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page_to_sign_in)
    client = await aiohttp_client(app)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UserError, match="is no collector"):
            await play(EPISODE, WHEN, Uploads(str(client.make_url("")).rstrip("/"), session, SECRET))


class Breaking:
    """A session in which so many uploads in a row are broken off; then one is not."""

    def __init__(self, session: aiohttp.ClientSession, in_a_row: int) -> None:
        self._session, self._in_a_row, self._left = session, in_a_row, in_a_row

    def request(self, method: str, url: str, **more: Any) -> Any:
        if method == "POST" and self._left:
            self._left -= 1
            raise aiohttp.ServerDisconnectedError
        self._left = self._in_a_row
        return self._session.request(method, url, **more)


async def test_a_collector_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    targets = targets_file.packaged()
    told = next(each for line in EPISODE.lines if (each := cycle(EPISODE, targets, line, WHEN[0])) is not None)
    async with serving(tmp_path, **PREPARED) as collector:  # type: ignore[arg-type]

        async def sent(in_a_row: int) -> int:
            session = cast(aiohttp.ClientSession, Breaking(collector.session, in_a_row))
            return await Uploads(collector.url, session, SECRET, sleep=sleep).send(told, targets)

        assert await sent(5) == len(told.measurements)
        assert await sent(2) == 0  # it has them
        with pytest.raises(UserError, match="replay again to go on"):
            await sent(6)
    assert len(pauses) == 5 + 2 + 5
    assert max(pauses) <= 10


async def test_the_story_keeps_its_pace(tmp_path: Path) -> None:
    """The next moment, 25 hours later, waits for as long as the speed says."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    reached: list[int] = []
    async with serving(tmp_path, **PREPARED) as collector:  # type: ignore[arg-type]
        pace = Pace(speed=3600.0, sleep=sleep, clock=lambda: 100.0)
        await sent_to(collector, pace=pace, reached=reached.append)
    assert waited == [0.0, 25.0]
    assert [moment // 3_600_000 * 3_600_000 for moment in reached] == WHEN


def test_the_storys_clock_goes_on_from_where_it_stands() -> None:
    now = [5.0]
    clock = StoryClock(1000, lambda: now[0])
    now[0] = 6.5
    assert clock.now_ms() == 2500
    clock.move(10_000)
    now[0] = 7.0
    assert clock.now_ms() == 10_500


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    secret = prepare(tmp_path / "replay", EPISODE)
    assert prepare(tmp_path / "replay", EPISODE) == secret
    assert os.stat(tmp_path / "replay" / SECRET_FILE).st_mode & 0o777 == 0o600
    assert prepare(tmp_path / "another", EPISODE) != secret
    assert not set(control_keys(EPISODE, secret)) & set(control_keys(EPISODE, b"x" * 32))


def test_a_real_collectors_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(UserError, match="give an empty directory"):
        prepare(tmp_path, EPISODE)


def test_a_replay_can_be_told_twice_into_its_own_directory(tmp_path: Path) -> None:
    for _ in range(2):
        with told(tmp_path / "replay", EPISODE, WHEN) as parts:
            found = parts.warehouse.select("SELECT count(*), count(DISTINCT hour) FROM verdict")
            assert found == [(len(parts.index.arrived(0, 1000).records), 2)]


def test_the_command_says_how_to_start_another_collector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "replay"
    assert commands.main(["replay", "morocco-2016", "--data", str(directory), "--prepare"]) == 0
    said = capsys.readouterr().out
    assert said.count("--control-key") == 2
    assert f"--networks {directory / 'networks.csv'}" in said
    assert (directory / "networks.csv").read_text().splitlines()[1] == "198.19.192.0/19,64501,XA,First Control"


@pytest.mark.parametrize("words", [["--speed", "0"], ["--since", "soon"], ["--every", "0"], ["--networks", "x"]])
def test_a_slip_on_the_command_line_is_told(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["replay", "morocco-2016", "--data", str(tmp_path), *words])
    assert ended.value.code == 2


def test_an_unknown_episode_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["replay", "atlantis-1999", "--data", str(tmp_path)]) == 2
    assert "morocco-2016" in capsys.readouterr().err


def test_a_story_that_cannot_be_judged_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not wait for ever."""

    def broken(evidence: Evidence) -> Verdict:
        raise RuntimeError("a rule is broken")

    monkeypatch.setattr(instance, "STALLED_S", 0.3)
    rules = msgspec.structs.replace(RULES, judge=broken)
    with (
        pytest.raises(UserError, match=r"cannot be judged .* × RuntimeError"),
        told(tmp_path / "replay", EPISODE, WHEN[:1], rules),
    ):
        pass
