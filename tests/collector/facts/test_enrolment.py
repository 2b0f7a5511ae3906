"""Enrolment: few places a day for each source, fair between sources, and never taken from those who have one."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from collector.facts.buckets import wider
from collector.facts.enrolment import FREE, OF_ASN, OF_SOURCE, OF_WIDER, places

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


def beside(prefix: int, number: int) -> str:
    """A bucket of a wider prefix."""
    return f"{prefix:012x}{number:020x}"


def test_a_wider_prefix_has_places_for_the_first_of_each_source_first() -> None:
    crowd = {key: days for n in range(OF_WIDER - 1) for key, days in asking(beside(7, n), 50).items()}
    home = beside(7, 99)
    taken = places(crowd | asking(home, 1))
    assert taken[f"{home}.0"] == DAY
    for day in range(DAY, DAY + 9):
        assert sum(each == day for each in taken.values()) == OF_WIDER


def test_however_many_sources_of_one_wider_prefix_take_nothing_from_another() -> None:
    crowd = {key: days for n in range(256) for key, days in asking(beside(7, n), 4).items()}
    honest = {key: days for n in range(10) for key, days in asking(beside(8, n), 1).items()}
    assert places(crowd | honest) | places(honest) == places(crowd | honest)
    two = {key: days for n in range(256) for key, days in asking(beside(9, n), 4).items()}
    alone = asking(beside(8, 0), 1)
    assert places(crowd | two | alone) | places(alone) == places(crowd | two | alone), "the first of each before others"


def test_a_bucket_of_before_there_were_wider_prefixes_is_of_one_of_its_own() -> None:
    old = {key: days for n in range(OF_ASN) for key, days in asking(f"{n:02x}" * 16, 1).items()}
    assert len({wider(source) for days in old.values() for source in days.values()}) == OF_ASN
    assert set(places(old).values()) == {DAY}


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
