"""Variables become text as Grafana's own tests say (public/app/features/templating, rangeUtil, gtime)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.influx.line import MOST_TAG, clean
from tests.grafana.interpolation import (
    ALL,
    Range,
    Undefined,
    Variable,
    by_itself,
    duration,
    escaped,
    interpolated,
    interval,
    regex,
)

HOUR_MS = 3_600_000
SPAN = Range(1000, 2000)
MANY = {"operator": Variable("operator", multi=True, all_value=".*")}
ONE = {"operator": Variable("operator", multi=False, all_value="")}
QUERY = 'SELECT "x" FROM "y" WHERE $timeFilter AND "operator" =~ /^${operator:regex}$/ GROUP BY time($__interval)'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Gi3/14", r"Gi3\/14"),  # Grafana: "slash should be properly escaped in regex format"
        (["test.", "test2"], r"(test\.|test2)"),  # "multi value and regex format should render regex string"
        (["test."], r"test\."),
        ("test.", r"test\."),
    ],
)
def test_the_format_regex(value: str | list[str], text: str) -> None:
    assert regex(value) == text


def test_a_query_as_influxdb_gets_it() -> None:
    text = interpolated(QUERY, MANY, {"operator": ["A", "B"]}, SPAN, 7_200_000)
    assert text == (
        'SELECT "x" FROM "y" WHERE time >= 1000ms and time <= 2000ms AND "operator" =~ /^(A|B)$/ GROUP BY time(2h)'
    )


def test_a_custom_all_value_is_taken_as_it_is() -> None:
    assert "=~ /^.*$/" in interpolated(QUERY, MANY, {"operator": ALL}, SPAN, 1000)


def test_a_variable_that_is_not_there_is_an_error() -> None:
    with pytest.raises(Undefined):
        interpolated(QUERY, {}, {}, SPAN, 1000)


def test_why_queries_name_the_format() -> None:
    """By itself Grafana leaves alone what begins with a digit."""
    assert by_itself(ONE["operator"], "2degrees (NZ)", "x =~ /^$operator$/") == "2degrees (NZ)"
    assert by_itself(ONE["operator"], "Orange (MA)", "x =~ /^$operator$/") == r"Orange \(MA\)"
    assert by_itself(ONE["operator"], "1h", "time($operator)") == "1h"


@given(st.text(min_size=1, max_size=80))
def test_an_escaped_name_matches_itself_and_leaves_the_expression_no_end(name: str) -> None:
    tag = clean(name, MOST_TAG)
    text = escaped(tag)
    assert re.fullmatch(text, tag)
    assert not re.search(r"(?<!\\)(\\\\)*/", text)


@pytest.mark.parametrize(
    ("hours", "least", "width"),
    [(3, "1m", 60_000), (6, "1m", 60_000), (24, "1m", 60_000), (24 * 7, "1h", HOUR_MS), (24 * 365, "1h", 6 * HOUR_MS)],
)
def test_the_interval_is_rounded_and_at_least_the_panels(hours: int, least: str, width: int) -> None:
    assert interval(Range(0, hours * HOUR_MS), least) == width


def test_durations_are_in_the_largest_unit() -> None:
    assert [duration(ms) for ms in (500, 10_000, 60_000, HOUR_MS, 12 * HOUR_MS, 24 * HOUR_MS)] == [
        *("500ms", "10s", "1m", "1h", "12h", "1d")
    ]
