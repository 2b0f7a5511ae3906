"""Files are whole or absent, also where several processes write one."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from probe import durable


def test_many_writers_of_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    bodies = [bytes([number]) * 5000 for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda body: durable.write(path, body), bodies))
    assert path.read_bytes() in bodies
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_who_makes_a_file_second_keeps_the_first_ones(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: (durable.create(path, bytes([number]) * 64), path.read_bytes()), range(32)))
    first = path.read_bytes()
    durable.create(path, b"another")
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_where_links_are_forbidden_a_file_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "link", forbidden)
    for body in (b"first", b"second"):
        durable.create(tmp_path / "key", body)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"a")
    durable.create(tmp_path / "b", b"b")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in "ab"} == {0o600}


# --- Whose they are


@pytest.fixture
def careless() -> Iterator[None]:
    """A person whose files everybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_is_made_meanwhile_is_the_owners_alone(careless: None, tmp_path: Path) -> None:
    with durable.for_the_owner_alone():
        (tmp_path / "file").touch()
        (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "later").touch()
    assert [mode(tmp_path / name) for name in ("file", "a", "a/b", "later")] == [0o600, 0o700, 0o700, 0o666]


def test_what_others_may_read_is_closed_to_them(careless: None, tmp_path: Path) -> None:
    ours, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    (ours / "refused").mkdir(parents=True)
    elsewhere.touch()
    for name in ("1.batch", "refused/2.batch"):
        (ours / name).touch()
    (ours / "link").symlink_to(elsewhere)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(ours / "socket"))
    (ours / "kept").touch(mode=0o600)
    assert durable.tighten([ours, tmp_path / "absent"]) == 5
    assert {path.name: mode(path) for path in ours.rglob("*") if not path.is_symlink()} == {
        "refused": 0o700,
        "1.batch": 0o600,
        "2.batch": 0o600,
        "socket": 0o700,
        "kept": 0o600,
    }
    assert (mode(ours), mode(elsewhere)) == (0o700, 0o666)
    assert durable.tighten([ours]) == 0
