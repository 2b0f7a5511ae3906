"""What cannot be judged is set aside alone: the others are judged, the cursor moves, and nobody hears its evidence."""

from __future__ import annotations

import gzip
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from collector.judging.index import SqliteIndex
from collector.judging.projector import Projector
from collector.judging.quarantine import VERSION, Quarantine, TooSlow
from collector.judging.rules import Rules
from collector.log import Record
from collector.log.sqlite import SqliteLog
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow, kept_from
from probe.judge.evidence import Evidence
from probe.model import State, Verdict
from tests.collector.batches import NOW_MS, Volunteer, enveloped
from tests.collector.judging.evidence import BODIES, HOUR, MEDI, RULES, parse, record
from tests.collector.log.memory_log import MemoryLog

ADDRESS, POISON = "192.0.2.1", "192.0.2.66"
CONTROLS = frozenset({"c1"})


def judge(evidence: Evidence) -> Verdict:
    """One that has a mistake in it."""
    if any(attempt.address == POISON for attempt in evidence.measurement.attempts):
        raise ValueError(POISON)
    return RULES.judge(evidence)


MISTAKEN = replace(RULES, judge=judge)
LINE = record("line", minute=30, failing=[ADDRESS])
POISONED = record("bad", key="k2", network=MEDI, minute=35, reached=[ADDRESS], failing=[POISON])
SECOND = record("second", key="k2", network=MEDI, minute=70, round=2)


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with closing(Warehouse(None)) as one:
        yield one


def projector(log: MemoryLog, warehouse: Warehouse, rules: Rules = MISTAKEN) -> Projector:
    return Projector(log, log, log, warehouse, CONTROLS, rules=rules, parse=parse)


def logged(*batches: Iterable[Record]) -> MemoryLog:
    log = MemoryLog()
    log.files.update(BODIES)
    for batch in batches:
        log.deliver(batch)
    return log


def verdicts(warehouse: Warehouse) -> dict[str, VerdictRow]:
    rows = [kept_from(values).verdict for values in warehouse.dump()["verdict"]]
    return {row.uid: row for row in rows}


def test_what_cannot_be_judged_is_set_aside_and_the_others_are_judged(warehouse: Warehouse) -> None:
    working = projector(logged([record("before")], [record("a", key="k3"), POISONED]), warehouse)
    assert working.step() == 2
    assert warehouse.cursor() == 2
    found = verdicts(warehouse)
    assert {uid: row.rule for uid, row in found.items()} == {"before": "shown", "a": "shown", "bad": "unjudgeable"}
    assert found["bad"].state == State.INSUFFICIENT
    assert "ValueError" in found["bad"].reason
    assert POISON not in found["bad"].reason
    assert warehouse.dump()["quarantine"] == [("whatsapp/chat", HOUR, "k2", "bad", 2, 0, "ValueError", VERSION)]
    assert working.quarantined == {"ValueError": 1}


def test_it_stands_in_its_cell_and_adds_no_step_and_no_address(warehouse: Warehouse) -> None:
    projector(logged([POISONED]), warehouse).catch_up()
    dump = warehouse.dump()
    assert warehouse.select("SELECT states FROM cell") == [('{"insufficient":1}',)]
    assert (dump["step"], dump["failing"]) == ([], [])


@pytest.mark.parametrize("order", list(itertools.permutations([LINE, POISONED, SECOND])))
def test_it_counts_as_absent_for_others_in_whichever_order_they_come(warehouse: Warehouse, order: list[Record]) -> None:
    log = logged()
    working = projector(log, warehouse)
    for each in order:
        log.deliver([each])
        working.catch_up()
    found = verdicts(warehouse)
    assert "neighbours={}" in found["line"].reason
    assert "earlier=None" in found["second"].reason


def test_without_the_mistake_it_counts(warehouse: Warehouse) -> None:
    projector(logged([LINE, POISONED, SECOND]), warehouse, RULES).catch_up()
    found = verdicts(warehouse)
    assert f"'{ADDRESS}': (1, 0)" in found["line"].reason
    assert "earlier=bad" in found["second"].reason
    assert warehouse.dump()["quarantine"] == []


def test_a_rebuild_says_the_same(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    working = projector(logged([LINE], [POISONED], [SECOND]), warehouse)
    working.catch_up()
    before = warehouse.dump()
    working.rebuild()
    assert warehouse.dump() == before
    warehouse.close()


def test_a_restart_remembers_who_is_held(warehouse: Warehouse) -> None:
    log = logged([POISONED])
    projector(log, warehouse).catch_up()
    log.deliver([LINE])
    working = projector(log, warehouse)
    working.catch_up()
    assert "neighbours={}" in verdicts(warehouse)["line"].reason
    assert working.quarantined == {"ValueError": 1}


def test_another_version_tries_it_again(warehouse: Warehouse) -> None:
    log = logged([LINE, POISONED])
    projector(log, warehouse).catch_up()
    mended = projector(log, warehouse, RULES)
    assert mended.step() == 0
    assert verdicts(warehouse)["bad"].rule == "unjudgeable"  # the same version does not ask again
    warehouse.select("UPDATE quarantine SET software = 'an older one'")
    mended.step()
    assert verdicts(warehouse)["bad"].rule == "shown"
    assert f"'{ADDRESS}': (1, 0)" in verdicts(warehouse)["line"].reason
    assert mended.quarantined == {}


def test_it_is_tried_again_when_its_own_inputs_change(warehouse: Warehouse) -> None:
    def needs_controls(evidence: Evidence) -> Verdict:
        if evidence.measurement.uid == "a" and not evidence.controls:
            raise IndexError
        return RULES.judge(evidence)

    log = logged([record("a")])
    working = projector(log, warehouse, replace(RULES, judge=needs_controls))
    working.catch_up()
    assert verdicts(warehouse)["a"].rule == "unjudgeable"
    log.deliver([record("c", key="c1", minute=5)])
    working.catch_up()
    assert verdicts(warehouse)["a"].rule == "shown"
    assert warehouse.dump()["quarantine"] == []


def test_each_kind_of_failure_is_logged_once_and_without_its_words(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words may hold what a volunteer's device saw; and an hour is judged again and again."""
    log = logged([POISONED])
    working = projector(log, warehouse)
    working.catch_up()
    log.deliver([record("more", key="k4", minute=36, failing=[POISON])])
    working.catch_up()
    (said,) = [each for each in caplog.messages if "ValueError" in each]
    assert "in judge" in said
    assert POISON not in caplog.text


def test_a_cell_that_cannot_be_made_is_left_out_and_holds_up_no_other(warehouse: Warehouse) -> None:
    def cell(target: str, *about: Any) -> Any:
        if target == "whatsapp/chat":
            raise KeyError(target)
        return RULES.cell(target, *about)

    working = projector(logged([record("a"), record("b", target="viber/call")]), warehouse, replace(RULES, cell=cell))
    working.catch_up()
    assert {uid: row.rule for uid, row in verdicts(warehouse).items()} == {"a": "shown", "b": "shown"}
    assert [row[0] for row in warehouse.dump()["cell"]] == ["viber/call"]


@pytest.mark.parametrize("error", [OSError("disk"), MemoryError(), sqlite3.OperationalError("locked")])
def test_what_may_pass_by_itself_is_tried_again_and_nobodys_fault(warehouse: Warehouse, error: Exception) -> None:
    failing = [error]

    def judge(evidence: Evidence) -> Verdict:
        if failing:
            raise failing.pop()
        return RULES.judge(evidence)

    working = projector(logged([record("a")]), warehouse, replace(RULES, judge=judge))
    with pytest.raises(type(error)):
        working.step()
    assert warehouse.cursor() == 0
    working.step()
    assert verdicts(warehouse)["a"].rule == "shown"


def test_what_takes_too_long_twice_is_not_asked_a_third_time() -> None:
    times, asked = iter([0.0, 10.5, 20.0, 30.5, 40.0, 50.5]), []
    quarantine = Quarantine(clock=lambda: next(times))

    def work() -> str:
        asked.append(1)
        return "done"

    assert quarantine.timed(POISONED, work) == "done"
    for _ in range(2):
        with pytest.raises(TooSlow):
            quarantine.timed(POISONED, work)
        quarantine.settle([POISONED], {("k2", "bad"): "TooSlow"}, release=True)
    assert len(asked) == 2
    assert quarantine.is_absent(POISONED)


# --- Bodies that rot ---------------------------------------------------------------------------------------------


def flipped(body: bytes) -> bytes:
    return body[:40] + bytes([body[40] ^ 1]) + body[41:]


def other_line(body: bytes) -> bytes:
    """It can be inflated, and it is not what was received."""
    return gzip.compress(gzip.decompress(body).replace(b'"round":1', b'"round":2'))


def no_json(body: bytes) -> bytes:
    return gzip.compress(gzip.decompress(body).replace(b"{", b"["))


@pytest.mark.parametrize("rot", [flipped, other_line, no_json, lambda body: body[:-9], lambda body: b""])
async def test_a_body_that_rots_takes_its_own_measurements_only(
    warehouse: Warehouse, rot: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    log = SqliteLog(tmp_path / "log")
    for number in (1, 2, 3):
        volunteer = Volunteer(number)
        batch = volunteer.seal([volunteer.measure(started_ms=NOW_MS + number), volunteer.measure("viber/call")])
        await log.append(*enveloped(batch))
    with closing(SqliteIndex(tmp_path / "index", log)) as index:
        index.extend(10)
    (segment,) = (tmp_path / "log").glob("*.sqlite")
    with sqlite3.connect(segment) as connection:
        ((body,),) = connection.execute("SELECT body FROM envelope WHERE position = 2").fetchall()
        connection.execute("UPDATE envelope SET body = ? WHERE position = 2", [rot(body)])
    with closing(SqliteIndex(tmp_path / "index", log)) as index:
        working = Projector(log, index, MemoryLog(), warehouse, CONTROLS, rules=RULES, parse=parse)
        working.catch_up()
    log.close()
    assert warehouse.cursor() == 3
    rotten = Volunteer(2).key
    rules = {(row[5], row[0]): row[21] for row in warehouse.dump()["verdict"]}
    assert {place for place, rule in rules.items() if rule == "unjudgeable"} == {
        (rotten, "whatsapp/chat"),
        (rotten, "viber/call"),
    }
    assert len(rules) == 6
    assert [row[4:6] for row in warehouse.dump()["quarantine"]] == [(2, 2), (2, 1)]
    assert working.quarantined.total() == 2
