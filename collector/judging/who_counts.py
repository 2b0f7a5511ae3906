"""Who counts: whether a record's line was established when it was received, and from which source bucket it came.

Everything that a threshold counts is counted by these two facts. In a replay, a demo, a lab or a test the instance is
*told* them, as it is told who is a control: its lines are whoever it says, each from a source of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from msgspec import Struct

from collector.facts.buckets import of_day
from collector.facts.standing import day_of
from collector.log import Record

RECKONING = "standing 2"  # how it is reckoned who counts: when that changes, all is judged again
TOLD_RECKONING = "told"

Source = tuple[int, Hashable]  # day (UTC) since 1970, source bucket


class WhoCounts(Struct, frozen=True):
    """`established` at receipt; `bucket`: the keyed hash of the source on the day of the record's start.

    None is of what was received before there were buckets.
    """

    established: Callable[[Record], bool]
    bucket: Callable[[Record], str | None]

    def source(self, record: Record) -> Source:
        """The record's source; those whose bucket is not known are one together."""
        return day_of(record.started_ms), self.bucket(record)


def _everybody(record: Record) -> bool:
    return True


def _own(record: Record) -> str:
    """Each key is a source of its own."""
    return record.key


TOLD = WhoCounts(_everybody, _own)


def by_standing(established: Callable[[Record], bool]) -> WhoCounts:
    """By what the collector itself saw. An envelope knows its source under the secrets of its own day and of the day
    before: what was measured on an earlier one is, with all else of unknown source, of one together.
    """

    def bucket(record: Record) -> str | None:
        waited = day_of(record.received_ms) - day_of(record.started_ms)
        return None if record.bucket is None else of_day(record.bucket, waited)

    return WhoCounts(established, bucket)


def count_sources(sources: Iterable[Source], most_each: int = 1) -> int:
    """How many lines these are when of each source at most so many count; of several days, the most of any one."""
    lines: dict[int, dict[Hashable, int]] = defaultdict(lambda: defaultdict(int))
    for day, bucket in sources:
        lines[day][bucket] += 1
    return max((sum(min(n, most_each) for n in each.values()) for each in lines.values()), default=0)
