"""Strangers coin no tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.influx.vocabulary import DAY_MS, Vocabulary, admitted, elsewhere, release_of

WORDS = Vocabulary(
    targets=frozenset({"whatsapp/call"}), networks=frozenset({("MA", 36903)}), release=release_of("0.2.0")
)


def test_a_place_and_a_target() -> None:
    assert WORDS.place(("MA", 36903, "Maroc Telecom", "adsl")) == {
        "country": "MA",
        "asn": "36903",
        "operator": "Maroc Telecom",
        "access": "adsl",
    }
    assert WORDS.target("whatsapp/call") == {"service": "whatsapp", "role": "call"}


def test_what_is_not_known_has_no_tags_of_its_own() -> None:
    assert WORDS.target("whatsapp/gossip") is None
    assert WORDS.place(("MA", 1, "One", "adsl")) is None
    assert elsewhere(("MA", 1, "One", "steam")) == {
        "country": "MA",
        "asn": "0",
        "operator": "other",
        "access": "unknown",
    }


def test_the_unknown_network_is_always_one() -> None:
    assert WORDS.place(("ZZ", 0, "unknown", "wifi")) is not None
    found = WORDS.place(("Mars, and beyond", 0, "\n\n", "wifi"))
    assert found == {"country": "ZZ", "asn": "0", "operator": "unknown", "access": "wifi"}


@pytest.mark.parametrize(
    ("software", "word"),
    [
        ("ringback 0.1.0", "ringback/0.1"),
        ("ringback/0.2.17", "ringback/0.2"),
        ("ringback 0.02", "ringback/0.2"),
        ("ringback 0.3.0", "other"),
        ("ringback 99.1.0", "other"),
        ("ringback", "other"),
        ("ringback 0.1.0, or so", "other"),
        ("Mozilla/5.0", "other"),
    ],
)
def test_releases_are_those_up_to_this_one(software: str, word: str) -> None:
    assert WORDS.software(software) == word
    assert WORDS.software(word) == word


def test_of_new_networks_only_so_many_a_day() -> None:
    seen = [("MA", asn, asn) for asn in range(5)] + [("MA", 7, DAY_MS)]
    assert admitted(seen, 3) == {("MA", 1), ("MA", 2), ("MA", 3), ("MA", 7)}


networks = st.tuples(st.sampled_from(["MA", "ES"]), st.integers(0, 50), st.integers(0, 3 * DAY_MS))


@given(st.lists(networks, unique_by=lambda n: n[:2], max_size=40), st.integers(1, 5), st.integers(0, 40))
def test_what_comes_later_takes_nobodys_place(seen: list[tuple[str, int, int]], most: int, cut: int) -> None:
    seen.sort(key=lambda one: one[2])
    latest = seen[cut - 1][2] if 0 < cut <= len(seen) else -1
    known = [one for one in seen if one[2] <= latest]
    assert admitted(known, most) == admitted(seen, most) & {one[:2] for one in known}
