"""Gaps in the numbers of a key's batches."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from collector.facts import gaps
from collector.facts.gaps import Gaps, Missing
from probe.model import BatchHeader


def header(sequence: int | None, key: str = "a" * 64, batches: int = 0, measurements: int = 0) -> BatchHeader:
    return BatchHeader(
        format=2,
        key=key,
        batch="b" * 32,
        sealed_ms=0,
        software="ringback 0.1.0",
        targets="d" * 64,
        sequence=sequence,
        lost_batches=batches,
        lost_measurements=measurements,
    )


@given(st.sets(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_what_lies_between_the_first_and_the_last_and_did_not_come(came: set[int], chance: random.Random) -> None:
    order = sorted(came)[1:]
    chance.shuffle(order)
    heard = Gaps()
    for number in [min(came), *order]:
        heard.hear(header(number))
        heard.hear(header(number))  # again
    assert heard.missing().batches == max(came) - min(came) + 1 - len(came)


def test_keys_are_told_apart_and_old_formats_passed_over() -> None:
    heard = Gaps()
    for one in (header(1), header(5, "b" * 64), header(3), header(None, "c" * 64)):
        heard.hear(one)
    assert heard.missing() == Missing(1, 0, 0)


def test_what_probes_dropped_is_added_up_once_a_key() -> None:
    heard = Gaps()
    for one in (header(1, batches=2), header(2, batches=3, measurements=1), header(1, "b" * 64, batches=1)):
        heard.hear(one)
    assert heard.missing() == Missing(0, 4, 1)


def test_what_is_remembered_has_an_end() -> None:
    heard = Gaps()
    for number in (1, 2**53 - 1, 5):
        heard.hear(header(number))
    assert heard.missing().batches <= gaps.MOST_MISSING
