"""Points for marks, as lines: one maker for each kind, in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from msgspec import Struct

from collector.facts.pseudonyms import Pseudonyms
from collector.influx import verdicts
from collector.influx.coverage import coverage
from collector.influx.events import Told, events, told_lines
from collector.influx.rollups import Rollups
from collector.influx.schema import DAILY, HOURLY, Database, Span
from collector.influx.vocabulary import NEW_NETWORKS, Vocabulary, admitted
from collector.judging.evidence import TargetFiles
from collector.judging.rules import MakeCell
from collector.warehouse.outbox import Kind, Mark, Noticed
from collector.warehouse.store import Warehouse

SEEN_TARGETS = f"SELECT DISTINCT word FROM seen WHERE kind = '{Noticed.TARGETS}'"
SEEN_NETWORKS = f"SELECT country, asn, min(first_ms) FROM seen WHERE kind = '{Noticed.NETWORK}' GROUP BY ALL"


Lines = Callable[["Points", Vocabulary, Sequence[Mark], int], Iterable[str]]  # the last: now, ms


class Maker(Struct, frozen=True):
    """A maker. `pace_s`: how old what was written may become before it is written again. `at_once`: marks in one go."""

    database: Database
    pace_s: float
    at_once: int
    lines: Lines


class Points:
    """Makes lines of what stands in `warehouse`.

    `files` are the targets files that were ever given out, `targets` the ids of the one of today; `release` is this
    collector's own, and of networks at most `new_networks` a day get tags of their own. `told` is what a simulated
    story tells.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        make_cell: MakeCell,
        files: TargetFiles,
        pseudonyms: Pseudonyms,
        targets: frozenset[str],
        release: tuple[int, int],
        new_networks: int = NEW_NETWORKS,
        told: Sequence[Told] = (),
    ) -> None:
        self.warehouse, self.rollups = warehouse, Rollups(warehouse, make_cell)
        self._files, self._targets, self.pseudonyms = files, targets, pseudonyms
        self._release, self._new_networks, self.told = release, new_networks, told

    def vocabulary(self) -> Vocabulary:
        """The vocabulary as of now; it only grows."""
        digests = [digest for (digest,) in self.warehouse.select(SEEN_TARGETS)]
        return Vocabulary(
            targets=self._targets.union(*map(self._files.names, digests)),
            networks=admitted(self.warehouse.select(SEEN_NETWORKS), self._new_networks),
            release=self._release,
        )

    def single(self, marks: Sequence[tuple[str, int, str, str]]) -> list[str]:
        """The points of verdicts (target, hour, key, uid), for the database of raw points."""
        return verdicts.single(self.warehouse, self.vocabulary(), self.pseudonyms, marks)

    def lines(self, kind: Kind, marks: Sequence[Mark], now_ms: int) -> list[str]:
        return list(MAKERS[kind].lines(self, self.vocabulary(), marks, now_ms))


def _totals(span: Span) -> Lines:
    return lambda points, words, marks, now_ms: points.rollups.of(span, words, marks, now_ms)


def _coverage(span: Span) -> Lines:
    return lambda points, words, marks, _: coverage(points.warehouse, span, words, [slot for _, slot in marks])


def _verdicts(points: Points, words: Vocabulary, marks: Sequence[Mark], _: int) -> Iterable[str]:
    return verdicts.of_hours(points.warehouse, words, points.pseudonyms, marks)


def _events(points: Points, words: Vocabulary, marks: Sequence[Mark], _: int) -> Iterable[str]:
    return chain(events(points.warehouse, words), told_lines(points.told))


# Few marks at once, since the warehouse does nothing else meanwhile.
MAKERS: dict[Kind, Maker] = {
    Kind.HOUR: Maker(Database.ROLLUP, 60, 20, _totals(HOURLY)),
    Kind.DAY: Maker(Database.ROLLUP, 600, 4, _totals(DAILY)),
    Kind.COVERAGE: Maker(Database.ROLLUP, 300, 4, _coverage(HOURLY)),
    Kind.COVERAGE_DAY: Maker(Database.ROLLUP, 1800, 1, _coverage(DAILY)),
    Kind.EVENTS: Maker(Database.ROLLUP, 60, 1, _events),
    Kind.VERDICTS: Maker(Database.RAW, 1, 2, _verdicts),
}
