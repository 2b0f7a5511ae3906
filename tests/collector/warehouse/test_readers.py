"""Who reads waits neither for others who read nor for what is written, and never meets half a change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.warehouse.store import Warehouse, fresh
from tests.collector.rows import HOUR, content, fill, verdict_row
from tests.patience import PATIENCE

COUNT = "SELECT count(*) FROM verdict"


@pytest.mark.parametrize("name", ["warehouse.duckdb", None])
def test_a_transaction_keeps_no_reader_waiting(tmp_path: Path, name: str | None) -> None:
    """It sees what stood before, until all of it is there."""
    warehouse = Warehouse(None if name is None else tmp_path / name)
    fill(warehouse, [content([verdict_row()], [])], 1)
    in_the_middle, read = threading.Event(), threading.Event()

    def slow(connection: object) -> bool:
        connection.execute("DELETE FROM verdict")  # type: ignore[attr-defined]
        in_the_middle.set()
        return read.wait(PATIENCE)

    with ThreadPoolExecutor(1) as thread:
        changed = thread.submit(warehouse.change, slow)
        assert in_the_middle.wait(PATIENCE)
        assert warehouse.select(COUNT) == [(1,)]
        assert not changed.done()
        read.set()
        assert changed.result(PATIENCE)
    assert warehouse.select(COUNT) == [(0,)]
    warehouse.close()


def test_the_file_is_exchanged_while_others_read(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    fill(warehouse, [content([verdict_row()], [])], 1)
    ended = threading.Event()

    def read() -> set[int]:
        seen = set()
        while not ended.is_set():
            ((count,),) = warehouse.select(COUNT)
            seen.add(count)
        return seen

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        for number in (2, 3):
            other = fresh(tmp_path / "other.new")
            hours = [content([verdict_row(hour=HOUR + n)], []) for n in range(number)]
            fill(other, hours, number)
            other.close()
            warehouse.adopt(tmp_path / "other.new")
            assert warehouse.select(COUNT) == [(number,)]
        ended.set()
        seen = set().union(*(reader.result(PATIENCE) for reader in readers))
    assert seen <= {1, 2, 3}
    warehouse.close()
