"""A data directory of commit 260d5f9, by its own code (tests/data/log-260d5f9/make.py), comes to segments whole."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from collector.instance import Options, opened
from collector.judging.rules import RULES
from collector.log import moving
from collector.log.sqlite import SqliteLog
from probe.failure import UserError
from probe.model import HOUR_MS, Network
from tests.collector.batches import NOW_MS, Volunteer
from tests.patience import PATIENCE

OLD = Path(__file__).parents[2] / "data" / "log-260d5f9"
DAY_MS = 86_400_000
MAROC = Network(country="MA", asn=36903, operator="Maroc Telecom")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("log.sqlite", "log.sqlite-wal"):
        shutil.copy(OLD / name, tmp_path / "data" / name)
    return tmp_path / "data"


def test_a_collector_opens_an_old_directory_and_judges_what_it_holds(data: Path) -> None:
    one, other = Volunteer(1), Volunteer(2)
    with opened(Options(data=data), RULES) as parts:
        entries = parts.log.read(0, 10)
        parts.projector.catch_up()
        rows = parts.warehouse.select("SELECT key, uid, hour, rule FROM verdict ORDER BY ALL")
        records = parts.index.arrived(0, 10).records
        assert parts.kept_targets.targets("d" * 64) == b"targets:\n  whatsapp/chat:\n    plane: signalling\n"
    assert [entry.position for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.envelope.received_ms - NOW_MS for entry in entries] == [0, 500, DAY_MS, 1000, 3 * DAY_MS]
    assert [entry.envelope.network for entry in entries] == [MAROC, Network(), MAROC, Network(), MAROC]
    assert [entry.envelope.bucket for entry in entries] == [None] * 5
    assert entries[0].envelope.named == {"212.217.0.0/16": MAROC}
    headers = [json.loads(gzip.decompress(entry.envelope.body).split(b"\n")[0]) for entry in entries]
    assert [header["key"] for header in headers] == [one.key, other.key, one.key, other.key, one.key]
    assert len(rows) == len({row[:2] for row in rows}) == 7  # one that was sent twice counts once
    assert {(r.started_ms // HOUR_MS, r.clock_known) for r in records if r.cursor == 4} == {(NOW_MS // HOUR_MS, False)}
    files = sorted(path.name for path in (data / "log").iterdir() if path.suffix == ".sqlite")
    assert files == ["2026-02-25.sqlite", "2026-02-26.sqlite", "2026-02-28.sqlite"]  # the clock that went back did not
    assert not (data / "log.sqlite").exists()


def test_killed_anywhere_it_begins_again_and_loses_and_doubles_nothing(data: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.collector.log.killed_moves", str(data), str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert int(said.stdout) > 100


def test_an_old_log_beside_another_one_is_not_touched(data: Path) -> None:
    with closing(SqliteLog(data / "log")):
        pass
    with pytest.raises(UserError, match="are two logs"):
        moving.move(data / "log.sqlite", data / "log", lambda digest, body: None)
    with closing(sqlite3.connect(data / "log.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (5,)


@pytest.mark.parametrize(("version", "said"), [(2, "a later Ringback"), (0, "is no log of Ringback")])
def test_what_is_no_old_log_is_refused(tmp_path: Path, version: int, said: str) -> None:
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(UserError, match=said):
        moving.move(tmp_path / "log.sqlite", tmp_path / "log", lambda digest, body: None)
    assert not (tmp_path / "log").exists()


def test_a_damaged_one_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"not a database, and long enough to be told from one" * 40)
    with pytest.raises(UserError, match="cannot be read"):
        moving.move(tmp_path / "log.sqlite", tmp_path / "log", lambda digest, body: None)
