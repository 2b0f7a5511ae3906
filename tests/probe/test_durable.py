"""Files are whole or absent, also where several processes write one."""

from __future__ import annotations

import os
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
