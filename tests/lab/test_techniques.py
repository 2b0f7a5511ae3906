"""The table of techniques: each entry names what exists, draws what it says, and expects what may be said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
import yaml

from probe.judge.mechanisms import MECHANISMS
from probe.model import State
from tests.lab.filters import FILTERS
from tests.lab.model import Entry, Stage
from tests.lab.plan import ACCESSES
from tests.lab.runs import SCORING_SEEDS, TUNING_SEEDS
from tests.lab.settings import parse
from tests.lab.targets import targets_yaml
from tests.lab.techniques import TECHNIQUES

TARGETS = frozenset(yaml.safe_load(targets_yaml("none"))["targets"])
DRAWS = 40
INTERVAL = re.compile(r"(?P<low>[\d.]+)–(?P<high>[\d.]+)( \S+)?")
CHOICE = "one of "
each_technique = pytest.mark.parametrize("entry", TECHNIQUES, ids=lambda entry: entry.name)


def drawn(entry: Entry, seeds: Sequence[int]) -> list[Sequence[Stage]]:
    return [tuple(entry.draw(Random(f"{entry.name}:{seed}"))) for seed in seeds]


def values(entry: Entry, parameter: str) -> Iterator[Any]:
    for stages in drawn(entry, range(DRAWS)):
        for stage in stages:
            value = stage.parameters.get(parameter)
            yield from value if isinstance(value, tuple) else () if value is None else (value,)


def is_in(value: Any, described: str) -> bool:
    if described.startswith(CHOICE):
        return str(value) in described.removeprefix(CHOICE).split(" | ")
    interval = INTERVAL.fullmatch(described)
    assert interval, f"`{described}` is neither an interval nor a choice."
    return float(interval["low"]) <= value <= float(interval["high"])


def measurable(entry: Entry) -> bool:
    """Something else is expected of it today than of a line without interference."""
    return any(
        not expected.not_yet and (expected.mechanism or (expected.state == "insufficient") != target.endswith("/call"))
        for target, expected in entry.expected.items()
    )


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({entry.name for entry in TECHNIQUES}) == len(TECHNIQUES) >= 45
    assert sum(map(measurable, TECHNIQUES)) >= 25


@each_technique
def test_an_entry_says_what_it_does_and_where_it_was_seen(entry: Entry) -> None:
    assert entry.does.endswith(".")
    assert entry.source
    assert entry.at == "operator" or (entry.at == "carrier" and set(entry.accesses) <= {"3g", "4g"})
    assert set(entry.accesses) <= set(ACCESSES)
    assert not entry.mild
    parse(entry.settings)  # raises on what no setting is


@each_technique
def test_an_entry_expects_what_may_be_said_of_targets_that_exist(entry: Entry) -> None:
    assert entry.expected
    assert set(entry.expected) <= TARGETS
    assert not [target for target in entry.expected if target.startswith("baseline/")]
    for expected in entry.expected.values():
        assert expected.state in set(State)
        assert expected.mechanism is None or expected.mechanism in MECHANISMS
        assert (expected.state in ("blocked", "likely_blocked", "degraded")) <= (expected.mechanism is not None)


@each_technique
def test_what_an_entry_draws_can_be_made(entry: Entry) -> None:
    for stages in drawn(entry, range(DRAWS)):
        for stage in stages:
            FILTERS[stage.filter](stage.parameters, Random(1))


@each_technique
def test_parameters_are_drawn_from_the_stated_ranges(entry: Entry) -> None:
    for parameter, described in entry.ranges.items():
        found = list(values(entry, parameter))
        assert len(set(found)) > 1
        assert [value for value in found if not is_in(value, described)] == []


@each_technique
def test_what_varies_is_stated(entry: Entry) -> None:
    found: dict[tuple[int, str], set[Any]] = {}
    for stages in drawn(entry, range(DRAWS)):
        for number, stage in enumerate(stages):
            for name, value in stage.parameters.items():
                if isinstance(value, str | int | float) and not isinstance(value, bool):
                    found.setdefault((number, name), set()).add(value)
    assert {name for (_, name), several in found.items() if len(several) > 1} <= set(entry.ranges)


def test_tuning_and_scoring_draw_different_parameters() -> None:
    assert not set(TUNING_SEEDS) & set(SCORING_SEEDS)
    continuous = [entry for entry in TECHNIQUES if any(isinstance(each, float) for each in _all_values(entry))]
    assert len(continuous) >= 8
    for entry in continuous:
        tuning, scoring = drawn(entry, TUNING_SEEDS[:DRAWS]), drawn(entry, SCORING_SEEDS[:DRAWS])
        assert not [stages for stages in tuning if stages in scoring], entry.name


def _all_values(entry: Entry) -> Iterator[Any]:
    for stage in drawn(entry, [1])[0]:
        yield from stage.parameters.values()


@each_technique
def test_a_seed_always_draws_the_same(entry: Entry) -> None:
    assert drawn(entry, [7]) == drawn(entry, [7])


def test_ranges_are_read() -> None:
    assert is_in(60, "60–180 s")
    assert not is_in(181.0, "60–180 s")
    assert is_in("up", "one of up | down")
    assert not is_in(2, "one of 1 | 20")
