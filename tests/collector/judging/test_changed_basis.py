"""What the basis says when it has changed is what a warehouse made anew says: however often this was stopped."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from collector.facts.enrolment import OF_SOURCE
from collector.judging import projector as steps
from collector.judging.changed_basis import why_anew
from collector.judging.projector import Projector
from collector.judging.rules import Rules
from collector.log import Record
from collector.warehouse.basis import Basis
from collector.warehouse.store import Warehouse
from probe.judge.evidence import Evidence
from probe.model import Access, Link, Verdict
from tests.collector.judging.evidence import HOUR, MEDI, RULES, UNCALIBRATED, parse, record
from tests.collector.judging.test_kept_standing import HONEST, history, of_source
from tests.collector.judging.test_projector import logged
from tests.collector.log.memory_log import MemoryLog

NEIGHBOUR = [replace(one, network=MEDI) for one in history("k9", -7, 9)]
CROWD = [of_source(one, "ab") for n in range(OF_SOURCE + 1) for one in history(f"s{n}", -8, 9, each=7)]
FAILED = "192.0.2.7"
NEAR = [
    *(record(f"c{n}", key=f"c{n}", minute=3 + n, targets=UNCALIBRATED) for n in (1, 2)),
    record("m", minute=5, failing=(FAILED,), resolver="192.0.2.0/24", targets=UNCALIBRATED),
    record("two", minute=61, round=2, failing=(FAILED,), targets=UNCALIBRATED),
    record("later", minute=1000, failing=(FAILED,), targets=UNCALIBRATED),
    record("other", key="k9", network=MEDI, minute=7, reached=(FAILED,), resolver="192.0.2.0/24"),
    record("elsewhere", key="k5", network=MEDI, minute=8, target="viber/call"),
]
ARRIVING = [*HONEST, *NEIGHBOUR, *CROWD, *NEAR]


class Given(Struct, frozen=True, kw_only=True):
    """What a collector is started with."""

    rules: Rules = RULES
    controls: frozenset[str] = frozenset({"c1"})
    blocked: frozenset[str] = frozenset({"k2"})


def judge(evidence: Evidence) -> Verdict:
    verdict = RULES.judge(evidence)
    return replace(verdict, rules_version=2, reason=f"anew: {verdict.reason}")


def access_of(link: Link) -> Access:
    return Access.WIFI


BEFORE = Given()
NEW_RULES = replace(RULES, judge=judge, access_of=access_of, version=2)
CHANGES = {
    "rules": Given(rules=NEW_RULES),
    "a control more": Given(controls=frozenset({"c1", "c2"})),
    "a control less": Given(controls=frozenset()),
    "a line that is a control now": Given(controls=frozenset({"c1", "k9"})),
    "a key blocked": Given(blocked=frozenset({"k2", "k1"})),
    "a neighbour blocked": Given(blocked=frozenset({"k2", "k9"})),
    "a control blocked": Given(blocked=frozenset({"k2", "c1"})),
    "one of a crowd blocked": Given(blocked=frozenset({"k2", "s0"})),
    "a key let in": Given(blocked=frozenset()),
    "all at once": Given(rules=NEW_RULES, controls=frozenset({"c2"}), blocked=frozenset({"k1", "s1"})),
}


def projector(log: MemoryLog, warehouse: Warehouse, given: Given) -> Projector:
    return Projector(
        *(log, log, log, warehouse, given.controls),
        rules=given.rules, parse=parse, told=False, blocked=lambda: given.blocked,
    )  # fmt: skip


def made_anew(records: list[Record], given: Given) -> dict[str, list[Any]]:
    warehouse = Warehouse(None)
    projector(logged(*records), warehouse, given).catch_up()
    return content(warehouse)


def content(warehouse: Warehouse) -> dict[str, list[Any]]:
    """With what was first heard of, which tells nobody how it came about."""
    return {**warehouse.dump(), "seen": warehouse.select("FROM seen ORDER BY ALL")}


class Killed(BaseException):
    """As a kill ends it."""


def killing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, spared: int) -> None:
    """The transaction that follows `spared` others is cut short when all is done but to commit it."""
    change, left = warehouse.change, [spared]

    def cut(work: Callable[[Any], Any]) -> Any:
        def worked(connection: Any) -> Any:
            result = work(connection)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return result

        return change(worked)

    monkeypatch.setattr(warehouse, "change", cut)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_in_place_is_what_is_made_anew(change: str) -> None:
    log, warehouse, given = logged(*ARRIVING), Warehouse(None), CHANGES[change]
    projector(log, warehouse, BEFORE).catch_up()
    before = content(warehouse)
    projector(log, warehouse, given).catch_up()
    assert content(warehouse) == made_anew(ARRIVING, given) != before
    assert (warehouse.left().hours, warehouse.apart()) == (0, frozenset())


@pytest.mark.parametrize("change", ["rules", "a key blocked", "a key let in", "a line that is a control now"])
def test_killed_in_every_transaction_while_more_arrives(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "AGAIN", 4)
    given, arriving = CHANGES[change], random.Random(change).sample(ARRIVING, len(ARRIVING))
    log, warehouse = logged(*arriving[:500]), Warehouse(None)
    projector(log, warehouse, BEFORE).catch_up()
    arriving, kills, done = arriving[500:], 0, 1
    for spared in itertools.cycle((0, 1, 2)):
        if arriving:
            log.deliver(arriving[:30])
            del arriving[:30]
        with monkeypatch.context() as patch:
            killing(warehouse, patch, spared)
            try:
                done = projector(log, warehouse, given).step()
            except Killed:
                kills += 1
                continue
        if not (done or arriving):
            break
    assert content(warehouse) == made_anew(ARRIVING, given)
    assert kills >= 3


def test_changed_again_before_the_first_change_is_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "AGAIN", 4)
    log, warehouse = logged(*ARRIVING), Warehouse(None)
    projector(log, warehouse, BEFORE).catch_up()
    for change in ("a key let in", "a neighbour blocked", "all at once", "a key blocked", "rules"):
        projector(log, warehouse, CHANGES[change]).step()
        assert warehouse.left().hours
    projector(log, warehouse, BEFORE).catch_up()
    assert content(warehouse) == made_anew(ARRIVING, BEFORE)


def test_new_rules_judge_newest_first_beside_the_old_rows_and_after_what_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "AGAIN", 2)
    log = logged(*(record(f"{n}", minute=60 * n, cycle=f"{n}") for n in range(9)))
    warehouse = Warehouse(None)
    projector(log, warehouse, BEFORE).catch_up()
    working = projector(log, warehouse, CHANGES["rules"])
    versions = "SELECT hour, rules_version FROM verdict ORDER BY hour"
    log.deliver([record("new", minute=60 * 20, cycle="new")])
    assert working.step() == 3
    by_hour = dict(warehouse.select(versions))
    assert by_hour == {**{HOUR + n: 1 for n in range(7)}, HOUR + 7: 2, HOUR + 8: 2, HOUR + 20: 2}
    assert (warehouse.left().hours, warehouse.left().newest) == (7, HOUR + 6)
    working.catch_up()
    assert {version for _, version in warehouse.select(versions)} == {2}


def test_what_a_control_does_not_bear_on_is_not_judged_again() -> None:
    log, warehouse, judged = logged(*ARRIVING), Warehouse(None), list[str]()

    def judge(evidence: Evidence) -> Verdict:
        judged.append(evidence.measurement.uid)
        return RULES.judge(evidence)

    counting = Given(rules=replace(RULES, judge=judge))
    projector(log, warehouse, counting).catch_up()
    judged.clear()
    projector(log, warehouse, replace(counting, controls=frozenset({"c1", "c2"}))).catch_up()
    assert 0 < len(judged) < len(ARRIVING) / 4


STANDS = Basis(rules_version=1, standing="told", log="l")


@pytest.mark.parametrize(
    ("changed", "ahead", "anew"),
    [
        ({}, False, False),
        ({"rules_version": 2, "controls": frozenset({"c"}), "blocked": frozenset({"d"})}, False, False),
        ({"schema": 1}, False, True),
        ({"log": "m"}, False, True),
        ({"standing": "standing 9"}, False, True),
        ({}, True, True),
    ],
)
def test_what_makes_a_file_anew(changed: dict[str, Any], ahead: bool, anew: bool) -> None:
    assert (why_anew(STANDS, replace(STANDS, **changed), is_ahead=ahead, is_behind=False) is not None) is anew


def test_what_arrives_while_a_file_is_made_anew_is_not_lost(tmp_path: Path) -> None:
    log, warehouse, arriving = logged(*ARRIVING), Warehouse(tmp_path / "warehouse"), [record("late", minute=9)]

    def judge(evidence: Evidence) -> Verdict:
        while arriving:
            log.deliver([arriving.pop()])
        return RULES.judge(evidence)

    projector(log, warehouse, BEFORE).rebuild()
    working = projector(log, warehouse, Given(rules=replace(RULES, judge=judge)))
    working.rebuild()
    assert warehouse.cursor() == 1
    working.catch_up()
    assert warehouse.cursor() == 2
    assert content(warehouse) == made_anew([*ARRIVING, record("late", minute=9)], BEFORE)
    warehouse.close()
