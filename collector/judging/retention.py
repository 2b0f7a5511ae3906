"""How long bodies are kept: when they are old, what is concluded of them is frozen, and then they go.

What stays for good: the digest of each batch, its place in the log and when it was received, so that a batch is known
when it comes again and can be shown to have been there; and verdicts, cells and standing, as they were judged last
(collector/log/freezes.py). What was held by the operator stays too, as it was received.

A body goes by the day of its receipt. Days are counted back from the last one that is over and has a file, never from
the clock alone: a clock that is wrong for an hour must not cost a year. Nothing goes that is not judged, and each step
is made whole before the next: frozen, then let go day by day; whoever is interrupted goes on where it was.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

import duckdb
from prometheus_client import Counter

from collector.judging.frozen import Frozen
from collector.judging.index import SqliteIndex
from collector.log.operator import Holds
from collector.log.rewriting import Gone
from collector.log.segment import Segment, name_of
from collector.log.sqlite import SqliteLog
from collector.warehouse.store import Warehouse
from probe.failure import fault_text

DAYS = 90
LEAST_DAYS = 35  # what comes up to 30 days late is shown: it must find its hours open
MORE_DAYS = 2  # that are frozen before their bodies go: what bears on later hours was seen a day before at most
DAY_HOURS = 24
PAUSE_S = 3600.0  # after it failed

logger = logging.getLogger(__name__)


class Retention:
    """Keeps bodies in `log` for so many days. `run` is called, in the projector's thread, while all is judged."""

    def __init__(
        self,
        log: SqliteLog,
        index: SqliteIndex,
        warehouse: Warehouse,
        frozen: Frozen,
        *,
        days: int,
        holds: Callable[[], Holds],
        gone: Counter,
        clock: Callable[[], float],
    ) -> None:
        self._log, self._index, self._warehouse, self._frozen = log, index, warehouse, frozen
        self._days, self._holds, self._gone, self._clock = days, holds, gone, clock
        self._done: object = None
        self._not_before = 0.0

    def run(self) -> None:
        """Freezes and lets go what is old enough. A failure is logged, and it is tried again."""
        if self._clock() < self._not_before:
            return
        try:
            self._run()
        except (OSError, sqlite3.Error, duckdb.Error) as error:
            self._not_before = self._clock() + PAUSE_S
            logger.error("Old bodies could not be let go; it is tried again in an hour.\n%s", fault_text(error))

    def _run(self) -> None:
        days, holds = self._log.days, self._holds()
        asked = (len(days), holds)
        if asked == self._done:
            return
        first = first_day(days, self._days)
        if days and first > max(self._frozen.freezes.day, days[0].day) and self._is_judged(days, first):
            self._freeze(days, first)
        self._let_go([one for one in days[:-1] if one.day < self._frozen.freezes.day], holds)
        self._done = asked

    def _is_judged(self, days: tuple[Segment, ...], first: int) -> bool:
        """Whether all is that was received on the days before the hours that are to be judged later."""
        return self._warehouse.cursor() >= _first_position(days, first + MORE_DAYS) - 1

    def _freeze(self, days: tuple[Segment, ...], first: int) -> None:
        gone = _first_position(days, first) - 1
        until_hour = (first + MORE_DAYS) * DAY_HOURS
        self._frozen.freeze(self._warehouse, day=first, gone=gone, until_hour=until_hour, index=self._index)

    def _let_go(self, days: list[Segment], holds: Holds) -> None:
        self._index.freeze(self._frozen.freezes)
        gone = Gone()
        for one in days:
            if name_of(one.day) not in holds.days:
                gone += self._log.let_go(one, holds.digests)
        if gone.bodies:
            self._gone.inc(gone.bodies)
            logger.info(
                "%d batches received before %s have gone, of %d bytes: their digests, verdicts and cells stay.",
                gone.bodies,
                name_of(self._frozen.freezes.day),
                gone.bytes,
            )


def first_day(days: tuple[Segment, ...], keep: int) -> int:
    """The first day whose bodies stay when each is kept for so many days after its own; 0: all do.

    The newest segment is not over, and the time it says is the clock's alone.
    """
    return days[-2].day + 1 - keep if len(days) > 1 else 0


def _first_position(days: tuple[Segment, ...], day: int) -> int:
    """The position of the first batch received on that day or later."""
    return next(one.first for one in days if one.day >= day)
