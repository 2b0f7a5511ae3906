"""Nothing in a data directory is for others, whoever made it: SQLite, DuckDB, a page, a token, a replay's secret."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import commands

DAY = ("--since", "2016-01-06", "--until", "2016-01-07")


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    """A person whose files everybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def loose(directory: Path) -> dict[str, str]:
    """What others may do with the directory and all in it."""
    paths = [directory, *directory.rglob("*")]
    modes = {str(path.relative_to(directory)): path.lstat().st_mode for path in paths if not path.is_symlink()}
    return {name: oct(stat.S_IMODE(mode)) for name, mode in modes.items() if mode & 0o077}


def run(*words: str | Path) -> None:
    assert commands.main([*map(str, words)]) == 0


def test_after_a_run_of_everything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, out = tmp_path / "a" / "data", tmp_path / "out"
    run("replay", "morocco-2016", "--data", data, *DAY)
    run("rebuild", "--data", data)
    run("influx", "refused", "--data", data)
    run("export", "--data", data, "--format", "csv", *DAY, "--simulated", "--out", out)
    keys = {"collector.key", "pseudonyms.key", "buckets.key"}
    assert {"admin.token", "lock", "log", "networks.csv", "replay.secret", *keys} <= set(os.listdir(data))
    assert loose(data.parent) == {}
    assert loose(out) == {}

    (data / "probe").mkdir()  # of `local`
    (data / "probe" / "identity.key").touch()
    (data / "page.html").touch()
    (data / "my notes").touch()
    for path in data.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    run("rebuild", "--data", data)
    assert loose(data) == {"my notes": "0o666"}  # not ours
    assert "could read" in caplog.text
    assert os.umask(0) == 0
