"""Each alert rule on a real influxd: it fires for what it is about, with the labels it names, and else is quiet."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.influx import schema
from collector.influx.line import Value, line
from collector.influx.schema import Measurement
from tests.grafana.alerting import computed, firing
from tests.grafana.asking import Stores
from tests.grafana.boards import ROOT, SOURCES, boards, rules
from tests.grafana.lint import measurement
from tests.grafana.world import HOUR_MS, T0_MS
from tests.servers.influxd import Influxd

NOW_MS = T0_MS + 10 * 24 * HOUR_MS + 25 * 60_000
MINUTE_MS = 60_000
MA = {"country": "MA", "asn": "36903", "operator": "Maroc Telecom", "access": "3g"}
FR = {"country": "FR", "asn": "3215", "operator": "Orange", "access": "fibre"}
TN = {"country": "TN", "asn": "2609", "operator": "Tunisie Telecom", "access": "adsl"}
Lines = Iterator[str]


def hour(measurement: Measurement, tags: Mapping[str, str], ago: int, **fields: Value) -> str:
    """A point of the hour that began `ago` full hours before the present one."""
    start = (NOW_MS // HOUR_MS - ago) * HOUR_MS
    return line(measurement, tags, fields, start * 1_000_000)


def covered(place: Mapping[str, str], ago: int, software: str = "ringback/1.0", **fields: Value) -> str:
    return hour(schema.COVERAGE_1H, {**place, "software": software}, ago, **fields)


def controlled(target: str, ago: int, controls: int, failed: int) -> str:
    service, _, role = target.partition("/")
    tags = {"service": service, "role": role}
    return hour(schema.CONTROL_1H, tags, ago, controls=controls, answered=controls - failed, failed=failed)


def minutes(count: int, since: int = 0, **fields: Value) -> Lines:
    """A point of the collector's a minute, up to `since` minutes ago."""
    full: dict[str, Value] = {"accepted": 5, "lag": 0, "outbox": 0, "dead_letters": 0, "targets_age_days": 2, **fields}
    for ago in range(since, since + count):
        yield line(schema.COLLECTOR, {}, full, (NOW_MS - ago * MINUTE_MS - 1000) * 1_000_000)


def volume() -> Lines:
    """Morocco falls silent six hours ago, France goes on, and Tunisia never sent enough to be missed."""
    for ago in range(1, 7 * 24):
        yield covered(FR, ago, measurements=50)
        if ago > 6:
            yield covered(MA, ago, measurements=10)
            yield covered(TN, ago, measurements=2)


def one_night(measurements: int) -> Callable[[], Lines]:
    return lambda: (covered(MA, ago, measurements=measurements if ago < 5 else 10) for ago in range(1, 7 * 24))


def failing() -> Lines:
    for ago in (2, 3):
        yield controlled("whatsapp/call", ago, 2, 2)
        yield controlled("whatsapp/chat", ago, 3, 1)
    yield controlled("imo/call", 2, 1, 1)  # one control concludes nothing


def released() -> Lines:
    """In Morocco 1.1 sees interference on every line, beside 1.0 that sees little; 2.0 has too few lines."""
    for ago in range(2, 20):
        yield covered(MA, ago, "ringback/1.0", judged=20, interfered=2)
        yield covered(MA, ago, "ringback/1.1", judged=4, interfered=4)
        yield covered(FR, ago, "ringback/1.1", judged=10, interfered=0)
    yield covered(MA, 3, "ringback/2.0", judged=3, interfered=3)


def banned() -> Lines:
    """Every release sees it: that is the country."""
    for ago in range(2, 20):
        yield covered(MA, ago, "ringback/1.0", judged=20, interfered=18)
        yield covered(MA, ago, "ringback/1.1", judged=10, interfered=9)


def growing() -> Lines:
    yield from minutes(30, since=30, dead_letters=3)
    yield from minutes(30, dead_letters=4)


NOBODY: list[dict[str, str]] = []
ONCE = [{}]
SCENES: list[tuple[str, str, Callable[[], Lines], list[dict[str, str]]]] = [
    ("ringback-volume", "silent", volume, [{"asn": "36903", "country": "MA"}]),
    ("ringback-volume", "a quiet night", one_night(3), NOBODY),
    ("ringback-volume", "nearly nothing", one_night(1), [{"asn": "36903", "country": "MA"}]),
    ("ringback-controls", "failing", failing, [{"role": "call", "service": "whatsapp"}]),
    ("ringback-controls", "mostly answered", lambda: iter([controlled("imo/call", 2, 4, 2)]), NOBODY),
    ("ringback-no-controls", "failing", failing, NOBODY),
    ("ringback-no-controls", "nobody", lambda: iter([controlled("whatsapp/call", 9, 2, 0)]), ONCE),
    ("ringback-version", "a bad release", released, [{"country": "MA", "software": "ringback/1.1"}]),
    ("ringback-version", "a ban", banned, NOBODY),
    ("ringback-lag", "keeps up", lambda: minutes(10, lag=500, outbox=100_000), NOBODY),
    ("ringback-lag", "behind", lambda: minutes(10, lag=501), ONCE),
    ("ringback-lag", "does not write", lambda: minutes(10, outbox=100_001), ONCE),
    ("ringback-dead-letters", "old ones", lambda: minutes(60, dead_letters=4), NOBODY),
    ("ringback-dead-letters", "new ones", growing, ONCE),
    ("ringback-targets", "fresh", lambda: minutes(10, targets_age_days=20), NOBODY),
    ("ringback-targets", "old", lambda: minutes(10, targets_age_days=21), ONCE),
    ("ringback-networks", "fresh", lambda: minutes(10, networks_age_days=89), NOBODY),
    ("ringback-networks", "old", lambda: minutes(10, networks_age_days=90), ONCE),
    ("ringback-networks", "none, or the owner's own", lambda: minutes(10), NOBODY),
    ("ringback-dead-man", "alive", lambda: minutes(10), NOBODY),
    ("ringback-dead-man", "silent", lambda: minutes(10, since=11), ONCE),
    ("ringback-heartbeat", "alive", lambda: minutes(10), ONCE),
    ("ringback-heartbeat", "silent", lambda: minutes(10, since=11), NOBODY),
]


@pytest.fixture
def empty(influxd_server: Influxd) -> Iterator[Stores]:
    name = uuid.uuid4().hex
    stores = Stores(influxd_server, raw=f"raw_{name}", rollup=f"rollup_{name}")
    for database in (stores.raw, stores.rollup):
        influxd_server.create(database)
    yield stores
    for database in (stores.raw, stores.rollup):
        influxd_server.drop(database)


@pytest.mark.parametrize(
    ("uid", "what", "lines", "known"), SCENES, ids=[f"{uid}: {what}" for uid, what, _, _ in SCENES]
)
def test_an_alert_fires_for_what_it_is_about(
    empty: Stores, uid: str, what: str, lines: Callable[[], Lines], known: list[dict[str, str]]
) -> None:
    written: dict[str, list[str]] = {}
    for text in lines():
        database = empty.raw if text.startswith("collector") else empty.rollup
        written.setdefault(database, []).append(text)
    for database, texts in written.items():
        empty.server.write(database, "\n".join(texts))
    [rule] = [rule for rule in rules() if rule["uid"] == uid]
    assert firing(empty, rule, NOW_MS) == known


def test_every_rule_has_a_scene_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires = {uid for uid, _, _, known in SCENES if known}
    quiet = {uid for uid, _, _, known in SCENES if not known}
    assert fires == {rule["uid"] for rule in rules()}
    assert quiet == fires


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_a_rule_is_complete(rule: Mapping[str, Any]) -> None:
    letters = [part["refId"] for part in rule["data"]]
    assert len(set(letters)) == len(letters)
    assert rule["condition"] == letters[-1]
    for part in rule["data"]:
        assert part["model"]["refId"] == part["refId"]
        if part["datasourceUid"] == "__expr__":
            continue
        text = part["model"]["query"]
        assert part["datasourceUid"] == SOURCES[measurement(text).database is schema.Database.ROLLUP]
        assert part["relativeTimeRange"]["from"] > part["relativeTimeRange"]["to"] >= 0
    assert rule["noDataState"] in ("OK", "NoData", "Alerting")
    assert re.fullmatch(r"\d+[smh]", rule["for"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["uid"])
def test_a_rule_says_where_to_look_and_names_only_labels_that_it_has(rule: Mapping[str, Any]) -> None:
    [page] = [one for one in boards() if one.json["uid"] == rule["dashboardUid"]]
    assert rule["panelId"] in [panel["id"] for panel in page.panels]
    said = "".join(rule["annotations"].values())
    assert "$" not in said  # Grafana would look for a variable of the environment
    grouped = set(re.findall(r'"(\w+)"', " ".join(re.findall(r"GROUP BY (.*?)(?: fill|$)", str(rule), re.M))))
    assert set(re.findall(r"\.Labels\.(\w+)", said)) <= grouped


def test_uids_are_unique_and_receivers_exist() -> None:
    uids = [rule["uid"] for rule in rules()]
    assert len(set(uids)) == len(uids)
    points = _provisioned("contactpoints.yaml")["contactPoints"]
    [policy] = _provisioned("policies.yaml")["policies"]
    named = {policy["receiver"], *(route["receiver"] for route in policy["routes"])}
    assert named == {point["name"] for point in points}
    severities = {matcher[2] for route in policy["routes"] for matcher in route["object_matchers"]}
    assert severities <= {rule["labels"]["severity"] for rule in rules()}


def _provisioned(name: str) -> Any:
    return yaml.safe_load(Path(ROOT / "provisioning" / "alerting" / name).read_text())


def test_numbers_meet_by_their_labels() -> None:
    country, release = ("country", "MA"), ("software", "1.1")
    numbers = {
        "n": {frozenset((country, release)): 8.0},
        "all": {frozenset((country,)): 4.0},
        "none": {frozenset(): 1.0},
    }
    assert computed("$n / $all > $none", numbers) == {frozenset((country, release)): 1.0}
    assert computed("$n > 1 && $all > 5", numbers) == {frozenset((country, release)): 0.0}
    elsewhere = {**numbers, "all": {frozenset((("country", "FR"),)): 4.0}}
    assert computed("$n / $all > 1", elsewhere) == {}
