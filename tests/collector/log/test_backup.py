"""A backup holds all that was acknowledged before it began, whatever is received meanwhile; restored, it goes on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import commands
from collector.instance import Options, opened
from collector.log import soundness
from collector.log.backup import backup, restore
from collector.log.segment import DAY_MS
from probe.failure import UserError
from tests.collector.batches import NOW_MS, Volunteer, enveloped
from tests.collector.judging.evidence import RULES
from tests.collector.log.test_crash import BATCHES, collector
from tests.collector.uploaders import Uploader, identities, kept

Capture = pytest.CaptureFixture[str]
SAVED_TARGETS = "targets/" + "d" * 64 + ".yaml"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A directory with two days of a log, which is open."""
    one = Volunteer()
    with opened(Options(data=tmp_path / "data"), RULES) as parts:
        parts.kept_targets.put("d" * 64, b"targets: {}\n")
        for day in (0, 0, 1):
            envelope = enveloped(one.seal([one.measure()]), NOW_MS + day * DAY_MS)
            asyncio.run(parts.log.append(*envelope))
        parts.projector.catch_up()
        yield tmp_path / "data"


def contents(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_a_backup_is_what_cannot_be_made_again(data: Path, tmp_path: Path) -> None:
    assert backup(data, tmp_path / "saved") == 2
    days = {"log/2026-02-25.sqlite", "log/2026-02-26.sqlite"}
    assert (data / "buckets.key").exists()  # whose secrets are nobody's after a day
    assert contents(tmp_path / "saved") == {"log/id", *days, SAVED_TARGETS, "collector.key", "pseudonyms.key"}
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "saved").rglob("*")}
    assert modes == {0}


def test_restored_it_is_the_same_collector(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "saved")
    assert restore(tmp_path / "saved", tmp_path / "again") == 2
    with opened(Options(data=tmp_path / "again"), RULES) as parts:
        assert parts.kept_targets.targets("d" * 64) == b"targets: {}\n"
        assert len(parts.log.read(0, 10)) == 3
        parts.projector.catch_up()
        again = parts.warehouse.dump()
        one = Volunteer(2)
        appended = asyncio.run(parts.log.append(*enveloped(one.seal([one.measure()]), NOW_MS + 2 * DAY_MS)))
        assert appended.position == 4
    for name in ("collector.key", "pseudonyms.key"):
        assert (tmp_path / "again" / name).read_bytes() == (data / name).read_bytes()
    assert len(again["verdict"]) == 3


async def test_beside_a_collector_that_receives_it_holds_what_was_acknowledged(tmp_path: Path, capsys: Capture) -> None:
    data, saved = tmp_path / "data", tmp_path / "saved"
    uploader = Uploader(tmp_path, 1)
    async with collector(data) as (_, url):
        for number in range(3):
            for _ in range(BATCHES):
                uploader.measure()
            await uploader.upload(url)
            before = set(uploader.acknowledged)
            for _ in range(10 * BATCHES):
                uploader.measure()
            words = ["backup", "--data", str(data), str(saved / str(number))]
            code, _ = await asyncio.gather(asyncio.to_thread(commands.main, words), uploader.upload(url))
            assert code == 0
            held = kept(saved / str(number))
            assert identities(uploader, before) <= held.keys() <= identities(uploader, uploader.measured)
            assert set(held.values()) == {1}
            assert [soundness.examine(path).faults for path in soundness.files(saved / str(number))] == [()]
    assert "Backed up: 1 days of the log" in capsys.readouterr().out


def test_what_is_there_is_not_written_over(data: Path, tmp_path: Path, capsys: Capture) -> None:
    backup(data, tmp_path / "saved")
    with pytest.raises(UserError, match="exists"):
        backup(data, tmp_path / "saved")
    assert commands.main(["restore", "--data", str(data), str(tmp_path / "saved")]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_what_is_no_backup_is_not_restored(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "other").mkdir()
    assert commands.main(["restore", "--data", str(tmp_path / "data"), str(tmp_path / "other")]) == 2
    assert "is no backup" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_backup_that_cannot_be_finished_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, to: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("collector.log.backup._copy_segment", full)
    with pytest.raises(UserError, match="No space left"):
        backup(data, tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_older_log_beside_a_newer_warehouse_is_judged_again(tmp_path: Path) -> None:
    """What follows is judged, and nothing stands that the log does not hold."""
    one, data, saved = Volunteer(), tmp_path / "data", tmp_path / "saved"
    for number in range(3):
        with opened(Options(data=data), RULES) as parts:
            for _ in range(2):
                asyncio.run(parts.log.append(*enveloped(one.seal([one.measure()]))))
            parts.projector.catch_up()
            if number == 0:
                backup(data, saved)
    shutil.rmtree(data / "log")
    shutil.copytree(saved / "log", data / "log")
    with opened(Options(data=data), RULES) as parts:
        for _ in range(5):  # as many as were judged before, and more
            asyncio.run(parts.log.append(*enveloped(one.seal([one.measure()]))))
        parts.projector.catch_up()
        assert parts.warehouse.cursor() == parts.log.latest() == 7
        held = {(row[5], row[6]) for row in parts.warehouse.dump()["verdict"]}
        assert held == {(one.key, record.measurement.uid) for record in parts.index.arrived(0, 100).records}
        assert parts.projector.lag == 0
