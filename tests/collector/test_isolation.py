"""One row that cannot be read stops nobody who shows, exports or writes the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import pytest

from collector.front.page.page import render
from collector.isolation import Faults
from collector.package.source import Source, Wanted, cells, verdicts
from collector.warehouse import questions
from collector.warehouse.basis import Basis
from collector.warehouse.questions import CellQuery, VerdictQuery
from collector.warehouse.store import Warehouse
from probe.model import HOUR_MS
from tests.collector.log.memory_log import MemoryLog
from tests.collector.rows import HOUR, KEYS, PSEUDONYMS, cell_row, content, fill, verdict_row

SINCE, UNTIL = HOUR * HOUR_MS, (HOUR + 1) * HOUR_MS
ALL = Wanted(since_ms=SINCE, until_ms=UNTIL, now_ms=UNTIL, full=True)


def halves(number: int) -> float:
    return 1 / number


def test_what_cannot_be_made_is_left_out_counted_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    assert list(faults.each("halves", halves, [1, 0, 2, 0])) == [1, 0.5]
    assert faults.counts == {"halves": 2}
    assert len(caplog.messages) == 1
    assert "in halves" in caplog.text
    assert "division" not in caplog.text  # its words are not told


@pytest.mark.parametrize("error", [OSError(), MemoryError(), sqlite3.DatabaseError()])
def test_what_may_pass_by_itself_is_no_rows_fault(error: Exception) -> None:
    def broken(row: int) -> int:
        raise error

    with pytest.raises(type(error)):
        list(Faults().each("rows", broken, [1]))


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    """One good and one spoilt row in each table."""
    with closing(Warehouse(None)) as one:
        one.begin(Basis(rules_version=1, log=""))
        fill(
            one,
            [
                content(
                    [verdict_row(), verdict_row(key=KEYS[2], uid="2", access="4g")],
                    [cell_row(), cell_row(access="4g")],
                )
            ],
            1,
        )
        one.select("UPDATE cell SET states = 'no JSON' WHERE access = '4g'")
        one.select("UPDATE verdict SET reason = NULL WHERE access = '4g'")
        yield one


def source(warehouse: Warehouse) -> Source:
    log = MemoryLog()
    return Source(log=log, index=log, targets=log, warehouse=warehouse, pseudonyms=PSEUDONYMS)


READERS: dict[str, Callable[[Warehouse], Iterable[object]]] = {
    "cells": lambda w: questions.cells(w, CellQuery(since_ms=SINCE, until_ms=UNTIL)),
    "verdicts": lambda w: questions.verdicts(w, VerdictQuery(since_ms=SINCE, until_ms=UNTIL)),
    "hourly": lambda w: questions.hourly_verdicts(w, HOUR, HOUR, most_lines=3, limit=10),
    "exported cells": lambda w: b"".join(cells(source(w), ALL)).splitlines(),
    "exported verdicts": lambda w: b"".join(verdicts(source(w), ALL)).splitlines(),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_spoilt_row_is_left_out_and_the_others_are_read(warehouse: Warehouse, reader: str) -> None:
    assert len(list(READERS[reader](warehouse))) == 1
    assert warehouse.faults.counts.total() == 1


def test_the_page_is_made_without_it(warehouse: Warehouse) -> None:
    page = render(warehouse, UNTIL, full=True)
    assert "Maroc Telecom" in page
    assert warehouse.faults.counts.total() == 2
