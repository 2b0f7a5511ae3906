"""`keys`: who is in the log, beside a collector that runs; who is blocked is still received and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import commands
from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES
from collector.log.backup import backup, restore
from tests.collector.batches import NOW_MS, Volunteer, enveloped
from tests.collector.judging.test_index import NEW, OLD, said_by

Capture = pytest.CaptureFixture[str]
DAY_MS = 86_400_000


def append(parts: Parts, one: Volunteer, day: int = 0) -> bool:
    return receive(parts, one.seal([one.measure(), one.measure()]), day)


def receive(parts: Parts, body: bytes, day: int) -> bool:
    return asyncio.run(parts.log.append(*enveloped(body, NOW_MS + day * DAY_MS))).is_new


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Parts]:
    """An open collector whose log holds two keys; one sent the same again the day after, in another batch."""
    with opened(Options(data=tmp_path / "data"), RULES) as parts:
        one = Volunteer(1)
        measured = [one.measure(), one.measure()]
        for day in (0, 1):
            receive(parts, one.seal(measured), day)
        append(parts, Volunteer(20))
        yield parts


def keys(data: Path, *words: str) -> int:
    return commands.main(["keys", *words, "--data", str(data)])


def judged(parts: Parts) -> set[str]:
    parts.projector.catch_up()
    return {key for (key,) in parts.warehouse.select("SELECT DISTINCT key FROM verdict")}


def test_it_lists_the_keys_beside_the_collector_that_runs(running: Parts, tmp_path: Path, capsys: Capture) -> None:
    assert keys(tmp_path / "data", "list") == 0
    first, second = sorted(capsys.readouterr().out.splitlines(), key=lambda line: Volunteer(1).key not in line)
    assert first.split("  ")[1:] == [
        "seen 2026-02-25 to 2026-02-26",
        "2 measurements",
        "MA AS36903 Maroc Telecom",
        "never established",
    ]
    assert second.startswith(Volunteer(20).key)


def test_blocked_it_is_kept_and_counts_for_nothing_until_it_is_let_in(
    running: Parts, tmp_path: Path, capsys: Capture
) -> None:
    data, liar, other = tmp_path / "data", Volunteer(1), Volunteer(20)
    assert judged(running) == {liar.key, other.key}
    assert keys(data, "block", liar.key.upper(), "--reason", "a flood") == 0
    assert judged(running) == {other.key}
    liar.number()
    before = running.log.latest()
    assert append(running, liar, 2)
    assert running.log.latest() == before + 1
    assert judged(running) == {other.key}
    capsys.readouterr()
    assert keys(data, "list") == 0
    assert [line.endswith("BLOCKED") for line in capsys.readouterr().out.splitlines() if liar.key in line] == [True]
    assert keys(data, "unblock", liar.key) == 0
    assert judged(running) == {liar.key, other.key}


def test_a_backup_holds_who_is_blocked(running: Parts, tmp_path: Path) -> None:
    assert keys(tmp_path / "data", "block", Volunteer(1).key) == 0
    backup(tmp_path / "data", tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "again")
    with opened(Options(data=tmp_path / "again"), RULES) as parts:
        assert judged(parts) == {Volunteer(20).key}


def test_said_twice_it_says_so(running: Parts, tmp_path: Path, capsys: Capture) -> None:
    for _ in range(2):
        assert keys(tmp_path / "data", "block", "f" * 64) == 0
    assert "is blocked already" in capsys.readouterr().out
    assert keys(tmp_path / "data", "list") == 0
    assert f"{'f' * 64}  never seen  BLOCKED" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["block"], ["block", "x"], ["unblock", "g" * 64]])
def test_what_is_no_key_is_refused(running: Parts, tmp_path: Path, capsys: Capture, words: list[str]) -> None:
    assert keys(tmp_path / "data", *words) == 2
    assert "64 hex digits" in capsys.readouterr().err
    assert keys(tmp_path, "list") == 2
    assert "holds no log" in capsys.readouterr().err


def test_who_follows_a_key_is_told_and_blocked_with_it(running: Parts, tmp_path: Path, capsys: Capture) -> None:
    receive(running, said_by(NEW, 1), 2)
    append(running, Volunteer(1), 3)
    data = tmp_path / "data"
    assert judged(running) == {Volunteer(1).key, Volunteer(20).key, NEW.key}
    receive(running, said_by(OLD, 2), 2)
    assert keys(data, "list") == 0
    (told,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(NEW.key))
    assert told.endswith(f"never established  follows {OLD.key}")
    assert keys(data, "block", OLD.key) == 0
    assert judged(running) == {Volunteer(1).key, Volunteer(20).key}
    capsys.readouterr()
    assert keys(data, "list") == 0
    assert sum("BLOCKED" in line for line in capsys.readouterr().out.splitlines()) == 2
    assert keys(data, "unblock", OLD.key) == 0
    assert judged(running) >= {OLD.key, NEW.key}
