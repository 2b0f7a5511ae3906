"""Enrolment: few places a day for each source, fair between sources, and never taken from those who have one."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from collector.facts.enrolment import FREE, OF_ASN, OF_SOURCE, places

DAY = 20_000  # of 2024


def asking(source: str, keys: int, first: int = DAY, days: int = 9) -> dict[str, dict[int, str]]:
    """So many keys of one source, which keeps its name over days here."""
    return {f"{source}.{n}": dict.fromkeys(range(first, first + days), source) for n in range(keys)}


def test_a_volunteer_takes_its_place_at_once() -> None:
    assert places(asking("home", OF_SOURCE)) == {f"home.{n}": DAY for n in range(OF_SOURCE)}


def test_a_source_has_few_places_a_day_and_the_others_wait_for_theirs() -> None:
    taken = sorted(places(asking("flood", 11), since=0).values())
    assert taken == [DAY] * OF_SOURCE + [DAY + 1] * OF_SOURCE + [DAY + 2] * (11 - 2 * OF_SOURCE)


def test_who_came_first_goes_first() -> None:
    early, late = asking("s", OF_SOURCE + 1), asking("s", 9, first=DAY + 1)
    taken = places({**{f"late {key}": days for key, days in late.items()}, **early})
    assert {key: taken[key] for key in early}.items() <= taken.items()
    assert max(taken[key] for key in early) == DAY + 1
    assert sum(day == DAY + 1 and key.startswith("late") for key, day in taken.items()) == OF_SOURCE - 1


def test_who_asks_no_more_gets_none_and_holds_up_nobody() -> None:
    gone = asking("s", 50, days=1)
    assert len(places(gone)) == OF_SOURCE
    later = asking("s.later", 1, first=DAY + 1) | {"new": {DAY + 1: "s"}}
    assert places(gone | later)["new"] == DAY + 1


def test_a_thousand_keys_of_three_sources_take_nothing_from_anybody() -> None:
    honest = {key: days for n in range(20) for key, days in asking(f"home {n}", 1).items()}
    flood = {key: days for n in range(3) for key, days in asking(f"net {n}", 334, first=DAY - 30, days=60).items()}
    alone, beside = places(honest), places(honest | flood)
    assert {key: beside[key] for key in honest} == alone
    for day in range(DAY - 30, DAY + 30):
        assert sum(beside[key] == day for key in flood if key in beside) <= 3 * OF_SOURCE


def test_an_autonomous_system_has_places_for_the_first_of_each_source_first() -> None:
    many = {key: days for n in range(OF_ASN - 1) for key, days in asking(f"net {n}", 50).items()}
    taken = places(many | asking("home", 1))
    assert taken["home.0"] == DAY
    assert sum(day == DAY for day in taken.values()) == OF_ASN


def test_what_was_received_before_there_were_buckets_has_no_quota() -> None:
    assert set(places(asking(FREE, 500)).values()) == {DAY}


def test_no_name_of_a_key_wins_at_every_source() -> None:
    """Else one could make keys until they go before all others."""
    keys = [f"{n:064x}" for n in range(40)]
    winners = [frozenset(places({key: {DAY: f"source {n}"} for key in keys})) for n in range(8)]
    assert {len(each) for each in winners} == {OF_SOURCE}
    assert frozenset.intersection(*winners) == frozenset()


asked = st.dictionaries(st.integers(DAY, DAY + 5), st.sampled_from(["a", "a", "b", FREE]), min_size=1)
sets = st.dictionaries(st.integers(0, 40).map(str), asked, max_size=40)


@given(sets, st.randoms(use_true_random=False), st.integers(DAY, DAY + 6))
def test_it_follows_from_the_set_and_can_be_taken_up_on_any_day(
    every: dict[str, dict[int, str]], chance: random.Random, since: int
) -> None:
    whole = places(every)
    shuffled = dict(chance.sample([*every.items()], len(every)))
    assert places(shuffled) == whole
    before = places({key: {day: s for day, s in days.items() if day < since} for key, days in every.items()})
    assert before == {key: day for key, day in whole.items() if day < since}, "no later day changes an earlier one"
    assert places(shuffled, before, since) == whole
