"""Marks come and go with the transactions that they are about, and go along when a file takes another's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.warehouse import outbox
from collector.warehouse.basis import Basis
from collector.warehouse.outbox import Kind
from collector.warehouse.store import Warehouse, fresh
from tests.collector.rows import HOUR, KEYS, cell_row, content, fill, verdict_row

DAY = HOUR // 24


def fed(path: Path | None = None, name: str = "influx") -> Warehouse:
    warehouse = Warehouse(path)
    warehouse.feed(name)
    return warehouse


def marked(warehouse: Warehouse) -> set[tuple[Any, ...]]:
    """Without their numbers."""
    single = warehouse.select("SELECT 'single', uid, hour FROM unsent_verdict")
    return {*warehouse.select("SELECT kind, target, slot FROM unsent"), *single}


def settled(warehouse: Warehouse) -> None:
    numbers = [number for (number,) in warehouse.select("SELECT number FROM unsent")]
    warehouse.change(lambda c: outbox.settle(c, numbers))
    warehouse.change(lambda c: outbox.settle_verdicts(c, outbox.last_mark(c)))


ALL = {
    *(("hour", "whatsapp/chat", HOUR), ("day", "whatsapp/chat", DAY)),
    *(("coverage", "", HOUR), ("coverage_day", "", DAY)),
}


def test_what_changes_is_marked() -> None:
    warehouse = fed()
    settled(warehouse)
    fill(warehouse, [content([verdict_row(uid="1"), verdict_row(uid="2")])], 1)
    assert marked(warehouse) == {*ALL, ("single", "1", HOUR), ("single", "2", HOUR), ("events", "", 0)}
    settled(warehouse)
    assert warehouse.change(outbox.waiting) == 0
    fill(warehouse, [content([verdict_row(uid="1"), verdict_row(uid="2", state="down")])], 2)
    assert marked(warehouse) == {*ALL, ("single", "2", HOUR)}
    fill(warehouse, [content([verdict_row(uid="1"), verdict_row(uid="2", state="ok")])], 3)
    assert warehouse.select("SELECT count(*) FROM unsent") == [(len(ALL),)]  # once, however often it changes
    settled(warehouse)
    fill(warehouse, [content([verdict_row(uid="1"), verdict_row(uid="2", state="ok")])], 4)
    assert marked(warehouse) == set()


@pytest.mark.parametrize("change", [{"established": False}, {"bucket": "another"}, {"bucket": None}])
def test_who_counts_is_written_anew_when_it_changes(change: dict[str, Any]) -> None:
    warehouse = fed()
    fill(warehouse, [content([verdict_row()])], 1)
    settled(warehouse)
    fill(warehouse, [content([verdict_row(**change)])], 2)
    assert marked(warehouse) >= ALL


def test_a_transaction_that_fails_leaves_no_mark() -> None:
    warehouse = fed()
    settled(warehouse)
    with pytest.raises((duckdb.Error, OverflowError)):
        fill(warehouse, [content([verdict_row()], [cell_row(lines=2**70)])], 1)
    assert marked(warehouse) == set()


def test_a_mark_that_is_set_again_while_it_is_worked_on_stays() -> None:
    warehouse = fed()
    fill(warehouse, [content([verdict_row()])], 1)
    taken = warehouse.change(lambda c: outbox.marks(c, Kind.HOUR, outbox.last_mark(c), 9))
    fill(warehouse, [content([verdict_row(state="down")])], 2)
    warehouse.change(lambda c: outbox.settle(c, [number for number, _, _ in taken]))
    assert ("hour", "whatsapp/chat", HOUR) in marked(warehouse)


def test_where_no_influxdb_is_fed_nothing_is_marked() -> None:
    warehouse = Warehouse(None)
    fill(warehouse, [content([verdict_row()])], 1)
    assert marked(warehouse) == set()
    warehouse.feed("influx")
    assert marked(warehouse) == {*ALL, ("verdicts", "whatsapp/chat", HOUR), ("events", "", 0)}
    settled(warehouse)
    warehouse.feed("influx")
    assert marked(warehouse) == set()
    warehouse.feed("another")
    assert len(marked(warehouse)) == 6
    warehouse.feed(None)
    assert marked(warehouse) == set()


def test_marks_outlive_the_process(tmp_path: Path) -> None:
    warehouse = fed(tmp_path / "w")
    fill(warehouse, [content([verdict_row()])], 1)
    before = marked(warehouse)
    warehouse.close()
    again = Warehouse(tmp_path / "w")  # by a command that knows of no InfluxDB
    assert marked(again) == before
    again.feed("influx")
    assert marked(again) == before
    again.close()


def adopted(tmp_path: Path, old: Warehouse, *contents: Any, rules_version: int = 1) -> None:
    made = fresh(tmp_path / "w.new")
    made.begin(Basis(rules_version=rules_version, log="l"))
    fill(made, list(contents), 5)
    made.close()
    old.adopt(tmp_path / "w.new")


def test_what_an_adopted_file_says_otherwise_is_marked(tmp_path: Path) -> None:
    warehouse = fed(tmp_path / "w")
    warehouse.begin(Basis(rules_version=1, log="l"))
    same, moving = content([verdict_row(hour=HOUR + 48, uid="s")]), content([verdict_row(uid="m", access="wifi")])
    fill(warehouse, [same, moving], 1)
    settled(warehouse)
    adopted(tmp_path, warehouse, same, content([verdict_row(uid="m", access="adsl")]), rules_version=2)
    assert marked(warehouse) == {*ALL, ("verdicts", "whatsapp/chat", HOUR), ("events", "", 0)}
    assert warehouse.select("SELECT uid, access FROM vacated") == [("m", "wifi")]
    assert warehouse.select("SELECT word FROM seen WHERE kind = 'rules'") == [("2",)]
    adopted(tmp_path, warehouse, same, content([verdict_row(uid="m", access="adsl")]), rules_version=2)
    assert warehouse.select("SELECT uid, access FROM vacated") == [("m", "wifi")]
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    warehouse.close()


def test_marks_go_along_into_an_adopted_file(tmp_path: Path) -> None:
    warehouse = fed(tmp_path / "w")
    fill(warehouse, [content([verdict_row()])], 1)
    warehouse.change(lambda c: outbox.bury(c, [(1, "raw", "a line", 400, "why")]))
    before = marked(warehouse)
    adopted(tmp_path, warehouse, content([verdict_row()]))
    assert marked(warehouse) == before
    assert warehouse.change(outbox.buried) == 1
    fill(warehouse, [content([verdict_row(uid="2", hour=HOUR + 1)])], 6)
    numbers = warehouse.select("SELECT number FROM unsent UNION ALL SELECT number FROM unsent_verdict")
    assert len(numbers) == len(set(numbers))
    warehouse.close()


def test_a_file_that_cannot_be_adopted_leaves_everything_as_it_was(tmp_path: Path) -> None:
    warehouse = fed(tmp_path / "w")
    fill(warehouse, [content([verdict_row()])], 1)
    made = fresh(tmp_path / "w.new")
    made.select("DROP TABLE vacated")
    made.close()
    before = warehouse.dump(), marked(warehouse)
    with pytest.raises(duckdb.Error):
        warehouse.adopt(tmp_path / "w.new")
    assert (warehouse.dump(), marked(warehouse)) == before
    warehouse.close()


def test_a_file_of_another_schema_is_told_of_everything_once_it_is_made_again(tmp_path: Path) -> None:
    warehouse = fed(tmp_path / "w")
    fill(warehouse, [content([verdict_row()])], 1)
    warehouse.select("UPDATE meta SET schema = 1")
    warehouse.select("DROP TABLE unsent")
    warehouse.close()
    older = Warehouse(tmp_path / "w")
    older.feed("influx")
    adopted(tmp_path, older, content([verdict_row()]))
    assert marked(older) == {*ALL, ("verdicts", "whatsapp/chat", HOUR), ("events", "", 0)}
    older.close()


def test_of_what_was_refused_the_latest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_DEAD_LETTERS", 3)
    warehouse = fed()
    for at in range(5):
        warehouse.change(lambda c, at=at: outbox.bury(c, [(at, "raw", f"line {at}", 400, "why")]))  # type: ignore[misc]
    assert warehouse.select("SELECT at_ms FROM dead_letter ORDER BY at_ms") == [(2,), (3,), (4,)]


def test_when_things_were_first_heard_of() -> None:
    warehouse = Warehouse(None)
    rows = [
        verdict_row(uid="1", key=KEYS[1], received_ms=700),
        verdict_row(uid="2", key=KEYS[2], received_ms=500, software="ringback 0.2"),
        verdict_row(uid="3", key=KEYS[3], received_ms=600, is_control=True, asn=7, targets_known=False, targets="e"),
    ]
    fill(warehouse, [content(rows[:2])], 1)
    fill(warehouse, [content(rows)], 2)
    seen = warehouse.select("SELECT kind, asn, operator, word, first_ms FROM seen ORDER BY ALL")
    assert seen == [
        ("control", 7, "Maroc Telecom", "", 600),
        ("network", 7, "", "", 600),
        ("network", 36903, "", "", 500),
        ("software", 0, "", "ringback 0.1", 600),
        ("software", 0, "", "ringback 0.2", 500),
        ("targets", 0, "", "d", 500),
    ]
