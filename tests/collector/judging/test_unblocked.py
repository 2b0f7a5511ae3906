"""A blocked key counts for nothing, as if it had never sent anything; let in again, as if it had never been blocked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from collector.judging.projector import Projector
from collector.log import Record
from collector.warehouse.store import Warehouse
from tests.collector.judging.evidence import MEDI, RULES, parse, record
from tests.collector.judging.test_kept_standing import HONEST, counting, handed, history, says
from tests.collector.judging.test_projector import logged
from tests.collector.log.memory_log import MemoryLog

CONTROL = record("c", key="c1", minute=3)
NEIGHBOUR = [replace(one, network=MEDI) for one in history("k9", -7, 9)]
ARRIVING = [*HONEST, *NEIGHBOUR, record("m", key="k9", minute=5, failing=("9.9.9.9",)), CONTROL]


class Operator:
    """Whom the operator blocks, as asked by a projector."""

    def __init__(self, *keys: str) -> None:
        self.keys = frozenset(keys)

    def __call__(self) -> frozenset[str]:
        return self.keys


def projector(log: MemoryLog, warehouse: Warehouse, blocked: Operator) -> Projector:
    controls = frozenset({"c1"})
    return Projector(log, log, log, warehouse, controls, rules=RULES, parse=parse, told=False, blocked=blocked)


def without(*keys: str) -> list[Record]:
    return [one for one in ARRIVING if one.key not in keys]


def dump(records: list[Record], *blocked: str) -> dict[str, list[Any]]:
    warehouse = Warehouse(None)
    projector(logged(*records), warehouse, Operator(*blocked)).catch_up()
    return content(warehouse)


def content(warehouse: Warehouse) -> dict[str, list[Any]]:
    """All but that it was judged with a key blocked."""
    return {table: rows for table, rows in warehouse.dump().items() if table != "basis"}


@pytest.mark.parametrize("blocked", [("k1",), ("k9",), ("k1", "k9"), ("c1",)])
def test_a_blocked_key_is_as_if_it_had_never_sent_anything(blocked: tuple[str, ...]) -> None:
    assert dump(ARRIVING, *blocked) == dump(without(*blocked)) != dump(ARRIVING)


def test_blocked_and_let_in_again_while_it_runs(tmp_path: Path) -> None:
    """In any order of arrival, in the same file."""
    arriving, operator = random.Random(5).sample(ARRIVING, len(ARRIVING)), Operator()
    log, warehouse = logged(*arriving[:90]), Warehouse(tmp_path / "warehouse.duckdb")
    working = projector(log, warehouse, operator)
    working.catch_up()
    operator.keys = frozenset({"k1"})
    log.deliver(arriving[90:120])
    working.catch_up()
    log.deliver(arriving[120:])
    working.catch_up()
    assert content(warehouse) == dump(without("k1"))
    assert set(counting(warehouse)) == {"k2", "k9"}
    operator.keys = frozenset()
    working.catch_up()
    assert content(warehouse) == dump(ARRIVING)
    assert set(counting(warehouse)) == {"k1", "k2", "k9"}
    warehouse.close()


def test_a_rebuild_by_hand_asks_who_is_blocked(tmp_path: Path) -> None:
    log, warehouse = logged(*ARRIVING), Warehouse(tmp_path / "warehouse.duckdb")
    projector(log, warehouse, Operator()).catch_up()
    projector(log, warehouse, Operator("k1")).rebuild()
    assert content(warehouse) == dump(without("k1"))
    assert projector(log, warehouse, Operator("k1")).step() == 0
    warehouse.close()


@pytest.mark.parametrize("late", [False, True])
def test_what_follows_a_blocked_key_is_hidden_with_it(late: bool) -> None:
    """Also what was judged before it was said: a device that was blocked does not come back with the next quarter."""
    log, warehouse = logged(), Warehouse(None)
    working = projector(log, warehouse, Operator("k9"))
    heirs = history("k10", 2, 3)
    said = [handed(1, old="k9", new="k10"), handed(1, old="k10", new="k11", digest="1")]
    further = history("k11", 2, 3)
    if late:
        says(log, [*ARRIVING, *heirs, *further])
        working.catch_up()
        says(log, [], *said)
    else:
        says(log, ARRIVING, *said)
        working.catch_up()
        says(log, [*heirs, *further])
    working.catch_up()
    assert content(warehouse) == dump(without("k9"))
