"""Morocco's ban of 2016, replayed through the real collector into a real InfluxDB: the pages show it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collector.facts import pseudonyms
from collector.facts.kept_targets import KeptTargets
from collector.influx.client import Client, Server
from collector.influx.forwarder import Forwarder
from collector.influx.points import Points
from collector.instance import TARGETS_DIRECTORY, WAREHOUSE_FILE
from collector.judging.evidence import TargetFiles
from collector.judging.rules import RULES
from collector.metrics import Metrics
from collector.replay import load, moment_ms, story
from collector.warehouse.store import Warehouse
from probe import targets as targets_file
from probe.model import State
from tests.collector.influx.sink import Clock, drained
from tests.collector.replay.stories import told
from tests.grafana.asking import Stores, ask, drawn, rows
from tests.grafana.boards import Query, boards
from tests.grafana.interpolation import ALL, Range, Value
from tests.servers.influxd import Influxd

YEAR = Range(moment_ms("2016-01-01"), moment_ms("2017-01-01") - 1)
MOBILE, NOWHERE, EVERYWHERE, LIFTED = "2016-01-08", "2016-02-02", "2016-02-27", "2016-11-05"
DAYS = (MOBILE, NOWHERE, EVERYWHERE, LIFTED)
OPERATORS = ("Maroc Telecom", "Orange Maroc", "inwi")
BANNED = ("viber", "messenger")
INTERFERED = {State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED, State.MIXED}
CHOSEN: dict[str, Value] = {"country": "MA", "operator": ALL, "access": ALL, "service": ALL, "per": "1d"}
Drawn = dict[str, list[Any]]


@pytest.fixture(scope="module")
def stores(influxd_server: Influxd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Databases that hold what the collector of the replay writes, and nothing else."""
    directory = tmp_path_factory.mktemp("morocco")
    with told(directory, load("morocco-2016"), [moment_ms(f"{day}T19:00") for day in DAYS]):
        pass
    built = Stores(influxd_server, raw="morocco", rollup="morocco_rollup")
    for database in (built.raw, built.rollup):
        influxd_server.create(database)
    forward(directory, influxd_server, built.raw)
    yield built
    for database in (built.raw, built.rollup):
        influxd_server.drop(database)


def forward(directory: Path, server: Influxd, database: str) -> None:
    """Writes all that the warehouse holds, through the collector's own client."""
    targets = frozenset(target.id for target in targets_file.packaged().targets)
    kept = KeptTargets(directory / TARGETS_DIRECTORY)
    with (
        closing(Warehouse(directory / WAREHOUSE_FILE)) as warehouse,
        closing(Client(Server(url=server.url, api="v1", database=database))) as client,
    ):
        warehouse.feed("grafana")
        files, named = TargetFiles(kept, targets_file.parse), pseudonyms.load_or_create(directory)
        episode = tuple(story.events(load("morocco-2016")))
        points = Points(warehouse, RULES.cell, files, named, targets, (0, 1), 500, episode)
        clock, metrics = Clock(), Metrics(CollectorRegistry())
        drained(Forwarder(warehouse, points, client.write, metrics, lambda: YEAR.until_ms, clock=clock), clock)


def query(page: str, panel: int | str) -> tuple[Any, Query]:
    [one] = [one for one in boards() if one.name == page]
    return one, next(query for query in one.queries() if query.panel == panel)


def series(stores: Stores, page: str, panel: int) -> Drawn:
    one, asked = query(page, panel)
    return drawn(asked, ask(stores, one, asked, CHOSEN, YEAR))


def on(day: str, found: Drawn) -> dict[str, str]:
    """What each row shows on a day, where it shows anything."""
    index = datetime.fromisoformat(day).replace(tzinfo=UTC).timetuple().tm_yday - 1
    return {name: values[index] for name, values in found.items() if values[index] is not None}


def banned(stores: Stores, day: str) -> set[str]:
    shown = on(day, series(stores, "country", 3))
    assert len(shown) >= 12 * len(BANNED)  # three operators, four accesses
    return {name for name, state in shown.items() if state in INTERFERED}


def cells(*accesses: str) -> set[str]:
    return {f"{operator} · {access} · {service}" for operator in OPERATORS for access in accesses for service in BANNED}


def test_calls_are_banned_on_mobile_lines_in_january(stores: Stores) -> None:
    assert banned(stores, MOBILE) == cells("3g", "4g")


def test_calls_are_let_through_around_the_first_of_february(stores: Stores) -> None:
    assert banned(stores, NOWHERE) == set()


def test_calls_are_banned_on_every_access_from_the_end_of_february(stores: Stores) -> None:
    assert banned(stores, EVERYWHERE) == cells("3g", "4g", "adsl", "wifi")


def test_calls_are_let_through_after_the_fourth_of_november(stores: Stores) -> None:
    assert banned(stores, LIFTED) == set()


def test_a_lift_is_seen_as_relays_that_answer(stores: Stores) -> None:
    """Not as an absence of evidence, nor as a gap."""
    calls = series(stores, "country", 3)
    for day in (NOWHERE, LIFTED):
        shown = on(day, calls)
        assert {shown[name] for name in cells("3g", "4g", "adsl", "wifi")} == {"relay_answers"}


def test_messages_are_ok_throughout(stores: Stores) -> None:
    messages = series(stores, "country", 4)
    for day in DAYS:
        assert set(on(day, messages).values()) == {"ok"}


def test_the_phases_of_the_ban_stand_on_the_charts_with_their_sources(stores: Stores) -> None:
    one, asked = query("country", "Events in the country")
    shown = rows(ask(stores, one, asked, CHOSEN, YEAR))
    assert len(shown) == 2 * len(load("morocco-2016").phases)
    reached = next(row for row in shown if row["title"].startswith("The ban reaches ADSL and WiFi"))
    assert "TelQuel, 27 February 2016" in reached["text"]


def test_a_day_that_nobody_told_of_is_empty(stores: Stores) -> None:
    for panel in (3, 4):
        assert on("2016-06-15", series(stores, "country", panel)) == {}


@pytest.mark.parametrize("page", ["map", "country", "coverage", "public"])
def test_the_page_says_that_it_is_simulated(stores: Stores, page: str) -> None:
    one, asked = query(page, 1)
    [row] = rows(ask(stores, one, asked, {**CHOSEN, "role": "call"}, YEAR))
    assert row["simulated"] > 0


def test_the_map_counts_what_was_measured(stores: Stores) -> None:
    one, asked = query("map", 3)
    [morocco] = rows(ask(stores, one, asked, {**CHOSEN, "role": "call"}, YEAR))
    assert morocco["country"] == "MA"
    assert morocco["share"] == morocco["interfered"] / morocco["n"] < 0.5
    assert morocco["interfered"] == len(cells("3g", "4g")) + len(cells("3g", "4g", "adsl", "wifi"))
