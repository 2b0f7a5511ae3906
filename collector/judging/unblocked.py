"""The index without blocked keys: what they sent is kept, and bears on nothing that is judged.

So a blocked key is in no cell, speaks neither for nor against a neighbour, names no address, and gains no standing, and
all is as if it had never sent anything; when it is let in again, all is as if it had never been blocked. The keys that
follow a blocked one are blocked with it: both said so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from collector.facts.lines import Said, closure
from collector.judging.index import Arrived, Hour, Index
from collector.log import Record


class Unblocked:
    """An Index that leaves out the records of `keys`, in hex."""

    def __init__(self, index: Index, keys: frozenset[str] = frozenset()) -> None:
        self.everybody, self.keys = index, keys

    def position(self) -> int:
        return self.everybody.position()

    def extend(self, limit: int) -> int:
        return self.everybody.extend(limit)

    def arrived(self, after: int, limit: int) -> Arrived:
        found = self.everybody.arrived(after, limit)
        return Arrived(found.position, self._of_others(found.records), self._of_others(found.counting))

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        return self._of_others(self.everybody.measurements(target, first_hour, last_hour))

    def during(self, target: str, since_ms: int, until_ms: int) -> list[Record]:
        return self._of_others(self.everybody.during(target, since_ms, until_ms))

    def siblings(self, key: str, cycle: str, target: str | None = None, round: int | None = None) -> list[Record]:
        return [] if key in self.keys else self.everybody.siblings(key, cycle, target, round)

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        return self.everybody.by_keys([key for key in keys if key not in self.keys], since_ms, until_ms, target)

    def hours(self) -> set[Hour]:
        """Also those in which only blocked keys measured: they are empty."""
        return self.everybody.hours()

    def successions(self, after: int, upto: int) -> list[Said]:
        said = self.everybody.successions(after, upto)
        return [one for one in said if one.old not in self.keys and one.new not in self.keys]

    def _of_others(self, records: Iterable[Record]) -> list[Record]:
        return [record for record in records if record.key not in self.keys]


def with_heirs(blocked: frozenset[str], index: Index) -> frozenset[str]:
    """These keys, and all that anybody said to follow one of them."""
    if not blocked:
        return blocked
    return closure(blocked, ((one.old, one.new) for one in index.successions(-1, index.position())))
