"""What is set aside is dated, whole, and not kept for ever."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.damaged import MOST_KEPT, set_aside


def test_it_is_dated_and_takes_its_journals_along(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.sqlite.new"):
        (tmp_path / name).write_text(name)
    aside = set_aside(tmp_path / "index.sqlite", datetime(2026, 11, 28, 16, 3, 12, tzinfo=UTC))
    assert aside.name == "index.sqlite.damaged-20261128T160312Z"
    assert sorted(os.listdir(tmp_path)) == [aside.name, f"{aside.name}-shm", f"{aside.name}-wal", "index.sqlite.new"]
    assert "is damaged: it is kept as index.sqlite.damaged-20261128T160312Z" in caplog.text


def test_few_are_kept(tmp_path: Path) -> None:
    for day in range(1, 6):
        for name in ("w", "w.wal"):
            (tmp_path / name).write_text(str(day))
        set_aside(tmp_path / "w", datetime(2026, 11, day, tzinfo=UTC))
    assert len(os.listdir(tmp_path)) == 2 * MOST_KEPT
    assert {each.read_text() for each in tmp_path.iterdir()} == {"4", "5"}
