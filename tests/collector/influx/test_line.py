"""Lines are what the schema says, and nothing else can be made."""

from __future__ import annotations

import math

import pytest

from collector.influx.line import clean, line, series
from collector.influx.schema import CELL_1H, EVENT, MEASUREMENTS, STATES, VERDICT

PLACE = {"country": "MA", "asn": "36903", "operator": "Maroc Telecom", "access": "adsl"}
TAGS = PLACE | {"service": "whatsapp", "role": "call"}


def test_a_line() -> None:
    fields = {"lines": 3, "state": "blocked", "loss": 0.25}
    assert line(CELL_1H, TAGS, fields, 1_772_000_000_000_000_000) == (
        r"cell_1h,country=MA,asn=36903,operator=Maroc\ Telecom,access=adsl,service=whatsapp,role=call "
        r'lines=3i,state="blocked",loss=0.25 1772000000000000000'
    )


def test_tags_stand_in_the_order_of_the_schema_and_empty_ones_are_left_out() -> None:
    assert series(VERDICT, dict(reversed(TAGS.items()))) == series(VERDICT, TAGS)
    assert series(EVENT, {"kind": "release", "country": ""}) == "event,kind=release"


def test_fields_that_are_none_are_left_out() -> None:
    assert line(EVENT, {}, {"title": "a", "text": None}, 7) == 'event title="a" 7'
    with pytest.raises(ValueError, match=r"^A point of event needs a field\.$"):
        line(EVENT, {}, {"title": None}, 7)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("a,b=c d", r"a\,b\=c\ d"),
        ("ends with\\", r"ends\ with/"),
        ("two\nlines\r\n", r"two\ lines"),
        ('a "quoted" one', r"a\ \"quoted\"\ one".replace('\\"', '"')),
        ("\u2028\x00\x85", ""),
        ("📞" * 10_000, "📞" * 64),
        ("\ud800", "?"),
    ],
)
def test_what_becomes_of_a_tag(text: str, tag: str) -> None:
    assert series(EVENT, {"operator": text}) == (f"event,operator={tag}" if tag else "event")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('say "no"', r'"say \"no\""'),
        ("back\\", r'"back\\"'),
        ("two\nlines", '"two lines"'),
        ("x" * 10_000, f'"{"x" * 500}"'),
        ("", '""'),
    ],
)
def test_what_becomes_of_a_text(text: str, field: str) -> None:
    assert line(EVENT, {}, {"title": text}, 0) == f"event title={field} 0"


def test_a_cut_leaves_no_space_at_the_end() -> None:
    assert clean("abc   def", 5) == "abc"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"lines": 1.0}, "The field lines of cell_1h is of type int, not 1.0."),
        ({"lines": True}, "The field lines of cell_1h is of type int, not True."),
        ({"loss": 1}, "The field loss of cell_1h is of type float, not 1."),
        ({"state": 1}, "The field state of cell_1h is of type str, not 1."),
        ({"line": 1}, "cell_1h has no field line."),
        ({"loss": math.nan}, "InfluxDB cannot hold nan."),
        ({"lines": 2**63}, "InfluxDB cannot hold 9223372036854775808."),
    ],
)
def test_what_is_no_field(fields: dict[str, int | float | str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        line(CELL_1H, TAGS, fields, 0)


def test_what_is_no_tag() -> None:
    with pytest.raises(ValueError, match=r"^cell_1h has no tag uid\.$"):
        series(CELL_1H, {"uid": "1"})


def test_no_name_is_of_a_tag_and_of_a_field() -> None:
    assert not any(set(one.tags) & set(one.fields) for one in MEASUREMENTS.values())


def test_all_states_of_verdicts_are_counted() -> None:
    assert set(STATES) == {"ok", "degraded", "blocked", "likely_blocked", "impaired", "down", "insufficient"}
    assert set(STATES) < set(CELL_1H.fields)
