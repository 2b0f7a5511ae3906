"""Points say what a person would count, and cells what the warehouse's cells say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from collector.influx.schema import STATES, Database
from collector.judging.rules import MakeCell
from collector.log import Record
from collector.warehouse import questions
from collector.warehouse.outbox import Kind
from collector.warehouse.questions import CellQuery
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CELL_COLUMNS, Change, Kept, Share, VerdictRow
from probe.judge.cells import Line, cell
from probe.model import HOUR_MS, Access, Cell, Network, State, Verdict
from tests.collector.influx.sink import Clock, Sink, drained, forwarder, parsed, points_of
from tests.collector.judging.evidence import BODIES, RULES
from tests.collector.judging.test_projector import projector, record_sets
from tests.collector.log.memory_log import MemoryLog
from tests.collector.rows import HOUR, KEYS, PSEUDONYMS, HourContent, content, fill, step_row, verdict_row

DAY_NS = HOUR // 24 * 24 * HOUR_MS * 1_000_000
HOUR_NS = HOUR * HOUR_MS * 1_000_000
AT_MS = (HOUR + 2) * HOUR_MS
PLACE = r"country=MA,asn=36903,operator=Maroc\ Telecom,access=adsl"
CHAT = "service=whatsapp,role=chat"


def verdicts(*said: tuple[int, str], **changes: Any) -> list[VerdictRow]:
    """One for each (line, state), a minute apart."""
    return [
        verdict_row(key=KEYS[key], uid=f"{n}", state=state, started_ms=HOUR * HOUR_MS + n * 60_000, **changes)
        for n, (key, state) in enumerate(said)
    ]


def written(
    *contents: HourContent, new_networks: int = 500, make_cell: MakeCell = RULES.cell, now_ms: int = AT_MS
) -> dict[tuple[str, int], dict[str, Any]]:
    """All points of a warehouse with these hours, as (series, time) → fields."""
    warehouse = Warehouse(None)
    warehouse.feed("influx")
    fill(warehouse, list(contents), 1)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    points = points_of(warehouse, MemoryLog(), new_networks=new_networks, make_cell=make_cell)
    for kind in Kind:
        marks = warehouse.select("SELECT target, slot FROM unsent WHERE kind = $1", [kind.value])
        found |= as_points(points.lines(kind, marks, now_ms))
    found |= as_points(points.single([row[1:] for row in warehouse.select("FROM unsent_verdict")]))
    warehouse.close()
    return found


def as_points(lines: Sequence[str]) -> dict[tuple[str, int], dict[str, Any]]:
    points = {(series, time): fields for series, fields, time in map(parsed, lines)}
    assert len(points) == len(lines)  # no point is written twice in one go
    return points


def test_a_cell_counts_lines_by_their_latest_verdict() -> None:
    """Four lines; the first changed its mind. Two controls, of which one got an answer."""
    said = verdicts((1, "ok"), (2, "blocked"), (3, "blocked"), (4, "insufficient"), (1, "blocked"))
    controls = verdicts((8, "ok"), (9, "blocked"), (9, "blocked"), country="ES", asn=3352, is_control=True)
    points = written(content([*said, *controls]))
    for measurement, time in (("cell_1h", HOUR_NS), ("cell_1d", DAY_NS)):
        assert points[f"{measurement},{PLACE},{CHAT}", time] == {
            **dict.fromkeys(STATES, 0),
            "lines": 4,
            "measurements": 5,
            "controls": 2,
            "blocked": 3,
            "insufficient": 1,
            "state": "blocked",
            "look": "blocked",
            "mechanism": "",
            "answered": 0,
            "judged": 1,
            "interfered": 1,
            "simulated": 0,
            "established": 0,
            "buckets": 0,
            "public_shown": 0,
            "public_state": "none",
            "public_look": "none",
            "public_mechanism": "",
            "flows": 0,
        }
    assert points[f"control_1h,{CHAT}", HOUR_NS] == {"controls": 2, "answered": 1, "failed": 1}
    assert not any("country=ES" in series for series, _ in points if not series.startswith(("verdict", "event")))


def test_a_control_was_answered_by_the_relay_of_a_call() -> None:
    """No call is `ok`, whoever measured it."""
    call: dict[str, Any] = {"target": "viber/call", "country": "ES", "asn": 3352, "is_control": True}
    said = [
        *verdicts((7, "insufficient"), depth="relay_answers", **call),
        *verdicts((8, "insufficient"), (9, "down"), **call),
    ]
    points = written(content([msgspec.structs.replace(row, uid=f"{n}") for n, row in enumerate(said)]))
    assert points["control_1h,service=viber,role=call", HOUR_NS] == {"controls": 3, "answered": 1, "failed": 2}


def test_a_day_counts_a_line_once() -> None:
    early = content(verdicts((1, "ok"), (2, "ok"), (3, "ok")), [], [], [step_row(passed=2, failed=1)])
    rows = [verdict_row(hour=HOUR + 1, key=KEYS[key], uid=f"9{key}", state="blocked") for key in (2, 3)]
    points = written(early, content(rows, [], [], [step_row(hour=HOUR + 1, passed=1, failed=4)]))
    day = points[f"cell_1d,{PLACE},{CHAT}", DAY_NS]
    assert (day["lines"], day["ok"], day["blocked"], day["measurements"]) == (3, 1, 2, 5)
    assert points[f"cell_1h,{PLACE},{CHAT}", HOUR_NS + HOUR_MS * 1_000_000]["lines"] == 2
    country = points[f"country_1d,country=MA,{CHAT}", DAY_NS]
    assert (country["lines"], country["ok"], country["blocked"], country["cells"]) == (3, 1, 2, 1)
    assert points[f"step_1d,{PLACE},{CHAT},step=tls", DAY_NS] == {"passed": 3, "failed": 5}


def test_a_country_below_the_floor_shows_nothing() -> None:
    two = written(content(verdicts((1, "ok"), (2, "blocked"))))
    fields = two[f"country_1h,country=MA,{CHAT}", HOUR_NS]
    assert not any(fields.values())
    three = written(content(verdicts((1, "ok"), (2, "blocked"), (3, "blocked"))))
    fields = three[f"country_1h,country=MA,{CHAT}", HOUR_NS]
    assert (fields["shown"], fields["lines"], fields["blocked"], fields["band"]) == (1, 3, 2, "3-5")
    assert (fields["cells"], fields["judged"], fields["interfered"]) == (1, 0, 0)  # 2 of 3 agree: see `judging.cell`


def counting(state: str, first: int, buckets: Sequence[str], established: bool = True, **more: Any) -> list[VerdictRow]:
    """A line of each of these source buckets; the keys from `first` on."""
    return [
        verdict_row(key=KEYS[n], uid=f"{state}{n}", state=state, established=established, bucket=bucket, **more)
        for n, bucket in enumerate(buckets, start=first)
    ]


def judged(rows: Sequence[VerdictRow]) -> Cell:
    """The judge's cell of these lines."""
    verdict = Verdict(
        target="whatsapp/chat", state=State.OK, mechanism=None, depth=None, grade=None, step=None, rule="r",
        rules_version=1, reason="", uid="", round=1,
    )  # fmt: skip
    lines = [
        Line(
            verdict=msgspec.structs.replace(verdict, state=State(row.state), mechanism=row.mechanism),
            established=row.established,
            bucket=row.bucket,
        )
        for row in rows
    ]
    network = Network(country="MA", asn=36903, operator="Maroc Telecom")
    return cell("whatsapp/chat", network, Access.ADSL, HOUR * HOUR_MS, (HOUR + 1) * HOUR_MS, lines)


def test_who_counts_in_a_cell_counts_in_its_point() -> None:
    """Whatever many fresh keys of one source say, beside lines that were there before."""
    honest = counting("blocked", 1, "abc", mechanism="tls.sni.reset")
    for rows in (honest, [*honest, *counting("ok", 4, "z" * 9, established=False)], counting("down", 1, "aaaab")):
        expected, points = judged(rows), written(content(rows), make_cell=cell)
        for measurement, time in (("cell_1h", HOUR_NS), ("cell_1d", DAY_NS)):
            fields = points[f"{measurement},{PLACE},{CHAT}", time]
            assert (fields["state"], fields["mechanism"]) == (expected.state, expected.mechanism or "")
            assert (fields["established"], fields["buckets"]) == (expected.established, expected.buckets)
    assert written(content(honest), make_cell=cell)[f"cell_1h,{PLACE},{CHAT}", HOUR_NS]["state"] == "blocked"


def test_a_relay_that_answers_counts_in_a_point_as_it_does_in_a_cell() -> None:
    """Against what others miss; and where nothing else is concluded it is the look of the cell."""
    call: dict[str, Any] = {"target": "viber/call"}
    paths = [[["udp", "203.0.113.7", state]] for state in ("likely_blocked", "ok")]
    dropped = [Kept(row, Share(paths=text(paths[0]))) for row in counting("likely_blocked", 1, "abc", **call)]
    reached = counting("insufficient", 4, "def", depth="relay_answers", **call)
    answered = [Kept(row, Share(paths=text(paths[1]))) for row in reached]
    for rows, look, counts in (
        ([*dropped, *answered], "mixed", 3),
        (answered, "relay_answers", 0),
        (dropped, "likely_blocked", 0),
    ):
        fields = written_kept(rows)[f"cell_1h,{PLACE},service=viber,role=call", HOUR_NS]
        assert (fields["look"], fields["public_look"]) == (look, look)
        assert fields["answered"] == counts


def text(paths: list[list[str]]) -> str:
    return json.dumps(paths)


def written_kept(rows: Sequence[Kept]) -> dict[tuple[str, int], dict[str, Any]]:
    """The points of the hours of these, by the judge's own cells."""
    warehouse = Warehouse(None)
    warehouse.feed("influx")
    warehouse.put(Change(verdicts=tuple(rows)), 1)
    points = points_of(warehouse, MemoryLog(), make_cell=cell)
    marks = warehouse.select("SELECT target, slot FROM unsent WHERE kind = 'hour'")
    found = as_points(points.lines(Kind.HOUR, marks, AT_MS))
    warehouse.close()
    return found


def test_fresh_keys_change_nothing_that_the_public_is_told() -> None:
    honest = counting("blocked", 1, "abc", mechanism="tls.sni.reset")
    liars = counting("ok", 4, "defghijk", established=False)
    public = []
    for rows in (honest, [*honest, *liars]):
        points = written(content(rows), make_cell=cell)
        both = [points[f"{series},{CHAT}", HOUR_NS] for series in (f"cell_1h,{PLACE}", "country_1h,country=MA")]
        public.append([{name: value for name, value in each.items() if name.startswith("public_")} for each in both])
    assert public[0] == public[1]
    assert public[0] == [
        {"public_shown": 1, "public_state": "blocked", "public_look": "blocked", "public_mechanism": "tls.sni.reset"},
        {"public_shown": 1, "public_cells": 1, "public_judged": 1, "public_interfered": 1, "public_band": "3-5"},
    ]


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (counting("blocked", 1, "ab"), 0),
        (counting("blocked", 1, "aab"), 0),
        (counting("blocked", 1, "aab", access="4g"), 1),  # where one bucket holds thousands
        (counting("blocked", 1, "abcdefgh", established=False), 0),
        ([*counting("blocked", 1, "ab"), *counting("blocked", 3, "c", asn=36884, country="FR")], 0),
    ],
)
def test_below_the_floor_the_public_is_told_nothing(rows: Sequence[VerdictRow], shown: int) -> None:
    points = written(content(rows), make_cell=cell)
    for (series, _), fields in points.items():
        if series.startswith(("cell", "country")):
            public = [value for name, value in fields.items() if name.startswith("public_")]
            assert fields["public_shown"] == shown
            assert shown or not any(value not in (0, "", "none") for value in public)


SUM = r"country=MA,asn=0,operator=other,access=adsl"


def told(points: dict[tuple[str, int], dict[str, Any]], series: str, time: int = HOUR_NS) -> dict[str, Any]:
    fields = points[f"{series},{CHAT}", time]
    return {name.removeprefix("public_"): value for name, value in fields.items() if name.startswith("public_")}


def test_small_networks_are_told_of_together() -> None:
    small = [*counting("blocked", 1, "ab"), *counting("blocked", 3, "cd", asn=36884)]
    points = written(content(small), make_cell=cell)
    for span, time in (("1h", HOUR_NS), ("1d", DAY_NS)):
        assert told(points, f"cell_{span},{SUM}", time) == {
            "shown": 1,
            "state": "blocked",
            "look": "blocked",
            "mechanism": "",
        }
        assert told(points, f"cell_{span},{PLACE}", time)["shown"] == 0
        country = told(points, f"country_{span},country=MA", time)
        assert country == {"shown": 1, "cells": 1, "judged": 1, "interfered": 1, "band": "3-5"}
        owners = points[f"cell_{span},{SUM},{CHAT}", time]
        assert (owners["lines"], owners["state"]) == (0, "none"), "the owner is told of each network, and of no sum"
    fewer = written(content(small[:3]), make_cell=cell)
    assert told(fewer, f"cell_1h,{SUM}")["shown"] == 1, "three lines of three sources"
    assert told(written(content(small[1:3]), make_cell=cell), f"cell_1h,{SUM}")["shown"] == 0


def test_late_lines_change_what_the_public_is_told_at_a_midnight_and_when_they_are_enough() -> None:
    midnight_ms = (HOUR // 24 + 1) * 24 * HOUR_MS
    honest = counting("blocked", 1, "abc")
    late = counting("ok", 4, "defghijk", received_ms=midnight_ms + 2 * HOUR_MS)
    seen = []
    for rows, now_ms in ((late[:2], 9), (late, 0), (late, 9)):
        at_ms = midnight_ms + (25 if now_ms else 24) * HOUR_MS - 1
        points = written(content([*honest, *rows]), make_cell=cell, now_ms=at_ms)
        assert points[f"cell_1h,{PLACE},{CHAT}", HOUR_NS]["lines"] == 3 + len(rows)
        both = [told(points, f"cell_{span},{PLACE}", time)["state"] for span, time in (("1h", HOUR_NS), ("1d", DAY_NS))]
        assert both[0] == both[1]
        seen += both[:1]
    assert seen == ["blocked", "blocked", "ok"]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(record_sets)
def test_what_the_public_is_told_is_what_the_collectors_own_cells_tell(arriving: list[Record]) -> None:
    log, warehouse = MemoryLog(), Warehouse(None)
    log.files.update(BODIES)
    log.deliver(arriving)
    warehouse.feed("influx")
    judging = projector(log, warehouse)
    judging.catch_up()
    rows = questions.cells(warehouse, CellQuery(since_ms=0, until_ms=2**50, public_at=2**50))
    own = {(r.target, r.hour, r.operator, r.access): (r.public_state, r.public_mechanism or "") for r in rows}
    points = points_of(warehouse, MemoryLog(), make_cell=RULES.cell)
    marks = warehouse.select("SELECT target, slot FROM unsent WHERE kind = 'hour'")
    shown = {}
    for (series, time), fields in as_points(points.lines(Kind.HOUR, marks, 2**50)).items():
        if series.startswith("cell_1h") and fields["public_shown"]:
            tags = dict(tag.split("=") for tag in series.replace("\\ ", " ").split(",")[1:])
            place = (f"{tags['service']}/{tags['role']}", time // 1_000_000 // HOUR_MS)
            shown[*place, tags["operator"], tags["access"]] = (fields["public_state"], fields["public_mechanism"])
    warehouse.close()
    words = {"whatsapp/chat", "viber/call"}
    assert shown == {place: said for place, said in own.items() if place[0] in words}


def test_what_is_simulated_is_not_added_to_what_was_measured() -> None:
    """Not in the sums of a country either, where the two are of different networks."""
    real = counting("ok", 1, "abc")
    elsewhere = counting("blocked", 4, "def", simulated=True, asn=36884)
    fields = written(content([*real, *elsewhere]), make_cell=cell)[f"country_1h,country=MA,{CHAT}", HOUR_NS]
    assert (fields["lines"], fields["cells"], fields["interfered"], fields["public_interfered"]) == (3, 1, 0, 0)


def test_a_line_in_two_places_is_one_of_its_country() -> None:
    mobile = verdicts((1, "ok"), (2, "ok"), (3, "ok"), access="4g")
    wifi = [msgspec.structs.replace(row, access="wifi", uid=f"w{row.uid}", state="down") for row in mobile]
    later = [msgspec.structs.replace(row, started_ms=row.started_ms + 1_000_000) for row in wifi]
    points = written(content([*mobile, *later]))
    fields = points[f"country_1h,country=MA,{CHAT}", HOUR_NS]
    assert (fields["lines"], fields["down"], fields["ok"], fields["cells"]) == (3, 3, 0, 2)


def test_what_is_simulated_is_shown_only_where_nothing_was_measured() -> None:
    simulated = verdicts((1, "blocked"), (2, "blocked"), (3, "blocked"), simulated=True)
    steps = [step_row(simulated=True, failed=3, passed=0, step="tcp")]
    alone = written(content(simulated, [], [], steps))[f"cell_1h,{PLACE},{CHAT}", HOUR_NS]
    assert (alone["lines"], alone["blocked"], alone["simulated"]) == (3, 3, 3)
    beside = written(content([*simulated, verdict_row(uid="r", key=KEYS[7])], [], [], [*steps, step_row()]))
    real = beside[f"cell_1h,{PLACE},{CHAT}", HOUR_NS]
    assert (real["lines"], real["blocked"], real["simulated"]) == (1, 0, 0)
    assert beside[f"step_1h,{PLACE},{CHAT},step=tls", HOUR_NS] == {"passed": 1, "failed": 0}
    assert beside[f"step_1h,{PLACE},{CHAT},step=tcp", HOUR_NS] == {"passed": 0, "failed": 0}


def test_a_verdict() -> None:
    row = verdict_row(state="likely_blocked", mechanism="tls.sni.reset", step="tls", rule="r", depth=None)
    points = written(content([row]))
    ((series, time),) = [point for point in points if point[0].startswith("verdict")]
    assert series == f"verdict,{PLACE},{CHAT}"
    assert time // 1_000_000 == row.started_ms
    assert points[series, time] == {
        "state": "likely_blocked",
        "mechanism": "tls.sni.reset",
        "step": "tls",
        "rule": "r",
        "depth": "",
        "round": 1,
        "interfered": 1,
        "simulated": 0,
        "control": 0,
        "uid": "1",
        "line": PSEUDONYMS.line(KEYS[1], "MA", 36903, "adsl"),
    }


def test_verdicts_of_one_millisecond_do_not_hide_each_other() -> None:
    points = written(content([verdict_row(uid=f"{n:032x}") for n in range(200)]))
    assert sum(series.startswith("verdict") for series, _ in points) == 200


def test_what_strangers_call_themselves_makes_no_series() -> None:
    points = written(content([verdict_row(target="gossip/1", software="x" * 60, targets_known=False)]))
    assert {series for series, _ in points} == {
        f"verdict,{PLACE},service=other,role=other",
        f"coverage_1h,{PLACE},software=other",
        f"coverage_1d,{PLACE},software=other",
    }


def test_networks_beyond_the_days_most_are_counted_for_their_country_only() -> None:
    rows = [
        verdict_row(uid=f"{asn}", key=KEYS[asn], asn=asn, operator=f"AS {asn}", received_ms=HOUR * HOUR_MS + asn)
        for asn in (1, 2, 3, 4)
    ]
    points = written(content(rows), new_networks=2)
    named = {series.split(",")[2] for series, _ in points if series.startswith(("cell", "coverage"))}
    assert named == {"asn=0", "asn=1", "asn=2"}
    sums = {series for series, _ in points if series.startswith("cell") and "asn=0" in series}
    assert sums == {f"{span},{SUM},{CHAT}" for span in ("cell_1h", "cell_1d")}, "of the small ones, for strangers"
    assert points[f"country_1h,country=MA,{CHAT}", HOUR_NS]["lines"] == 4
    others = [series for series, _ in points if series.startswith("verdict,country=MA,asn=0,operator=other")]
    assert len(others) == 2


def test_coverage() -> None:
    rows = [
        verdict_row(uid="1", key=KEYS[1], received_ms=HOUR * HOUR_MS + 1000),
        verdict_row(uid="2", key=KEYS[1], received_ms=HOUR * HOUR_MS + 5000, target="viber/call", state="blocked"),
        verdict_row(uid="3", key=KEYS[2], received_ms=HOUR * HOUR_MS + 2000, state="insufficient"),
        verdict_row(uid="4", key=KEYS[3], software="ringback 99.0.0"),
    ]
    points = written(content([rows[0], *rows[2:]]), content([rows[1]]))
    for measurement, time in (("coverage_1h", HOUR_NS), ("coverage_1d", DAY_NS)):
        assert points[f"{measurement},{PLACE},software=ringback/0.1", time] == {
            "lines": 2,
            "measurements": 3,
            "lag_ms_p50": 2000,
            "lag_ms_p95": 5000,
            "judged": 1,
            "interfered": 1,
        }
        assert points[f"{measurement},{PLACE},software=other", time]["lines"] == 1


def test_events() -> None:
    control = verdict_row(uid="c", key=KEYS[9], country="ES", asn=3352, operator="Telefonica", is_control=True)
    points = written(content([verdict_row(), control, verdict_row(uid="x", software="ringback 99.0")]))
    events = {series: fields["title"] for (series, _), fields in points.items() if series.startswith("event")}
    assert events == {
        "event,kind=release": "First measurement by ringback/0.1",
        "event,kind=targets": "Targets file d",
        "event,country=ES,asn=3352,operator=Telefonica,kind=control": "First control in Telefonica, ES",
    }


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(record_sets)
def test_cells_say_what_the_cells_of_the_warehouse_say(arriving: list[Record]) -> None:
    log, warehouse, sink, clock = MemoryLog(), Warehouse(None), Sink(), Clock()
    warehouse.feed("influx")
    log.files.update(BODIES)
    log.deliver(arriving)
    projector(log, warehouse).catch_up()
    drained(forwarder(warehouse, log, sink.write, clock), clock)
    every = [dict(zip(CELL_COLUMNS, row, strict=True)) for row in warehouse.dump()["cell"]]
    rows = [row for row in every if not row["shown_from_ms"]]  # the owner's
    warehouse.close()
    real = {(row["target"], row["hour"], row["asn"], row["access"]) for row in rows if not row["simulated"]}
    shown = [
        row
        for row in rows
        if not row["simulated"] or (row["target"], row["hour"], row["asn"], row["access"]) not in real
    ]
    assert sum("operator=other" not in series for _, series, _ in sink.of("cell_1h")) == len(shown)
    for row in shown:
        operator = str(row["operator"]).replace(" ", r"\ ")
        place = f"country={row['country']},asn={row['asn']},operator={operator},access={row['access']}"
        series = f"cell_1h,{place},service={row['service']},role={row['role']}"
        fields = sink.points[Database.ROLLUP.value, series, int(row["since_ms"]) * 1_000_000]  # type: ignore[call-overload]
        assert (fields["state"], fields["lines"]) == (row["state"], row["lines"])
        assert {state: fields[state] for state in STATES if fields[state]} == json.loads(str(row["states"]))
