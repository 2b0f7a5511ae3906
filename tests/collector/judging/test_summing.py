"""Sums are made once of a backlog, whoever is stopped in the middle of it."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from collector.judging.projector import Projector
from collector.judging.rules import RULES
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import Change
from tests.collector.judging.test_once import BODIES, CONTROLS, parse, world
from tests.collector.log.memory_log import MemoryLog


def backlog() -> MemoryLog:
    """Of a batch each."""
    log = MemoryLog()
    log.files.update(BODIES)
    for one in world(4):
        log.deliver([one])
    return log


def projector(log: MemoryLog, warehouse: Warehouse) -> Projector:
    return Projector(log, log, log, warehouse, CONTROLS, rules=RULES, parse=parse)


def sums(warehouse: Warehouse) -> list[tuple[int, ...]]:
    return warehouse.select("SELECT (SELECT count(*) FROM cell), (SELECT count(*) FROM owed)")


def test_a_backlog_is_added_up_once_it_is_judged() -> None:
    log, written = backlog(), Counter[str]()
    with closing(Warehouse(None)) as warehouse:
        put = warehouse.put

        def counting(change: Change, cursor: int) -> None:
            written.update(cells=len(change.cells), verdicts=len(change.verdicts), batches=bool(change.verdicts))
            put(change, cursor)

        warehouse.put = counting  # type: ignore[method-assign, assignment]
        working = projector(log, warehouse)
        while working.step(limit=1):
            pass
        ((cells, owed),) = sums(warehouse)
        assert written["batches"] > 10, "a step judges a batch, and its second looks"
        assert written["cells"] == cells > 0, "each is made once"
        assert owed == 0


def test_what_was_owed_when_judging_stopped_is_made_by_the_next() -> None:
    log = backlog()
    with closing(Warehouse(None)) as warehouse, closing(Warehouse(None)) as whole:
        stopped = projector(log, warehouse)
        for _ in log.all():
            stopped.step(limit=1)
        ((cells, owed),) = sums(warehouse)
        assert cells == 0 < owed
        projector(log, warehouse).catch_up()
        projector(log, whole).catch_up()
        assert warehouse.dump() == whole.dump()
        assert sums(warehouse)[0][1] == 0 < sums(warehouse)[0][0]
