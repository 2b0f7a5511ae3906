"""What is forgotten is nowhere any more but in a tombstone, and all else is as if it had never been sent."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from collector import commands
from collector.instance import LOG_DIRECTORY, Parts
from collector.log import freezes
from collector.log.backup import backup
from collector.log.operator import What, decisions, in_force
from probe import durable
from probe.codecs.seal import reopen
from tests.collector.judging.aging import LINES, START_MS, Arrival, collector, take
from tests.collector.judging.test_retention import DAYS, KEEP, story
from tests.patience import PATIENCE

ONE = next(iter(LINES))
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of some days, of which the first have gone."""
    data = tmp_path_factory.mktemp("judged") / "data"
    with durable.for_the_owner_alone(), collector(data, KEEP) as parts:
        for arrivals in story(0):
            take(parts, arrivals, judged=False)
        parts.projector.catch_up()
    return data


@pytest.fixture
def data(judged: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(judged, tmp_path / "data")
    with durable.for_the_owner_alone():
        yield tmp_path / "data"


def forget(data: Path, *words: str) -> int:
    return commands.main(["forget", "--data", str(data), "--why", "asked", *words])


def without(arrivals: list[Arrival], key: str) -> list[Arrival]:
    return [arrival for arrival in arrivals if reopen(arrival[0].body).header.key != key]


def traces(data: Path, word: bytes) -> list[str]:
    """The files in which these bytes stand, but for the operator's records."""
    files = [path for path in data.rglob("*") if path.is_file() and path.suffix != ".ndjson"]
    return sorted(path.name for path in files if word in path.read_bytes())


def bodies_of(key: str) -> list[bytes]:
    sent = [envelope.body for arrivals in story(0) for envelope, _ in arrivals]
    return [body for body in sent if reopen(body).header.key == key]


def keys_in(parts: Parts) -> set[str]:
    found = set()
    for table in ("verdict", "quarantine"):
        found |= {key for (key,) in parts.warehouse.select(f"SELECT DISTINCT key FROM {table}")}
    return found | {one.key for one in parts.index.heard()}


def test_of_a_key_nothing_stays(data: Path, capsys: Capture) -> None:
    assert traces(data, ONE.key.encode())
    assert forget(data, "--key", ONE.key) == 0
    said = capsys.readouterr().out
    assert said == f"Erased {2 * (KEEP + 1)} batches; what was concluded goes when the collector starts.\n"
    with collector(data, KEEP) as parts:
        parts.projector.catch_up()
        assert ONE.key not in keys_in(parts)
        assert keys_in(parts) >= {one.key for one in LINES if one is not ONE}
        before = parts.warehouse.dump()
        assert not in_force(decisions(data / LOG_DIRECTORY), What.FORGET)
        parts.index.clear()
        parts.projector.rebuild()
        assert parts.warehouse.dump() == before
    assert commands.main(["verify", "--data", str(data)]) == 0
    for body in bodies_of(ONE.key):
        assert traces(data, body[20:120]) == []
    for word in (ONE.key.encode(), bytes.fromhex(ONE.key)):
        assert traces(data, word) == []


def test_where_nothing_was_received_nothing_is_forgotten(tmp_path: Path) -> None:
    with collector(tmp_path / "data", None):
        pass
    assert forget(tmp_path / "data", "--key", "ab" * 32) == 0
    assert commands.main(["verify", "--data", str(tmp_path / "data")]) == 0


def test_what_has_bodies_is_as_if_it_had_never_been_sent(tmp_path: Path) -> None:
    with collector(tmp_path / "whole", None) as parts:
        for arrivals in story(0):
            take(parts, arrivals, judged=False)
        parts.projector.catch_up()
    with durable.for_the_owner_alone():
        assert forget(tmp_path / "whole", "--key", ONE.key) == 0
    with collector(tmp_path / "whole", None) as parts, collector(tmp_path / "other", None) as other:
        parts.projector.catch_up()
        for arrivals in story(0):
            take(other, without(arrivals, ONE.key), judged=False)
        other.projector.catch_up()
        assert parts.warehouse.dump() == other.warehouse.dump()


def test_one_batch_is_forgotten_and_known_when_it_comes_again(data: Path) -> None:
    (envelope, sealed_ms), *_ = story(0)[DAYS - 1]
    batch = reopen(envelope.body)
    lines = {(batch.header.key, each.uid) for each in batch.measurements}
    assert forget(data, "--digest", envelope.digest.hex()) == 0
    with collector(data, KEEP) as parts:
        parts.projector.catch_up()
        latest = parts.log.latest()
        assert not lines & set(parts.warehouse.select("SELECT key, uid FROM verdict"))
        assert batch.header.key in keys_in(parts)
        assert not asyncio.run(parts.log.append(envelope, sealed_ms)).is_new
        assert parts.log.latest() == latest
        assert envelope.digest not in {entry.envelope.digest for entry in parts.log.read(0, 10_000)}
    assert traces(data, envelope.body[20:120]) == []


def test_beside_a_collector_that_runs_it_does_so(data: Path, capsys: Capture) -> None:
    newest, _ = story(0)[DAYS - 1][-1]
    key = reopen(newest.body).header.key
    with collector(data, KEEP) as parts:
        parts.projector.catch_up()
        later = replace(newest, received_ms=START_MS + DAYS * 86_400_000)
        assert forget(data, "--key", key) == 0
        assert "Noted: the collector that runs" in capsys.readouterr().out
        assert key in keys_in(parts)
        parts.projector.catch_up()
        assert key not in keys_in(parts)
        latest = parts.log.latest()
        assert not asyncio.run(parts.log.append(later, later.received_ms)).is_new
        one = next(line for line in LINES if line.key != key)
        body = one.seal([one.measure(started_ms=START_MS + DAYS * 86_400_000)])
        assert asyncio.run(parts.log.append(replace(later, body=body), later.received_ms)).position == latest + 1


def test_influx_is_told_and_then_its_places_are_forgotten(data: Path) -> None:
    with collector(data, KEEP) as parts:
        parts.warehouse.feed("an InfluxDB")
        assert forget(data, "--key", ONE.key) == 0
        parts.projector.catch_up()
        withdrawn = "SELECT count(*) > 0 FROM vacated WHERE key = $1"
        assert parts.warehouse.select(withdrawn, [ONE.key]) == [(True,)]
        marked = "SELECT count(*) > 0 FROM vacated JOIN unsent ON unsent.target = vacated.target AND slot = hour"
        assert parts.warehouse.select(f"{marked} WHERE kind = 'verdicts' AND key = $1", [ONE.key]) == [(True,)]
        for table in ("unsent", "unsent_verdict"):  # as when all is written
            parts.warehouse.select(f"DELETE FROM {table}")
        parts.projector.catch_up()
        assert parts.warehouse.select(withdrawn, [ONE.key]) == [(False,)]


def test_interrupted_after_the_bodies_it_goes_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert forget(data, "--key", ONE.key) == 0  # offline: index and warehouse are as they were
    with collector(data, KEEP) as parts, monkeypatch.context() as patch:
        patch.setattr(parts.projector, "rebuild", lambda: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            parts.projector.step()
    with collector(data, KEEP) as parts:
        parts.projector.catch_up()
        assert ONE.key not in keys_in(parts)


def test_killed_anywhere_it_goes_on_and_the_end_is_the_same(tmp_path: Path) -> None:
    with durable.for_the_owner_alone(), collector(aged := tmp_path / "aged", KEEP) as parts:
        for arrivals in story(0)[: KEEP + 3]:  # two days of which go
            take(parts, arrivals[::3], judged=False)
        parts.projector.catch_up()
        key = sorted(keys_in(parts))[0]
    module = "tests.collector.judging.killed_retention"
    words = [sys.executable, "-m", module, str(aged), str(tmp_path), str(KEEP), "31", key]
    said = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert int(said.stdout) > 5


def test_what_was_frozen_keeps_the_sums_that_tell_of_nobody(data: Path) -> None:
    with collector(data, KEEP) as parts:
        until = freezes.read(data / LOG_DIRECTORY).until_hour
        larger = "SELECT count(*) FROM cell WHERE hour < $1 AND lines >= 3"
        before = parts.warehouse.select(larger, [until])
    assert forget(data, "--key", ONE.key) == 0
    with collector(data, KEEP) as parts:
        parts.projector.catch_up()
        assert parts.warehouse.select(larger, [until]) == before
    places = freezes.read(data / LOG_DIRECTORY).places
    assert {place.name[-2:] for place in places} == {"-2"}
    assert len(places) == len(list((data / LOG_DIRECTORY / freezes.DIRECTORY).iterdir()))


def test_a_backup_still_holds_it_and_says_what_is_to_be_done(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "saved")
    assert forget(data, "--key", ONE.key) == 0
    assert traces(tmp_path / "saved", bodies_of(ONE.key)[-1][20:120])
    backup(data, tmp_path / "after")
    assert in_force(decisions(tmp_path / "after" / LOG_DIRECTORY), What.FORGET)


def test_a_tombstone_is_signed(data: Path, capsys: Capture) -> None:
    assert forget(data, "--key", ONE.key) == 0
    capsys.readouterr()
    _forge(data)
    assert commands.main(["verify", "--data", str(data)]) == 1
    assert "its tombstone is not the collector's" in capsys.readouterr().out


def _forge(data: Path) -> None:
    path = sorted((data / LOG_DIRECTORY).glob("*.sqlite"))[-2]
    path.chmod(0o600)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tombstone SET signed = replace(signed, 'asked', 'law')")


@pytest.mark.parametrize("words", [("--key", "xyz"), ("--digest", "12")])
def test_what_is_no_key_is_refused(data: Path, words: tuple[str, str], capsys: Capture) -> None:
    assert forget(data, *words) == 2
    assert "64 hex digits" in capsys.readouterr().err
