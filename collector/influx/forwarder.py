"""Marks → points → InfluxDB, as fast as it takes them, and again until it has.

A mark goes when what it asked for is written. Until then nothing is lost by stopping: of what was marked, what stands
in the warehouse at that time will be written. Totals of an hour that goes on are written again once a pace, not with
every measurement; while there is much to catch up with, the latest hours come first.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

from collector.facts.standing import DAY_MS
from collector.influx.client import Misconfigured, Unavailable
from collector.influx.delivery import RefusedLine, deliver
from collector.influx.points import MAKERS, Points
from collector.influx.schema import Database
from collector.keeping_up import keep_up
from collector.metrics import Metrics
from collector.warehouse import outbox
from collector.warehouse.outbox import Kind
from collector.warehouse.store import Warehouse
from probe.failure import fault_text

MOST_LINES = 5000  # in one request
LEAST_LINES = 50  # where the server is slow
IDLE_S, LOOK_S = 1.0, 0.2
VITALS_S = 60.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.5, 60.0
MISCONFIGURED_S = 60.0

Write = Callable[[Database, Sequence[str]], None]  # collector.influx.client.Client.write
Sleep = Callable[[float], Awaitable[None]]

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """`run` was cancelled in the middle of a step; what was not settled will be written again."""


class Forwarder:
    """Keeps an InfluxDB up with `warehouse`. `write` blocks, as `step` does; `run` calls them in a thread of its own.

    `vitals` gives the collector's own point of now. `clock` is in seconds, `chance` in [0, 1).
    `error` is why the last step failed, or None.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        points: Points,
        write: Write,
        metrics: Metrics,
        now_ms: Callable[[], int],
        vitals: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.error: str | None = None
        self._warehouse, self._points, self._write, self._metrics = warehouse, points, write, metrics
        self._now_ms, self._vitals, self._clock, self._chance = now_ms, vitals, clock, chance
        self._sweeps: dict[Kind, int] = {}  # kind → the last mark of the sweep that is under way
        self._due = dict.fromkeys(MAKERS, clock())
        self._aside: set[Kind] = set()  # those whose points could not be made
        self._vitals_due = clock()
        self._editions_day: int | None = None
        self._most_lines = MOST_LINES
        self._failures = 0
        self._said = ""
        self._stopping = self._hurried = False

    # --- One piece of work at a time

    def step(self) -> bool:
        """Writes a piece of each kind; returns whether there was anything. Raises Unavailable or Misconfigured."""
        self._mark_late()
        worked = self._single()
        for kind in MAKERS:
            try:
                worked = self._some_of(kind) or worked
            except (Unavailable, Misconfigured, Stopped):
                raise
            except Exception as error:  # one that is broken must not hold up the others
                self._set_aside(kind, error)
        return worked

    def _set_aside(self, kind: Kind, error: Exception) -> None:
        said = "Points of the kind %s cannot be made; it is tried again in a while.\n%s"
        logger.error(said, kind.value, fault_text(error))
        self._metrics.influx_failures.labels("broken").inc()
        self._sweeps.pop(kind, None)
        self._aside.add(kind)
        self._due[kind] = self._clock() + MOST_PAUSE_S

    def _mark_late(self) -> None:
        """Marks, after each midnight, of what strangers are told another edition from then on."""
        today = self._now_ms() // DAY_MS
        if self._editions_day is None:  # what was received last was perhaps not yet told when this was stopped
            self._editions_day = self._warehouse.change(outbox.newest_day)
        if self._editions_day < today:
            since_ms, until_ms = self._editions_day * DAY_MS, today * DAY_MS
            self._warehouse.change(lambda c: outbox.mark_late(c, since_ms, until_ms))
            self._editions_day = today

    def _single(self) -> bool:
        marks = self._warehouse.change(lambda c: outbox.verdict_marks(c, MOST_LINES))
        if not marks:
            return False
        self._put(Database.RAW, self._points.single([mark[1:] for mark in marks]))
        self._warehouse.change(lambda c: outbox.settle_verdicts(c, marks[-1][0]))
        return True

    def _some_of(self, kind: Kind) -> bool:
        """Writes a few marks of a sweep; those set meanwhile wait for the next sweep, which comes a pace later."""
        if kind not in self._sweeps:
            if self._clock() < self._due[kind] and (not self._hurried or kind in self._aside):
                return False
            self._sweeps[kind] = self._warehouse.change(outbox.last_mark)
        maker, until = MAKERS[kind], self._sweeps[kind]
        marks = self._warehouse.change(lambda c: outbox.marks(c, kind, until, maker.at_once))
        if not marks:
            del self._sweeps[kind]
            self._due[kind] = self._clock() + maker.pace_s
            return False
        places = [(target, slot) for _, target, slot in marks]
        self._put(maker.database, self._points.lines(kind, places, self._now_ms()))
        self._warehouse.change(lambda c: outbox.settle(c, [number for number, _, _ in marks]))
        self._aside.discard(kind)
        return True

    def _put(self, database: Database, lines: Iterable[str]) -> None:
        left = iter(lines)
        while batch := list(islice(left, self._most_lines)):
            if self._stopping:
                raise Stopped
            delivered = deliver(lambda some: self._write(database, some), batch)
            self._most_lines = min(MOST_LINES, self._most_lines * 2)
            self._metrics.influx_points.labels("written").inc(delivered.written)
            if delivered.refused:
                self._bury(database, delivered.refused)

    def _bury(self, database: Database, refused: Sequence[RefusedLine]) -> None:
        now_ms = self._now_ms()
        letters = [(now_ms, database.value, one.line, one.status, one.reason) for one in refused]
        self._warehouse.change(lambda c: outbox.bury(c, letters))
        self._metrics.influx_points.labels("refused").inc(len(refused))
        self._say(f"InfluxDB refuses points ({refused[0].status}: {refused[0].reason}); they are kept as dead letters.")

    def _measure(self) -> None:
        self._metrics.influx_waiting.set(self._warehouse.change(outbox.waiting))
        self._metrics.influx_dead_letters.set(self._warehouse.change(outbox.buried))

    def _report(self) -> None:
        """The collector's own numbers, now. Those that could not be written are due still: else, where nothing else
        waits, the next attempt would write nothing, and take that for success.
        """
        if self._clock() >= self._vitals_due:
            self._put(Database.RAW, self._vitals())
            self._vitals_due = self._clock() + VITALS_S

    # --- Going on

    async def run(self, sleep: Sleep = asyncio.sleep) -> None:
        """Keeps up until cancelled. What fails is said once, kept in `error`, and tried again with growing pauses."""
        self._stopping = False
        await keep_up("influx", self._attempt, sleep, self._stop)  # leaving waits at most for one answer

    def _stop(self) -> None:
        self._stopping = True

    async def finished(self) -> bool:
        """Waits until all that is marked is written; False as soon as InfluxDB does not take it."""
        self._hurried = True
        try:
            while await asyncio.to_thread(self._warehouse.change, outbox.waiting):
                if self.error is not None or self._aside:
                    return False
                await asyncio.sleep(LOOK_S)
        finally:
            self._hurried = False
        return True

    def _attempt(self) -> float:
        """Makes one step; returns how long to pause, in seconds."""
        try:
            self._measure()
            worked = self.step()
            self._report()
        except Misconfigured as error:
            self._failed("misconfigured", str(error))
            return MISCONFIGURED_S
        except Unavailable as error:
            if error.slow:
                self._most_lines = max(LEAST_LINES, self._most_lines // 2)
            self._failed("unavailable", str(error))
            return self._pause_s(error.after_s)
        except Stopped:
            return 0.0
        except Exception as error:  # a broken projection must not stop the others, nor itself for good
            logger.error("Writing to InfluxDB failed; it is tried again.\n%s", fault_text(error))
            self._failed("broken", f"Writing to InfluxDB failed ({type(error).__name__}).")
            return self._pause_s(0.0)
        self._succeeded()
        return 0.0 if worked else IDLE_S

    def _pause_s(self, least_s: float) -> float:
        """The pause, with full jitter: many collectors do not come back at once."""
        most_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failures, 20))
        return max(least_s, most_s * self._chance())

    def _failed(self, kind: str, message: str) -> None:
        self._failures += 1
        self.error = message
        self._metrics.influx_broken.set(1)
        self._metrics.influx_failures.labels(kind).inc()
        self._say(f"{message} What waits for it is kept.")

    def _succeeded(self) -> None:
        if self._failures:
            logger.info("InfluxDB is written to again.")
            self._said = ""
        self._metrics.influx_broken.set(bool(self._aside))
        self._failures, self.error = 0, None

    def _say(self, sentence: str) -> None:
        """Logs a sentence, when it is not what was said last."""
        if sentence != self._said:
            logger.warning("%s", sentence)
        self._said = sentence
