"""Standing: seven days and fifty results, from then on, whatever the order and whatever comes later."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

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
