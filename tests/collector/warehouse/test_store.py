"""The warehouse keeps what it is given, in one transaction, and never more than one version of an hour."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec
import pytest

from collector.warehouse.basis import SCHEMA, Basis
from collector.warehouse.store import Warehouse, fresh
from collector.warehouse.tables import (
    CELL_COLUMNS,
    FAILING_COLUMNS,
    SHARE_COLUMNS,
    STEP_COLUMNS,
    VERDICT_COLUMNS,
    CellRow,
    Change,
    FailingRow,
    Kept,
    Share,
    StepRow,
    VerdictRow,
    cell_from,
    cell_values,
    failing_values,
    kept_from,
    kept_values,
    step_values,
)
from probe.failure import UserError
from tests.collector.rows import HOUR, KEYS, HourContent, cell_row, content, failing_row, fill, step_row, verdict_row

HOSTILE = "'; DROP TABLE verdict; --\0\u202e<script>\U0001f4de"


def test_the_columns_are_the_fields() -> None:
    assert [f.name for f in msgspec.structs.fields(VerdictRow)] == list(VERDICT_COLUMNS)
    assert [f.name for f in msgspec.structs.fields(CellRow)] == list(CELL_COLUMNS)
    assert [f.name for f in msgspec.structs.fields(FailingRow)] == list(FAILING_COLUMNS)
    assert [f.name for f in msgspec.structs.fields(StepRow)] == list(STEP_COLUMNS)
    assert [f.name for f in msgspec.structs.fields(Share)] == list(SHARE_COLUMNS)


def test_what_is_kept_comes_back() -> None:
    warehouse = Warehouse(None)
    verdict = verdict_row(reason=HOSTILE, operator=HOSTILE, mechanism="tls.sni.reset", asn=2**32 - 1)
    cell = cell_row(states={"ok": 2, "blocked": 1}, operator=HOSTILE)
    failing = failing_row(host=HOSTILE, address="2001:db8::7")
    step = step_row(operator=HOSTILE, passed=2**62)
    fill(warehouse, [content([verdict], [cell], [failing], [step])], 7)
    dump = warehouse.dump()
    assert [kept_from(values) for values in dump["verdict"]] == [Kept(verdict)]
    assert [cell_from(values) for values in dump["cell"]] == [cell]
    assert dump["verdict"] == [kept_values(Kept(verdict))]
    assert dump["cell"] == [cell_values(cell)]
    assert dump["failing"] == [failing_values(failing)]
    assert dump["step"] == [step_values(step)]
    assert warehouse.cursor() == 7


def test_replacing_an_hour_leaves_nothing_of_it_and_all_of_the_others() -> None:
    warehouse = Warehouse(None)
    other = content([verdict_row(hour=HOUR + 1, uid="9")], [cell_row(hour=HOUR + 1)])
    fill(warehouse, [content([verdict_row(uid="1"), verdict_row(uid="2")], [cell_row()]), other], 1)
    fill(warehouse, [content([verdict_row(uid="3")], [])], 2)
    assert [row[6] for row in warehouse.dump()["verdict"]] == ["3", "9"]
    assert [row[3] for row in warehouse.dump()["cell"]] == [HOUR + 1]
    fill(warehouse, [HourContent(target="whatsapp/chat", hour=HOUR)], 3)
    assert [row[6] for row in warehouse.dump()["verdict"]] == ["9"]


def test_a_change_takes_rows_by_their_key_and_leaves_the_others() -> None:
    warehouse = Warehouse(None)
    first, second = verdict_row(uid="1"), verdict_row(uid="2", key=KEYS[2])
    fill(warehouse, [content([first, second], [cell_row()], [failing_row()], [step_row()])], 1)
    other = msgspec.structs.replace(first, state="down")
    place = ("whatsapp/chat", HOUR, first.key, "1")
    warehouse.put(Change(verdicts=(Kept(other, Share(asked=3, steps="{}")),), gone={"verdict": (place,)}), 2)
    dump = warehouse.dump()
    assert [kept_from(row) for row in dump["verdict"]] == [Kept(other, Share(asked=3, steps="{}")), Kept(second)]
    assert [len(dump[table]) for table in ("cell", "failing", "step")] == [1, 1, 1]
    cell = ("whatsapp/chat", HOUR, "MA", 36903, "Maroc Telecom", "adsl", False, False)
    warehouse.put(Change(gone={"cell": (cell,), "verdict": (place,)}), 3)
    assert [row[6] for row in warehouse.dump()["verdict"]] == ["2"]
    assert warehouse.dump()["cell"] == []
    assert warehouse.cursor() == 3


def test_a_transaction_that_fails_leaves_everything_as_it_was() -> None:
    warehouse = Warehouse(None)
    fill(warehouse, [content([verdict_row()], [cell_row()])], 1)
    before = warehouse.dump()
    unfit = content([verdict_row(uid="2")], [cell_row(lines=2**70)])
    with pytest.raises((duckdb.Error, OverflowError)):
        fill(warehouse, [unfit], 2)
    assert warehouse.dump() == before
    assert warehouse.cursor() == 1


def test_a_new_file_has_no_basis_until_it_is_begun(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w")
    assert warehouse.basis() is None
    warehouse.begin(Basis(rules_version=3, standing="told", controls=frozenset({"d"}), log="l"))
    warehouse.close()
    again = Warehouse(tmp_path / "w")
    assert again.basis() == Basis(rules_version=3, standing="told", controls=frozenset({"d"}), log="l", schema=SCHEMA)
    again.close()


def test_adopting_takes_the_other_files_content(tmp_path: Path) -> None:
    old, new = Warehouse(tmp_path / "w"), fresh(tmp_path / "w.new")
    fill(old, [content([verdict_row(uid="1")], [])], 1)
    fill(new, [content([verdict_row(uid="2")], [])], 5)
    new.close()
    old.adopt(tmp_path / "w.new")
    assert [row[6] for row in old.dump()["verdict"]] == ["2"]
    assert old.cursor() == 5
    fill(old, [content([verdict_row(uid="3")], [])], 6)
    old.close()
    assert [p.name for p in tmp_path.iterdir()] == ["w"]
    reopened = Warehouse(tmp_path / "w")
    assert [row[6] for row in reopened.dump()["verdict"]] == ["3"]
    reopened.close()


def test_fresh_starts_over_what_was_left_behind(tmp_path: Path) -> None:
    left = Warehouse(tmp_path / "w")
    fill(left, [content([verdict_row()], [])], 1)
    left.close()
    again = fresh(tmp_path / "w")
    assert again.dump()["verdict"] == []
    again.close()


def kept(path: Path) -> None:
    """A warehouse of one hour, in a file."""
    warehouse = Warehouse(path)
    fill(warehouse, [content([verdict_row(uid=str(n), reason=f"Of line {n}.") for n in range(500)], [])], 7)
    warehouse.close()


def header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(4096))


def cut(path: Path) -> None:
    os.truncate(path, 100)


def text(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("harm", [header, cut, text])
def test_a_file_that_is_damaged_is_set_aside_and_made_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "w"
    kept(path)
    harm(path)
    harmed = path.read_bytes()
    warehouse = Warehouse(path)
    assert (warehouse.cursor(), warehouse.basis(), warehouse.is_damaged) == (0, None, False)
    warehouse.close()
    (aside,) = [each for each in tmp_path.glob("w.damaged-*") if each.suffix != ".wal"]
    assert aside.read_bytes() == harmed
    assert Warehouse(path).cursor() == 0  # and stays


def test_a_damaged_journal_is_set_aside_with_its_file(tmp_path: Path) -> None:
    running = Warehouse(tmp_path / "w")
    fill(running, [content([verdict_row(uid=str(n)) for n in range(500)], [])], 7)
    for name in ("w", "w.wal"):  # as a power cut leaves them
        shutil.copy(tmp_path / name, tmp_path / name.replace("w", "x", 1))
    running.close()
    with (tmp_path / "x.wal").open("r+b") as file:
        file.seek(2000)
        file.write(os.urandom(100))
    again = Warehouse(tmp_path / "x")
    assert again.cursor() == 0
    again.close()
    assert len(list(tmp_path.glob("x.damaged-*"))) == 2


def test_a_damage_that_is_met_later_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "w"
    kept(path)
    with path.open("r+b") as file:  # behind the headers, over all that is kept
        file.seek(3 * 4096)
        file.write(os.urandom(path.stat().st_size - 3 * 4096))
    try:
        warehouse = Warehouse(path)
        with suppress(duckdb.Error):
            warehouse.dump()
    finally:
        assert warehouse.is_damaged or list(tmp_path.glob("w.damaged-*"))
    warehouse.start_again()
    assert (warehouse.dump()["verdict"], warehouse.cursor(), warehouse.is_damaged) == ([], 0, False)
    warehouse.close()


@pytest.mark.parametrize("tables", [["CREATE TABLE theirs (a INTEGER)"], ["CREATE TABLE cell (a INTEGER)"]])
def test_another_programs_database_is_left_alone(tmp_path: Path, tables: list[str]) -> None:
    with duckdb.connect(str(tmp_path / "w")) as theirs:
        theirs.execute(tables[0])
    with pytest.raises(UserError, match="is another program's database: give another data directory"):
        Warehouse(tmp_path / "w")
    (tmp_path / "s").write_bytes(b"")
    with sqlite3.connect(tmp_path / "s") as other:
        other.execute(tables[0])
    other.close()
    with pytest.raises(UserError, match="cannot be opened"):
        Warehouse(tmp_path / "s")
    with pytest.raises(UserError, match="cannot be opened"):
        Warehouse(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["s", "w"]


def test_a_second_process_is_told_who_holds_the_file(tmp_path: Path) -> None:
    held = Warehouse(tmp_path / "w")
    code = f"import pathlib, collector.warehouse.store as w; w.Warehouse(pathlib.Path({str(tmp_path / 'w')!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    held.close()
    assert "held by another process; ask that one over HTTP, or stop it." in other.stderr


def test_many_rows_are_kept_in_little_time() -> None:
    warehouse = Warehouse(None)
    rows = [verdict_row(uid=f"{i:05d}", started_ms=HOUR * 3_600_000 + i) for i in range(5000)]
    fill(warehouse, [content(rows, [])], 1)
    assert warehouse.select("SELECT count(*) FROM verdict") == [(5000,)]
