"""The table of impairments: complete, drawn from its ranges, and never accusing anybody."""

from __future__ import annotations

from random import Random

import pytest

from probe.judge.mechanisms import MECHANISMS
from probe.targets import parse as parse_targets
from tests.lab.filters import FILTERS
from tests.lab.impairments import IMPAIRMENTS
from tests.lab.impairments.words import ALL, BY_NAME, SERVICE_NUMBERS
from tests.lab.model import Entry
from tests.lab.plan import ACCESSES, VIBER_CHAT, WORLD_V4
from tests.lab.settings import parse
from tests.lab.targets import targets_yaml
from tests.servers.certificates import Authority

STATES = {"ok", "insufficient", "impaired", "down"}
PLACES = {"home", "carrier", "link", "operator", "world"}
SEEDS = range(20)
NAMES = [entry.name for entry in IMPAIRMENTS]
each = pytest.mark.parametrize("entry", IMPAIRMENTS, ids=NAMES)


def clean(target: str) -> str:
    return "insufficient" if target.endswith("/call") else "ok"


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 45


@each
def test_an_entry_says_what_it_is_and_where_that_was_seen(entry: Entry) -> None:
    assert entry.does.endswith(".")
    assert entry.source
    assert entry.at in PLACES
    assert entry.accesses
    assert set(entry.accesses) <= set(ACCESSES)


@each
def test_nobody_is_accused(entry: Entry) -> None:
    assert {expected.state for expected in entry.expected.values()} <= STATES
    assert {expected.mechanism for expected in entry.expected.values()} <= {None, *MECHANISMS}
    assert set(entry.expected) <= set(ALL)


@each
def test_under_a_mild_one_everything_is_as_on_a_clean_line(entry: Entry) -> None:
    if entry.mild:
        assert {target: expected.state for target, expected in entry.expected.items()} == {
            target: clean(target) for target in entry.expected
        }


@each
def test_settings_have_a_meaning(entry: Entry) -> None:
    parse(entry.settings)


@each
def test_filters_take_what_is_drawn(entry: Entry) -> None:
    for seed in SEEDS:
        for stage in entry.draw(Random(seed)):
            FILTERS[stage.filter](stage.parameters, Random(seed))


@each
def test_a_seed_draws_the_same_again(entry: Entry) -> None:
    assert [list(entry.draw(Random(seed))) for seed in SEEDS] == [list(entry.draw(Random(seed))) for seed in SEEDS]


@each
def test_what_varies_is_stated(entry: Entry) -> None:
    drawn = {str(list(entry.draw(Random(seed)))) for seed in SEEDS}
    assert bool(entry.ranges) == (len(drawn) > 1)


def test_the_targets_are_the_lab_s() -> None:
    targets = parse_targets(targets_yaml(Authority.create().pem.decode()).encode(), "the lab's").targets
    targets = tuple(target for target in targets if not target.on_request)
    measured = {target.id for target in targets if target.endpoints and target.service != "baseline"}
    assert measured == set(ALL)
    named = {target.id for target in targets for one in target.endpoints if one.host.endswith(".example")}
    assert {target for target in named if not target.startswith("baseline/")} == set(BY_NAME)
    literals = {one.host for target in targets for one in target.endpoints if one.host[0].isdigit() and "." in one.host}
    assert WORLD_V4.format(VIBER_CHAT) in literals
    assert literals - {WORLD_V4.format(number) for number in SERVICE_NUMBERS} == {
        WORLD_V4.format(number) for number in (53, 72, 74)
    }


def test_what_the_issue_names_is_there() -> None:
    named = {
        "mild.loss", "mild.latency", "mild.cgnat", "mild.symmetric-nat", "mild.other-sites", "mild.in-isp-cache",
        "line.loss", "line.bursts", "line.latency", "line.bufferbloat", "home.portal", "line.short-nat",
        "line.broken-ipv6", "line.nat64", "mild.mtu", "line.pmtu-black-hole", "service.down", "service.relay-retired",
        "service.refuses-silently", "service.regional-site-dead", "service.certificate-expired", "service.renamed",
        "service.port-5222", "service.authority-rotated", "line.slow-resolver", "line.resolver-down", "home.filter",
        "mild.foreign-resolver", "work.app-control", "home.antivirus", "device.clock-an-hour-ahead",
        "device.clock-ten-years-behind", "device.vpn", "mild.roaming", "line.dead", "line.dies", "line.changes",
        "observers.collector-down", "observers.controls-dead", "observers.controls-disagree", "mild.sip-alg",
        "home.without-udp",
    }  # fmt: skip
    assert named - set(NAMES) == set()
