"""Who counts: by what the collector saw, or as it is told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from collector.facts.buckets import NOWHERE
from collector.facts.enrolment import FREE
from collector.facts.standing import DAY_MS, Day, Standings, day_of
from collector.judging.who_counts import TOLD, by_standing, count_sources
from tests.collector.judging.evidence import MAROC, MEDI, START_MS, record

TODAY = day_of(START_MS)
WEEK = {day: Day(True, 10, FREE) for day in range(TODAY - 7, TODAY)}


def test_a_line_counts_from_the_receipt_on_at_which_it_was_established() -> None:
    standings = Standings({("k1", MAROC.asn): WEEK})
    who = by_standing(lambda one: standings.is_established(one.key, one.network.asn, one.received_ms))
    assert who.established(record(key="k1"))
    assert not who.established(record(key="k2"))
    assert not who.established(record(key="k1", network=MEDI))
    assert not who.established(replace(record(key="k1"), received_ms=TODAY * DAY_MS - 1))


@pytest.mark.parametrize(("days", "bucket"), [(-1, NOWHERE), (0, "ab" * 16), (1, "cd" * 16), (2, NOWHERE)])
def test_a_bucket_is_of_the_day_of_the_start(days: int, bucket: str) -> None:
    """What was received days later, by the secrets of that day and of the day before."""
    who = by_standing(lambda one: False)
    late = replace(record(), bucket="ab" * 16 + "cd" * 16, received_ms=START_MS + days * DAY_MS)
    assert who.source(late) == (TODAY, bucket)
    assert who.bucket(replace(late, bucket=None)) is None, "received before there were buckets"


def test_who_is_told_counts_everybody_each_by_itself() -> None:
    assert TOLD.established(record(key="k9"))
    assert TOLD.source(record(key="k9")) == (TODAY, "k9")


@pytest.mark.parametrize(
    ("sources", "most_each", "count"),
    [
        ([], 1, 0),
        ([(1, "a"), (1, "a"), (1, "b")], 1, 2),
        ([(1, "a"), (1, "a"), (1, "a"), (1, "b")], 2, 3),
        ([(1, None), (1, None), (1, "a")], 1, 2),
        ([(1, "a"), (2, "b")], 1, 1),
        ([(1, "a"), (1, "b"), (2, "c")], 1, 2),
    ],
)
def test_sources_of_different_days_are_not_summed(sources: list[tuple[int, str]], most_each: int, count: int) -> None:
    assert count_sources(sources, most_each) == count
