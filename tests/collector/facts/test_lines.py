"""Lines: one heir and one past for each key, whatever the order, and never two lines of one past on a day."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.facts.lines import DAY_MS, Lines, Said, closure, said
from probe.codecs.succession import first_day, sign
from probe.model import BatchHeader
from probe.submit.identity import Keys

ASN, QUARTER = 36903, 225
TURN = first_day(QUARTER)
BEFORE, AFTER = TURN - 10, TURN + 10  # days


def one(old: str, new: str, day: int = BEFORE, digest: str = "0", quarter: int = QUARTER) -> Said:
    return Said(day * DAY_MS, digest, old, new, ASN, quarter)


def on(lines: Lines, day: int, keys: str = "abc") -> list[str | None]:
    return [lines.on(key, day) for key in keys]


def test_announced_the_heir_takes_over_at_the_turn() -> None:
    lines = Lines([one("a", "b")], {"b": TURN})
    assert on(lines, TURN - 1) == ["a", None, "c"]
    assert on(lines, TURN) == [None, "a", "c"]
    assert (lines.line("b"), lines.keys("a"), lines.since_day("b"), lines.before("b")) == ("a", ["a", "b"], TURN, "a")


def test_said_late_it_takes_over_on_the_next_day() -> None:
    lines = Lines([one("a", "b", AFTER)], {"b": AFTER})
    assert on(lines, AFTER) == ["a", None, "c"]
    assert on(lines, AFTER + 1) == [None, "a", "c"]


def test_a_key_that_lived_before_inherits_nothing() -> None:
    lines = Lines([one("a", "b", AFTER)], {"b": AFTER - 1})
    assert on(lines, AFTER + 1) == ["a", "b", "c"]


@pytest.mark.parametrize("first", ["b", "c"])
def test_a_key_has_one_heir_the_first_that_was_received(first: str) -> None:
    received = {"b": AFTER, "c": AFTER} | {first: BEFORE}
    lines = Lines([one("a", key, day) for key, day in received.items()])
    assert [key for key in "bc" if lines.line(key) == "a"] == [first]


def test_of_one_moment_the_least_digest_counts() -> None:
    lines = Lines([one("a", "b", digest="2"), one("a", "c", digest="1")])
    assert [lines.line(key) for key in "bc"] == ["b", "a"]


def test_no_two_keys_become_one() -> None:
    lines = Lines([one("a", "c", digest="1"), one("b", "c", digest="2")])
    assert on(lines, TURN) == [None, "b", "a"]


def test_a_chain_is_one_line_and_nobody_follows_himself() -> None:
    said = [one("a", "b"), one("b", "c", AFTER, quarter=QUARTER + 1), one("c", "a", AFTER + 1)]
    lines = Lines(said)
    assert lines.keys("a") == ["a", "b", "c"]
    assert on(lines, first_day(QUARTER + 1)) == [None, None, "a"]


def test_who_has_an_heir_names_no_past_any_more() -> None:
    assert Lines([one("b", "c", BEFORE), one("a", "b", BEFORE + 1)]).line("c") == "b"


KEYS = "abcdefg"
successions = st.builds(
    one,
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.integers(TURN - 4, TURN + 4),
    st.sampled_from("0123456789"),
    st.integers(QUARTER - 1, QUARTER + 1),
).filter(lambda each: each.old != each.new)


@settings(max_examples=200)
@given(
    st.lists(successions, max_size=12, unique_by=lambda each: (each.received_ms, each.digest)),
    st.dictionaries(st.sampled_from(KEYS), st.integers(TURN - 6, TURN + 6)),
    st.randoms(use_true_random=False),
)
def test_on_no_day_are_two_keys_one_line_whatever_is_said(
    every: list[Said], first_days: dict[str, int], chance: random.Random
) -> None:
    lines = Lines(every, first_days)
    again = Lines(chance.sample(every, len(every)), first_days)
    assert lines.turns(again) == {}
    for day in [*range(TURN - 12, TURN + 12), first_day(QUARTER + 1)]:
        there = [line for line in on(lines, day, KEYS) if line is not None]
        assert len(there) == len(set(there))
    for line in {lines.line(key) for key in KEYS}:
        days = [lines.since_day(key) for key in lines.keys(line)]
        assert all(before <= after for before, after in pairwise(days))


@given(st.lists(successions, max_size=8), st.lists(successions, max_size=3))
def test_what_turns_is_told_with_its_first_day(every: list[Said], more: list[Said]) -> None:
    before, after = Lines(every), Lines([*every, *more])
    told = after.turns(before)
    days = range(TURN - 12, first_day(QUARTER + 1) + 2)
    found = {key: [day for day in days if before.on(key, day) != after.on(key, day)] for key in KEYS}
    assert all(key in told and told[key] <= each[0] for key, each in found.items() if each)
    assert all(told[key] in {each[0], 0} for key, each in found.items() if key in told and each)


def test_what_is_not_signed_by_both_is_not_believed() -> None:
    """An earlier version kept it unseen: a field that it did not know."""
    keys = Keys(bytes(32))
    old, new = keys.of(ASN, QUARTER - 1), keys.of(ASN, QUARTER)
    genuine = sign(old.key, new.key, ASN, QUARTER, old.sign, new.sign)
    header = BatchHeader(format=2, key=old.key, batch="", sealed_ms=0, software="", targets="", succession=genuine)
    found = said(header, 7, b"\x01")
    assert found == Said(7, "01", old.key, new.key, ASN, QUARTER)
    for changed in (
        replace(header, key="0" * 64),
        replace(header, succession=None),
        replace(header, succession=replace(genuine, by_old=genuine.by_new)),
        replace(header, succession=replace(genuine, new="x")),
    ):
        assert said(changed, 7, b"\x01") is None


def test_all_that_follow_are_found_also_in_a_circle() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"), ("b", "f")]
    assert closure(["a"], pairs) == {"a", "b", "c", "f"}
    assert closure(["e"], pairs) == {"e"}
