"""The projection is a function of the set of records: order, duplicates, delays, stops and restarts do not show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.judging.evidence import Gatherer, TargetFiles
from collector.judging.index import SqliteIndex
from collector.judging.projector import Projector
from collector.judging.rules import Rules
from collector.judging.who_counts import TOLD, WhoCounts
from collector.log import Record
from collector.log.sqlite import SqliteLog
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow, kept_from, verdict_values
from probe.judge.evidence import Evidence, Neighbours
from probe.model import Access, Network, Observation, Resolution, State, Step, Void
from tests.collector.batches import NOW_MS, Volunteer, enveloped
from tests.collector.judging.evidence import (
    BODIES,
    BROKEN,
    CALIBRATED,
    HOUR,
    MAROC,
    MEDI,
    RULES,
    SPAIN,
    UNCALIBRATED,
    parse,
    record,
)
from tests.collector.judging.whole import whole
from tests.collector.log.memory_log import MemoryLog
from tests.patience import PATIENCE

CONTROLS = frozenset({"c1", "c2"})

records = st.builds(
    record,
    key=st.sampled_from(["k1", "k1", "k2", "c1", "c2"]),
    target=st.sampled_from([*["whatsapp/chat"] * 4, "viber/call"]),
    # Near the edges of hours, of ±60 min and of 24 h.
    minute=st.sampled_from([0, 1, 30, 59, 60, 61, 90, 119, 120, 121, 1439, 1440, 1441, 1500]),
    cycle=st.sampled_from(["x", "x", "x", "y"]),
    round=st.sampled_from([1, 2]),
    network=st.sampled_from([MAROC, MAROC, MEDI, MEDI, SPAIN]),
    reached=st.sampled_from([(), ("192.0.2.1",), ("192.0.2.1", "192.0.2.2")]),
    failing=st.sampled_from([(), ("192.0.2.3",), ("192.0.2.3", "192.0.2.1")]),
    targets=st.sampled_from([CALIBRATED, *[UNCALIBRATED] * 3, BROKEN]),
    clock_known=st.sampled_from([*[True] * 7, False]),
    simulated=st.sampled_from([*[False] * 7, True]),
    resolver=st.sampled_from([None, None, "192.0.2.0/24", "198.51.100.0/24"]),
)
record_sets = st.lists(records, min_size=6, max_size=14).map(
    lambda rs: [
        msgspec.structs.replace(r, measurement=msgspec.structs.replace(r.measurement, uid=f"{i:02d}"))
        for i, r in enumerate(rs)
    ]
)


def projector(log: Any, warehouse: Warehouse, controls: frozenset[str] = CONTROLS, rules: Rules = RULES) -> Projector:
    return Projector(log, log, log, warehouse, controls, rules=rules, parse=parse)


def oracle(log: MemoryLog) -> dict[str, list[Any]]:
    """What must stand in the warehouse, made without one."""
    return whole(log.all(), RULES, TargetFiles(log, parse), CONTROLS)


def content_of(warehouse: Warehouse) -> dict[str, list[Any]]:
    """What stands there, without what judging keeps for itself."""
    dump = warehouse.dump()
    verdicts = [verdict_values(kept_from(row).verdict) for row in dump["verdict"]]
    return {"verdict": verdicts, **{table: dump[table] for table in ("cell", "failing", "step")}}


def projected(log: MemoryLog, controls: frozenset[str] = CONTROLS) -> list[VerdictRow]:
    warehouse = Warehouse(None)
    projector(log, warehouse, controls).catch_up()
    return [kept_from(values).verdict for values in warehouse.dump()["verdict"]]


def logged(*arriving: Record) -> MemoryLog:
    log = MemoryLog()
    log.files.update(BODIES)
    log.deliver(arriving)
    return log


def with_resolution(record: Record) -> Record:
    seen = Observation(step=Step.DNS, started_us=0, took_us=1, failure=None)
    resolved = (Resolution(host="example.net", observation=seen),)
    return msgspec.structs.replace(
        record, measurement=msgspec.structs.replace(record.measurement, resolutions=resolved)
    )


def reasons(rows: Sequence[VerdictRow]) -> dict[str, str]:
    return {row.uid: row.reason for row in rows}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(record_sets, st.data())
def test_content_follows_from_the_set_of_records(arriving: list[Record], data: st.DataObject) -> None:
    log, warehouse = MemoryLog(), Warehouse(None)
    working = projector(log, warehouse)
    sent = data.draw(st.permutations([*arriving, *arriving[:4]]))  # some are received twice
    late_file = data.draw(st.sampled_from(sorted(BODIES)))
    log.files.update({digest: body for digest, body in BODIES.items() if digest != late_file})
    while sent:
        size = data.draw(st.integers(1, 4))
        batch, sent = sent[:size], sent[size:]
        log.deliver(batch)
        if data.draw(st.integers(0, 3)):
            working.step(data.draw(st.integers(1, 3)))
        if data.draw(st.integers(0, 3)) == 0:
            working = projector(log, warehouse)  # restarted
        if data.draw(st.booleans()):
            log.files.update(BODIES)
    working.catch_up()
    log.files.update(BODIES)
    working.catch_up()
    found = content_of(warehouse)
    warehouse.close()
    assert found == oracle(log)
    assert working.lag == 0


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arriving=record_sets)
def test_rebuild_gives_the_same(tmp_path: Path, arriving: list[Record]) -> None:
    path = tmp_path / "warehouse"
    path.unlink(missing_ok=True)
    log, warehouse = MemoryLog(), Warehouse(path)
    log.files.update(BODIES)
    working = projector(log, warehouse)
    for each in arriving:
        log.deliver([each])
        working.step()
    before, cursor = warehouse.dump(), warehouse.cursor()
    working.rebuild()
    assert warehouse.dump() == before
    assert warehouse.cursor() == cursor
    assert working.step() == 0
    warehouse.close()
    assert [p.name for p in tmp_path.iterdir()] == ["warehouse"]


async def test_the_sqlite_log_and_the_memory_log_project_alike(tmp_path: Path) -> None:
    """Two volunteers and a control, delivered to both logs, to one of them backwards and twice."""
    control, first, second = Volunteer(1), Volunteer(2), Volunteer(3)
    bodies = [
        v.seal([v.measure(started_ms=NOW_MS + i * 900_000 - 7_200_000, round=r) for i in range(6) for r in (1, 2)])
        for v in (control, first, second)
    ]
    memory, sqlite = MemoryLog(), SqliteLog(tmp_path / "log")
    for log, sent in ((memory, bodies), (sqlite, [*reversed(bodies), *bodies])):
        for body in sent:
            await log.append(*enveloped(body, network=MAROC))
    index = SqliteIndex(tmp_path / "index", sqlite)
    dumps = []
    for log, own in ((memory, memory), (sqlite, index)):
        warehouse = Warehouse(None)
        keys = frozenset({control.key})
        Projector(log, own, memory, warehouse, keys, rules=RULES, parse=parse).catch_up()
        dumps.append(warehouse.dump())
        warehouse.close()
    index.close()
    sqlite.close()
    assert dumps[0] == dumps[1]
    assert len(dumps[0]["verdict"]) == 36


def test_a_late_control_changes_the_hours_around_it() -> None:
    log = logged(record("m", minute=61))
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    assert "controls=[]" in warehouse.dump()["verdict"][0][23]
    log.deliver([record("c", key="c1", minute=1)])
    assert working.step() == 1
    rows = [kept_from(v).verdict for v in warehouse.dump()["verdict"]]
    assert "controls=['c']" in reasons(rows)["m"]
    assert {row.uid: row.state for row in rows}["m"] == State.LIKELY_BLOCKED


@pytest.mark.parametrize(("minute", "near"), [(60, True), (61, False)])
def test_a_control_bears_on_what_is_within_an_hour(minute: int, near: bool) -> None:
    rows = projected(logged(record("m", minute=minute), record("c", key="c1")))
    assert ("controls=['c']" in reasons(rows)["m"]) is near


def test_a_late_control_calibrates_the_day_after() -> None:
    log = logged(record("day", minute=1440, targets=UNCALIBRATED), record("later", minute=1441, targets=UNCALIBRATED))
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    log.deliver([record("c", key="c1")])
    working.catch_up()
    seen = reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])
    assert "calibrating=['c']" in seen["day"]
    assert "calibrating=[]" in seen["later"]


def test_a_control_is_no_line_and_no_witness_of_its_own() -> None:
    log = logged(record("c", key="c1"), record("d", key="c2"))
    warehouse = Warehouse(None)
    projector(log, warehouse).catch_up()
    rows = [kept_from(v).verdict for v in warehouse.dump()["verdict"]]
    assert all(row.is_control for row in rows)
    assert warehouse.dump()["cell"] == []
    assert "controls=['d']" in reasons(rows)["c"]


def test_a_first_round_that_comes_late_changes_the_second_in_the_next_hour() -> None:
    log = logged(record("two", minute=61, round=2))
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    log.deliver([record("one", minute=59)])
    working.catch_up()
    seen = reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])
    assert "earlier=one" in seen["two"]
    assert "earlier=None" in seen["one"]


def test_neighbours_are_lines_of_other_operators_in_the_country() -> None:
    failing = ("192.0.2.1", "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10")
    same_operator = msgspec.structs.replace(MAROC, asn=64_999)
    rows = projected(
        logged(
            record("m", minute=60, failing=failing),
            record("same", key="k2", reached=("192.0.2.9",)),
            record("as", key="k6", network=same_operator, reached=("192.0.2.9",)),
            record("other", key="k3", network=MEDI, reached=("192.0.2.1",), failing=("192.0.2.10",), minute=119),
            record("again", key="k3", network=MEDI, reached=("192.0.2.1",), minute=90),
            record("third", key="k7", network=MEDI, reached=("192.0.2.1", "192.0.2.2"), minute=90),
            record("late", key="k8", network=MEDI, reached=("192.0.2.1",), minute=121),
            record("abroad", key="k4", network=SPAIN, reached=("192.0.2.8",)),
            record("control", key="c1", network=MEDI, reached=("192.0.2.7",)),
            record("timeless", key="k5", network=MEDI, reached=("192.0.2.6",), clock_known=False),
        )
    )
    assert "neighbours={'192.0.2.1': (2, 0), '192.0.2.10': (0, 1)}" in reasons(rows)["m"]


def gathered(log: MemoryLog, who: WhoCounts) -> Evidence:
    """The evidence for the measurement m."""
    gatherer = Gatherer(log, frozenset(), TargetFiles(log, parse), who)
    (m,) = (each for each in log.all() if each.measurement.uid == "m")
    evidence = gatherer.case(m).evidence
    assert evidence is not None
    return evidence


def test_a_line_that_is_not_established_is_no_neighbour() -> None:
    others = (record(key, key=key, network=MEDI, reached=("192.0.2.1",)) for key in ("k3", "k4"))
    log = logged(record("m", failing=("192.0.2.1",)), *others)
    evidence = gathered(log, WhoCounts(lambda each: each.key != "k3", TOLD.bucket))
    assert evidence.neighbours == {"192.0.2.1": Neighbours(reached=1)}


@pytest.mark.parametrize(("buckets", "counted"), [("xxx", 1), ("xyy", 2), ("xyz", 2), ("   ", 1), ("x  ", 2)])
def test_of_one_source_one_neighbour_counts(buckets: str, counted: int) -> None:
    """One address with as many established keys as it likes turns no failure into an accusation."""
    keys = {f"k{n}": bucket.strip() or None for n, bucket in enumerate(buckets, start=5)}
    neighbours = [record(key, key=key, network=MEDI, reached=("192.0.2.1",)) for key in keys]
    log = logged(record("m", failing=("192.0.2.1",)), *neighbours)
    evidence = gathered(log, WhoCounts(TOLD.established, lambda each: keys.get(each.key, "own")))
    assert evidence.neighbours == {"192.0.2.1": Neighbours(reached=counted)}


def test_rows_say_who_counts() -> None:
    log = logged(*(record(key, key=key, failing=("192.0.2.1",)) for key in ("k1", "k2", "k3")))
    who = WhoCounts(lambda each: each.key != "k3", lambda each: "one")
    content = whole(log.all(), RULES, TargetFiles(log, parse), CONTROLS, who)
    assert [(row[5], row[30], row[31]) for row in content["verdict"]] == [
        ("k1", True, "one"),
        ("k2", True, "one"),
        ("k3", False, "one"),
    ]
    assert [row[7:10] for row in content["failing"]] == [(3, 2, 1)]


def test_what_a_line_reached_in_its_cycle_is_told_where_others_reached_what_it_did_not() -> None:
    log = logged(
        record("m", failing=("192.0.2.1",)),
        record("before", cycle="other", reached=("192.0.2.3",)),
        record("other", key="k3", network=MEDI, reached=("192.0.2.1",)),
    )
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    assert "reached=[]" in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["m"]
    log.deliver([record("call", target="viber/call", reached=("192.0.2.2",))])
    working.catch_up()
    assert "reached=['192.0.2.2']" in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["m"]


def test_what_the_log_knows_of_networks_is_told_to_the_judge() -> None:
    named = msgspec.structs.replace(record("m"), resolver_networks={"192.0.2.0/24": SPAIN})
    assert "networks=['192.0.2.0/24']" in reasons(projected(logged(named)))["m"]


def test_a_late_answer_in_another_network_changes_the_hours_around_it() -> None:
    log = logged(record("m", minute=60, failing=("192.0.2.1", "192.0.2.2")))
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    other = record("other", key="k3", network=MEDI, reached=("192.0.2.1",), failing=("192.0.2.2",), minute=59)
    log.deliver([other])
    working.catch_up()
    assert (
        "neighbours={'192.0.2.1': (1, 0), '192.0.2.2': (0, 1)}"
        in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["m"]
    )


@pytest.mark.parametrize("network", [MAROC, MEDI])
def test_another_line_that_uses_the_resolver_changes_the_hours_around_it(network: Network) -> None:
    """The third makes it the network's: what the first two were denied was `insufficient` till then."""
    resolver = "192.0.2.0/24"
    log = logged(*(record(key, key=key, minute=60, resolver=resolver) for key in ("k1", "k2")))
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    assert "lines={'192.0.2.0/24': 2}" in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["k1"]
    log.deliver([record("k3", key="k3", minute=20, network=network, resolver=resolver)])
    working.catch_up()
    seen = reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])
    assert all("lines={'192.0.2.0/24': 3}" in seen[key] for key in ("k1", "k2", "k3"))


def test_a_neighbour_that_failed_since_reaches_nothing() -> None:
    """A site that goes out of order for the whole country: its lines reached it fifty minutes ago, and fail now."""
    rows = projected(
        logged(
            record("m", minute=60, failing=("192.0.2.1", "192.0.2.2", "192.0.2.3")),
            record("b", key="k3", network=MEDI, minute=10, reached=("192.0.2.1", "192.0.2.2", "192.0.2.3")),
            record("a", key="k3", network=MEDI, minute=90, failing=("192.0.2.1",), reached=("192.0.2.3",), cycle="d"),
        )
    )
    # Of the second address nobody knows: it was reached before the line failed, and has not been tried since.
    assert "neighbours={'192.0.2.1': (0, 1), '192.0.2.3': (1, 0)}" in reasons(rows)["m"]


def test_what_is_simulated_says_nothing_about_what_is_not() -> None:
    rows = projected(
        logged(
            record("m", failing=("192.0.2.1",)),
            record("c", key="c1", simulated=True),
            record("other", key="k2", network=MEDI, reached=("192.0.2.1",), simulated=True),
            record("s", key="k3", simulated=True),
        )
    )
    assert "controls=[]" in reasons(rows)["m"]
    assert "neighbours={}" in reasons(rows)["m"]
    assert "controls=['c']" in reasons(rows)["s"]
    assert {row.uid for row in rows if row.simulated} == {"c", "other", "s"}


def test_a_cell_counts_each_line_once_by_its_latest_verdict() -> None:
    log = logged(
        record("a", reached=("192.0.2.1",)),
        record("b", minute=5),
        record("c", key="k2", minute=3, reached=("192.0.2.1",)),
        record("d", key="k3", minute=3, declared=Access.WIFI),
        record("e", key="k2", minute=4, simulated=True),
    )
    warehouse = Warehouse(None)
    projector(log, warehouse).catch_up()
    cells = warehouse.select("SELECT access, lines, states, simulated FROM cell ORDER BY access, simulated")
    assert cells == [
        ("adsl", 2, '{"insufficient":1,"ok":1}', False),
        ("adsl", 1, '{"insufficient":1}', True),
        ("wifi", 1, '{"insufficient":1}', False),
    ]


FIRST, SECOND = "192.0.2.1", "192.0.2.2"


def failing(*arriving: Record) -> list[tuple[Any, ...]]:
    """Hour, host, address and number of lines."""
    warehouse = Warehouse(None)
    projector(logged(*arriving), warehouse).catch_up()
    return [(row[1], row[2], row[6], row[7]) for row in warehouse.dump()["failing"]]


def test_an_address_that_fails_is_kept_with_the_number_of_lines() -> None:
    assert failing(
        record("a", failing=[SECOND, FIRST]),
        record("b", round=2, minute=1, failing=[FIRST]),
        record("c", key="k2", minute=5, failing=[FIRST]),
        record("d", key="k2", minute=60, failing=[FIRST]),
    ) == [(HOUR, "example.net", FIRST, 2), (HOUR, "example.net", SECOND, 1), (HOUR + 1, "example.net", FIRST, 1)]


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "c1"},
        {"simulated": True},
        {"clock_known": False},
        {"void": Void.VPN},
        {"targets": BROKEN},  # what it was told to dial is not known
        {"failing": ["10.10.34.34"]},
        {"failing": ["self"]},
    ],
)
def test_what_says_nothing_of_a_service_is_not_for_others_to_dial(changed: dict[str, Any]) -> None:
    assert failing(record("a", **{"failing": [FIRST], **changed})) == []


def test_steps_are_counted_by_place_and_not_those_of_controls() -> None:
    log = logged(
        with_resolution(record("m", failing=["192.0.2.3", "192.0.2.4"], reached=["192.0.2.1"])),
        record("n", key="k2", failing=["192.0.2.3"]),
        record("o", key="k2", failing=["192.0.2.3"], network=MEDI, simulated=True),
        *(record("c", key="c1", failing=["192.0.2.3"]), record("v", failing=["192.0.2.3"], void=Void.VPN)),
        record("u", failing=["192.0.2.3"], clock_known=False),
    )
    warehouse = Warehouse(None)
    projector(log, warehouse).catch_up()
    assert warehouse.select("SELECT asn, simulated, step, passed, failed FROM step ORDER BY ALL") == [
        (36903, False, "dns", 1, 0),
        (36903, False, "tcp", 0, 3),
        (36925, True, "tcp", 0, 1),
    ]


def test_other_rules_or_controls_judge_all_again(tmp_path: Path) -> None:
    log = logged(record("m"), record("c", key="c1"))
    warehouse = Warehouse(tmp_path / "warehouse")
    projector(log, warehouse).catch_up()
    projector(log, warehouse, frozenset()).catch_up()
    assert not any(kept_from(v).verdict.is_control for v in warehouse.dump()["verdict"])
    later = msgspec.structs.replace(RULES, version=2)
    projector(log, warehouse, rules=later).step()
    assert warehouse.dump()["basis"][0][0] == 2
    warehouse.close()


def test_a_damaged_warehouse_is_made_again_while_it_goes_on(tmp_path: Path) -> None:
    log = logged(*[record(uid, minute=n) for n, uid in enumerate("abc")])
    warehouse = Warehouse(tmp_path / "w")
    one = projector(log, warehouse)
    one.catch_up()
    before = warehouse.dump()
    assert len(before["verdict"]) == 3
    warehouse.is_damaged = True  # as DuckDB says when it reads a block
    one.catch_up()
    assert warehouse.dump() == before
    assert len(list(tmp_path.glob("w.damaged-*"))) == 1
    warehouse.close()


def test_a_file_of_an_older_schema_is_made_again(tmp_path: Path) -> None:
    log = logged(record("m", failing=[FIRST]))
    warehouse = Warehouse(tmp_path / "warehouse")
    projector(log, warehouse).catch_up()
    before = warehouse.dump()
    warehouse.select("DROP TABLE failing")
    warehouse.select("UPDATE meta SET schema = 1")
    projector(log, warehouse).catch_up()
    assert warehouse.dump() == before
    warehouse.close()


def test_unknown_targets_are_judged_again_when_their_file_comes() -> None:
    log = logged(record("m"))
    body = log.files.pop(CALIBRATED)
    warehouse = Warehouse(None)
    working = projector(log, warehouse)
    working.catch_up()
    assert "target=False" in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["m"]
    log.files[CALIBRATED] = body
    assert working.step() == 0
    assert "target=True" in reasons([kept_from(v).verdict for v in warehouse.dump()["verdict"]])["m"]


async def test_the_loop_backs_off_on_errors_and_then_catches_up() -> None:
    log, warehouse = logged(record("m")), Warehouse(None)
    failing = [OSError("disk"), OSError("disk")]
    slept: list[float] = []
    done = asyncio.Event()

    def judge(evidence: Any) -> Any:
        if failing:
            raise failing.pop()
        return RULES.judge(evidence)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            assert working.error == "OSError: disk"
        if len(slept) == 3:
            done.set()
        await asyncio.sleep(0)

    working = projector(log, warehouse, rules=msgspec.structs.replace(RULES, judge=judge))
    running = asyncio.create_task(working.run(sleep))
    working.announce()
    await asyncio.wait_for(done.wait(), PATIENCE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert slept[:2] == [2.0, 4.0]
    assert working.error is None
    assert warehouse.cursor() == 1
    assert warehouse.dump()["verdict"][0][3] == HOUR
