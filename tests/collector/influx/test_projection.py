"""What InfluxDB holds follows from the records in the log: not from when anything was stopped, failed or repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.influx.client import Unavailable
from collector.judging.rules import Rules
from collector.log import Record
from collector.warehouse.store import Warehouse
from probe.model import Access
from tests.collector.influx.sink import Clock, Sink, drained, forwarder
from tests.collector.judging.evidence import BODIES, RULES, record
from tests.collector.judging.test_projector import CONTROLS, projector, record_sets
from tests.collector.log.memory_log import MemoryLog

QUICK = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


ELSEWHERE = msgspec.structs.replace(RULES, version=2, access_of=lambda link: Access.WIFI)


def projected(log: MemoryLog, controls: frozenset[str] = CONTROLS, rules: Rules = RULES) -> Sink:
    """What a new InfluxDB is given by a collector that starts from the log."""
    warehouse, sink, clock = fed(None), Sink(), Clock()
    projector(log, warehouse, controls, rules).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    warehouse.close()
    return sink


@QUICK
@given(record_sets, st.data())
def test_points_follow_from_the_set_of_records(arriving: list[Record], data: st.DataObject) -> None:
    log, warehouse, sink, clock = MemoryLog(), fed(None), Sink(), Clock()
    log.files.update(BODIES)
    judging, forwarding = projector(log, warehouse), forwarder(warehouse, log, sink.write, clock)
    sent = data.draw(st.permutations([*arriving, *arriving[:4]]))
    for each in sent:
        log.deliver([each])
        if data.draw(st.booleans()):
            judging.step()
        clock.now_s += data.draw(st.sampled_from([0, 1, 60, 600]))
        sink.failures = data.draw(st.lists(st.sampled_from([None, Unavailable("told to")]), max_size=3))
        attempt(forwarding)
        if data.draw(st.integers(0, 3)) == 0:
            forwarding = forwarder(warehouse, log, sink.write, clock)  # restarted
    judging.catch_up()
    sink.failures.clear()
    drained(forwarding, clock)
    warehouse.close()
    assert sink.saying() == projected(log).saying()


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(record_sets)
@pytest.mark.parametrize(
    ("controls", "rules"), [(frozenset({"k1", "c1"}), RULES), (frozenset(), RULES), (CONTROLS, ELSEWHERE)]
)
def test_what_is_judged_anew_leaves_nothing_of_what_was_said(
    tmp_path: Path, controls: frozenset[str], rules: Rules, arriving: list[Record]
) -> None:
    """By other controls, or by rules that put the lines elsewhere."""
    path = tmp_path / "warehouse"
    path.unlink(missing_ok=True)
    log, warehouse, sink, clock = MemoryLog(), fed(path), Sink(), Clock()
    log.files.update(BODIES)
    log.deliver(arriving)
    projector(log, warehouse).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    projector(log, warehouse, controls, rules).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    warehouse.close()
    assert sink.saying() == projected(log, controls, rules).saying()


def test_a_step_that_only_a_line_had_that_is_a_control_now_is_not_left(tmp_path: Path) -> None:
    log, warehouse, sink, clock = MemoryLog(), fed(tmp_path / "w"), Sink(), Clock()
    log.files.update(BODIES)
    log.deliver([record("1", key="k1", failing=["192.0.2.3"]), record("2", key="k2")])
    projector(log, warehouse).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    ((step, said),) = sink.of("step_1h").items()
    assert said == {"passed": 0, "failed": 1}
    projector(log, warehouse, frozenset({"k1"})).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    warehouse.close()
    assert sink.points[step] == {"passed": 0, "failed": 0}


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(arriving=record_sets)
def test_a_rebuild_gives_the_same_points_and_writes_none(tmp_path: Path, arriving: list[Record]) -> None:
    path = tmp_path / "warehouse"
    path.unlink(missing_ok=True)
    log, warehouse, sink, clock = MemoryLog(), fed(path), Sink(), Clock()
    log.files.update(BODIES)
    for each in arriving:
        log.deliver([each])
        projector(log, warehouse).step()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    before, writes = dict(sink.points), sink.writes
    projector(log, warehouse).rebuild()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    assert sink.writes == writes + 1  # of the events
    assert sink.points == before
    warehouse.close()
    again = fed(path, "another")  # which is told everything
    fresh = Sink()
    drained(forwarder(again, log, fresh.write, clock), clock)
    again.close()
    assert fresh.points == before


def fed(path: Path | None, name: str = "influx") -> Warehouse:
    warehouse = Warehouse(path)
    warehouse.feed(name)
    return warehouse


def attempt(forwarding: Any) -> None:
    try:
        forwarding.step()
    except Unavailable:
        return
