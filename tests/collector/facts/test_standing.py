"""Standing: seven days and fifty results, from then on, whatever the order and whatever comes later."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.facts.enrolment import OF_SOURCE
from collector.facts.lines import Said
from collector.facts.standing import (
    DAY_MS,
    DAYS,
    RESULTS,
    Sighting,
    Standings,
    days_of,
    sighting,
)
from probe.model import Link, Measurement, Neutral, NotAttempted, Transport, Void
from tests.collector.batches import Volunteer

KEY, OTHER = "a" * 64, "b" * 64
ASN = 36903
FIRST = 20_000  # a day of 2024


def seen(day: int, number: int = 0, **changes: object) -> Sighting:
    one = Sighting(key=KEY, uid=f"{day}.{number}", asn=ASN, day=day, checked=True, consistent=True)
    return replace(one, **changes)


def honest(days: int = DAYS, each: int = 8, first: int = FIRST) -> list[Sighting]:
    return [seen(day, number) for day in range(first, first + days) for number in range(each)]


def standings(*sightings: Sighting) -> Standings:
    return Standings(days_of(sightings))


def since_of(*sightings: Sighting) -> int | None:
    since_ms = standings(*sightings).since_ms(KEY, ASN)
    return None if since_ms is None else since_ms // DAY_MS


sightings = st.builds(
    Sighting,
    key=st.sampled_from([KEY, KEY, KEY, OTHER]),
    uid=st.integers(0, 10**9).map(str),
    asn=st.sampled_from([ASN, ASN, ASN, 3352, 0]),
    day=st.integers(FIRST, FIRST + 9),
    checked=st.sampled_from([True, True, True, False]),
    consistent=st.sampled_from([True, True, True, False]),
)
# Half of an honest key, so that what is drawn beside it decides.
histories = st.lists(sightings, max_size=60, unique_by=lambda s: (s.key, s.uid)).map(
    lambda drawn: [*honest(days=6, each=8), *drawn]
)


@given(histories, st.randoms(use_true_random=False))
def test_it_follows_from_the_set_of_sightings(history: list[Sighting], chance: random.Random) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)
    growing = Standings()
    for one in shuffled:
        growing.add(days_of([one]))
    whole = standings(*history)
    for key in (KEY, OTHER):
        for asn in (ASN, 3352, 0):
            assert growing.since_ms(key, asn) == whole.since_ms(key, asn)


@given(histories, st.lists(sightings, max_size=30))
def test_more_sightings_never_take_it_back(history: list[Sighting], more: list[Sighting]) -> None:
    before, after = since_of(*history), since_of(*history, *more)
    assert before is None or (after is not None and after <= before)


@given(st.integers(0, 5000), st.integers(1, DAYS - 1))
def test_no_flood_makes_it_in_fewer_days(results: int, days: int) -> None:
    flood = [seen(FIRST + number % days, number) for number in range(results)]
    assert since_of(*flood) is None


@given(histories)
def test_a_key_in_another_network_and_another_key_add_nothing(history: list[Sighting]) -> None:
    own = [one for one in history if (one.key, one.asn) == (KEY, ASN)]
    assert since_of(*history) == since_of(*own)


def test_from_the_midnight_after_and_never_backwards() -> None:
    found = standings(*honest())
    begins_ms = (FIRST + DAYS) * DAY_MS
    assert found.since_ms(KEY, ASN) == begins_ms
    assert not found.is_established(KEY, ASN, begins_ms - 1)
    assert found.is_established(KEY, ASN, begins_ms)
    assert not found.is_established(OTHER, ASN, begins_ms)


@pytest.mark.parametrize(
    "lacking",
    [
        honest(days=DAYS - 1, each=100),
        honest(each=RESULTS // DAYS),
        [replace(one, consistent=False) for one in honest()],
        [replace(one, checked=False) for one in honest()],
        [replace(one, asn=0) for one in honest()],
        [replace(one, asn=one.day) for one in honest()],
    ],
    ids=["six days", "49 results", "none hangs together", "no self-check", "network unknown", "another network a day"],
)
def test_what_does_not_make_it(lacking: list[Sighting]) -> None:
    assert since_of(*lacking) is None


def test_days_on_which_neutrals_fail_count_and_it_does_not_lapse() -> None:
    failing = [seen(day, consistent=False) for day in range(FIRST + 3, FIRST + DAYS)]
    assert since_of(*honest(days=3, each=17), *failing) == FIRST + DAYS
    later = [seen(day, consistent=False) for day in range(FIRST + DAYS, FIRST + 40)]
    assert since_of(*honest(), *later) == FIRST + DAYS


def test_growing_tells_whose_standing_begins_and_when() -> None:
    growing = standings(*honest(days=DAYS - 1))
    last = honest(days=1, first=FIRST + DAYS - 1)
    assert growing.add(days_of([replace(last[0], key=OTHER)])) == {}
    assert growing.add(days_of(last)) == {(KEY, ASN): FIRST + DAYS}
    assert growing.add(days_of([seen(FIRST + 20)])) == {}
    assert growing.day((KEY, ASN), FIRST).consistent == 8


# --- What a sighting is


def neutral(failure: str | None = None) -> Neutral:
    return Neutral(target="baseline/web", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=failure)


def measured(**link: object) -> Measurement:
    one = Volunteer(1).measure()
    fields = {"up": True, "neutrals": (neutral(), neutral(), neutral("generic_timeout_error")), **link}
    return replace(one, link=Link(**fields))


def made_of(measurement: Measurement) -> tuple[bool, bool]:
    found = sighting(KEY, ASN, FIRST * DAY_MS + 5, measurement)
    assert (found.key, found.asn, found.day, found.uid) == (KEY, ASN, FIRST, measurement.uid)
    return found.checked, found.consistent


def test_a_sighting_is_a_measurement_as_it_was_received() -> None:
    failed = neutral("generic_timeout_error")
    assert made_of(measured()) == (True, True)
    assert made_of(measured(neutrals=())) == (False, False)
    assert made_of(measured(neutrals=(neutral(), failed))) == (True, False)
    assert made_of(measured(up=False)) == (True, False)
    assert made_of(measured(void=Void.VPN)) == (True, False)
    assert made_of(replace(measured(), not_attempted=NotAttempted.BUDGET)) == (True, False)
    assert made_of(replace(measured(), simulated=True)) == (False, False)


# --- Places for new keys


def from_source(source: str, keys: int, days: range, each: int = 8) -> list[Sighting]:
    """So many keys of one source, each seen daily."""
    return [
        replace(seen(day, number), key=f"{source}.{n}", source=source)
        for n in range(keys)
        for day in days
        for number in range(each)
    ]


WEEK = range(FIRST, FIRST + DAYS)
FLOOD = [one for n in range(3) for one in from_source(f"net {n}", 333, range(FIRST, FIRST + DAYS + 2), each=6)]


def since_days(found: Standings, sightings: Iterable[Sighting]) -> dict[str, int | None]:
    return {key: found.since_ms(key, ASN) for key in sorted({one.key for one in sightings})}


def test_a_thousand_fresh_keys_of_three_networks_take_nothing_and_get_little() -> None:
    """Neither from those who are established, nor from those who come on the same day from elsewhere."""
    old = from_source("old", 4, range(FIRST - 9, FIRST + DAYS))
    new = from_source("new", 3, WEEK)
    found, alone = standings(*old, *new, *FLOOD), standings(*old, *new)
    assert since_days(found, [*old, *new]) == since_days(alone, [*old, *new])
    assert None not in since_days(found, [*old, *new]).values()
    counting = [since for since in since_days(found, FLOOD).values() if since is not None]
    assert len(counting) == 3 * OF_SOURCE, "of 999: those of the first day, whose fifty results took nine days"


def test_who_waited_counts_its_days_from_its_place_on() -> None:
    waiting = standings(*from_source("s", OF_SOURCE + 1, range(FIRST, FIRST + 12)))
    found = sorted(filter(None, since_days(waiting, from_source("s", OF_SOURCE + 1, WEEK)).values()))
    assert found == [(FIRST + DAYS) * DAY_MS] * OF_SOURCE + [(FIRST + DAYS + 1) * DAY_MS]


def test_a_day_of_what_was_measured_before_asks_for_no_place() -> None:
    """Its source on that day is not known, and is on the next."""
    late = [replace(one, source=None) for one in honest(days=1)]
    assert since_of(*late, *(replace(one, source="s") for one in honest(first=FIRST + 1))) == FIRST + 1 + DAYS


crowded = st.lists(
    st.builds(
        Sighting,
        key=st.integers(0, 9).map(str),
        uid=st.integers(0, 10**9).map(str),
        asn=st.just(ASN),
        day=st.integers(FIRST, FIRST + 2),
        checked=st.sampled_from([True, True, False]),
        consistent=st.just(True),
        source=st.sampled_from(["s", "s", "s", "t", None]),
    ),
    max_size=40,
    unique_by=lambda one: (one.key, one.uid),
).map(lambda drawn: [*drawn, *(one for day in (4, 5, 6, 7, 8, 9) for one in daily(FIRST + day))])


def daily(day: int) -> list[Sighting]:
    return [replace(seen(day, n), key=str(key), source="s") for key in range(10) for n in range(9)]


@settings(max_examples=40, deadline=None)
@given(crowded, st.randoms(use_true_random=False))
def test_places_follow_from_the_set_and_each_change_is_told(crowd: list[Sighting], chance: random.Random) -> None:
    arriving, growing, told = chance.sample(crowd, len(crowd)), Standings(), dict[str, int | None]()
    while arriving:
        some, arriving = arriving[:31], arriving[31:]
        began = growing.add(days_of(some))
        after = since_days(growing, crowd)
        assert {key for key, _ in began} == {key for key in after if after[key] != told.get(key)}
        told = after
    assert told == since_days(standings(*crowd), crowd)


# --- From one quarter's key to the next --------------------------------------------------------------------------

TURN = 20_089  # 1 January 2025, in quarter 220
HEIR = "c" * 64


def handed(day: int = TURN - 10, old: str = KEY, new: str = HEIR, asn: int = ASN, digest: str = "0") -> Said:
    return Said(day * DAY_MS, digest, old, new, asn, 220)


def keyed(key: str, days: Iterable[int], each: int = 8) -> list[Sighting]:
    return [replace(seen(day, number), key=key) for day in days for number in range(each)]


def counts(found: Standings, key: str, day: int, asn: int = ASN) -> bool:
    return found.is_established(key, asn, day * DAY_MS + 1, day * DAY_MS)


HISTORY = [*keyed(KEY, range(TURN - 20, TURN)), *keyed(HEIR, range(TURN, TURN + 20))]


def test_standing_carries_on_without_a_day_in_between() -> None:
    found = Standings(days_of(HISTORY), [handed()])
    assert [(counts(found, KEY, day), counts(found, HEIR, day)) for day in range(TURN - 2, TURN + 2)] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]
    assert found.since_ms(HEIR, ASN) == TURN * DAY_MS
    assert found.before(HEIR, ASN) == KEY


def test_without_it_the_next_key_starts_anew() -> None:
    found = standings(*HISTORY)
    assert not counts(found, HEIR, TURN + 6)
    assert counts(found, HEIR, TURN + 7)


def test_it_carries_on_in_its_own_system_alone() -> None:
    elsewhere = [replace(one, asn=3352) for one in HISTORY]
    found = Standings(days_of([*HISTORY, *elsewhere]), [handed()])
    assert counts(found, HEIR, TURN)
    assert not counts(found, HEIR, TURN, 3352)
    assert counts(found, KEY, TURN, 3352)


def test_what_was_measured_before_the_turn_and_received_after_counts_under_the_old_key() -> None:
    found = Standings(days_of(HISTORY), [handed()])
    assert found.is_established(KEY, ASN, (TURN + 1) * DAY_MS, TURN * DAY_MS - 1)
    assert not found.is_established(HEIR, ASN, (TURN + 1) * DAY_MS, TURN * DAY_MS - 1)


def test_days_that_were_begun_under_one_key_are_ended_under_the_next() -> None:
    found = Standings(days_of([*keyed(KEY, range(TURN - 4, TURN)), *keyed(HEIR, range(TURN, TURN + 5))]), [handed()])
    assert found.since_ms(HEIR, ASN) == (TURN + 3) * DAY_MS


def test_a_new_key_takes_no_place_from_others() -> None:
    """All volunteers of a network turn on one day: no newcomer has to wait for that."""
    old = [f"{number:064x}" for number in range(40)]
    new = [f"{number + 100:064x}" for number in range(40)]
    before = [one for key in old for one in keyed(key, range(TURN - 20, TURN), 1)]
    after = [replace(one, source=f"s{one.key[-2:]}") for key in new for one in keyed(key, range(TURN, TURN + 3), 1)]
    comers = [replace(one, source=f"n{n}") for n in range(30) for one in keyed(f"{n + 900:064x}", [TURN], 1)]
    said = [handed(old=one, new=other) for one, other in zip(old, new, strict=True)]
    found = Standings(days_of([*before, *after, *comers]), said)
    assert len(found._places[ASN].keys() & {one.key for one in comers}) == 30
    assert not found._places[ASN].keys() & set(new)


drawn = st.lists(
    st.builds(
        seen,
        day=st.integers(TURN - 9, TURN + 9),
        number=st.integers(0, 10**9),
        key=st.sampled_from([KEY, HEIR, OTHER, "d" * 64]),
        asn=st.sampled_from([ASN, ASN, 3352]),
        source=st.sampled_from(["s1", "s2", None]),
    ),
    max_size=25,
    unique_by=lambda one: (one.key, one.uid),
)
handings = st.lists(
    st.builds(
        handed,
        day=st.integers(TURN - 12, TURN + 9),
        old=st.sampled_from([KEY, HEIR, OTHER]),
        new=st.sampled_from([HEIR, OTHER, "d" * 64]),
        asn=st.sampled_from([ASN, ASN, 3352]),
        digest=st.sampled_from("0123456789"),
    ).filter(lambda one: one.old != one.new),
    max_size=5,
    unique_by=lambda one: (one.received_ms, one.digest),
)
DAYS_AROUND = range(TURN - 14, TURN + 16)


@settings(max_examples=150, deadline=None)
@given(drawn, handings, st.randoms(use_true_random=False))
def test_it_follows_from_the_sets_of_sightings_and_successions_and_each_change_is_told(
    extra: list[Sighting], said: list[Said], chance: random.Random
) -> None:
    every = [*keyed(KEY, range(TURN - 9, TURN), 9), *keyed(OTHER, range(TURN - 8, TURN + 4), 9), *extra]
    whole, growing = Standings(days_of(every), said), Standings()
    arriving: list[Sighting | Said] = chance.sample([*every, *said], len(every) + len(said))
    subscribers = [(key, asn) for key in (KEY, HEIR, OTHER, "d" * 64) for asn in (ASN, 3352)]
    known = {(key, asn, day): False for key, asn in subscribers for day in DAYS_AROUND}
    while arriving:
        some, arriving = arriving[:17], arriving[17:]
        told = growing.add(
            days_of(one for one in some if isinstance(one, Sighting)), [one for one in some if isinstance(one, Said)]
        )
        now = {(key, asn, day): counts(growing, key, day, asn) for key, asn, day in known}
        changed = {one for one in known if known[one] != now[one]}
        assert all(told[key, asn] <= day for key, asn, day in changed)
        known = now
    assert known == {(key, asn, day): counts(whole, key, day, asn) for key, asn, day in known}


@settings(max_examples=150, deadline=None)
@given(drawn, handings)
def test_one_past_never_counts_twice_on_a_day(extra: list[Sighting], said: list[Said]) -> None:
    """Of all keys, those that count on a day without a past of their own are no more than the pasts that there are."""
    every = [*keyed(KEY, range(TURN - 9, TURN + 9), 9), *extra]
    found = Standings(days_of(every), said)
    alone = Standings(days_of(every))
    for day in DAYS_AROUND:
        counting = [key for key in (KEY, HEIR, OTHER, "d" * 64) if counts(found, key, day)]
        own = [key for key in (KEY, HEIR, OTHER, "d" * 64) if counts(alone, key, day)]
        assert len(counting) <= len(own)
