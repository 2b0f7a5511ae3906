"""The projector: log → judge → warehouse. What it makes follows from the set of records in the log and nothing else.

Not from their order, not from how often they were received, nor from when this ran or was stopped: each arrival makes
hours dirty, a dirty hour is judged as a whole from the log, and its content and the cursor change in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from collector.judging.affected import dirty_hours
from collector.judging.controls import keys_digest
from collector.judging.evidence import Gatherer, Parse, TargetFiles
from collector.judging.hours import judge_hour
from collector.judging.rules import Rules
from collector.log import Log
from collector.warehouse.store import Basis, Hour, Warehouse, fresh
from collector.warehouse.tables import HourContent

BATCHES = 500  # in one step: at most 25,000 measurements in memory
HOURS = 500  # in one transaction of a rebuild
BURST_S = 0.2  # to let the rest of a burst arrive
POLL_S = 5.0  # for what nobody announced, a targets file for one
MAX_BACKOFF_S = 60.0

Sleep = Callable[[float], Awaitable[None]]

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """`run` was cancelled in the middle of a step; nothing of the step was written."""


class Projector:
    """Keeps `warehouse` up with `log`. `control_keys` are hex; `parse` reads a targets file.

    `step` and `rebuild` block, and must not run at the same time; `run` calls them in one thread of its own.
    `lag` is how many batches were not judged when it last looked; `error` is why the last step failed, or None.
    """

    def __init__(
        self, log: Log, warehouse: Warehouse, control_keys: frozenset[str], *, rules: Rules, parse: Parse
    ) -> None:
        self.lag = 0
        self.error: str | None = None
        self._log, self._warehouse, self._keys, self._rules = log, warehouse, control_keys, rules
        self._files = TargetFiles(log, parse)
        self._gatherer = Gatherer(log, control_keys, self._files)
        self._basis = Basis(rules_version=rules.version, controls=keys_digest(control_keys))
        self._arrival = asyncio.Event()
        self._stopping = False

    # --- One piece of work at a time

    def step(self, limit: int = BATCHES) -> int:
        """Judge what at most `limit` batches changed; returns how many batches were consumed, 0 when caught up.

        A warehouse that was judged by other rules, or with other controls, is first made again from the start.
        """
        self._settle_basis()
        cursor = self._warehouse.cursor()
        arrived = self._log.records(cursor, limit)
        batches = {record.cursor for record in arrived}
        dirty = dirty_hours(arrived, self._log, self._warehouse, self._keys, self._files)
        if dirty:
            self._warehouse.replace(list(self._judged(sorted(dirty))), max(batches, default=cursor))
        self.lag = self._log.cursor() - self._warehouse.cursor()
        return len(batches)

    def catch_up(self) -> None:
        """Judge all that the log holds."""
        while self.step():
            pass

    def rebuild(self) -> None:
        """Make the warehouse again from the whole log, in a file beside it that then takes its place."""
        path = self._warehouse.path
        if path is None:
            raise ValueError("a warehouse in memory cannot be rebuilt; make a new one")
        self._warehouse.adopt(self._made_again(path.with_name(path.name + ".new")))

    def _settle_basis(self) -> None:
        basis = self._warehouse.basis()
        if basis is None:
            self._warehouse.begin(self._basis)
        elif basis != self._basis:
            logger.info("The rules or the controls have changed: judging all measurements again.")
            self.rebuild()

    def _made_again(self, path: Path) -> Path:
        """Each hour is judged once; the cursor moves at the end, so that what is cut short is never taken up."""
        hours, cursor = self._all_hours()
        warehouse = fresh(path)
        try:
            warehouse.begin(self._basis)
            for chunk in _chunks(sorted(hours), HOURS):
                warehouse.replace(list(self._judged(chunk)), 0)
            warehouse.replace([], cursor)
        finally:
            warehouse.close()
        return path

    def _all_hours(self) -> tuple[set[Hour], int]:
        hours: set[Hour] = set()
        cursor = 0
        while arrived := self._log.records(cursor, BATCHES):
            hours.update((record.measurement.target, record.hour) for record in arrived)
            cursor = arrived[-1].cursor
        return hours, cursor

    def _judged(self, hours: Iterable[Hour]) -> Iterator[HourContent]:
        for target, hour in hours:
            if self._stopping:
                raise Stopped
            yield judge_hour(self._rules, target, hour, self._gatherer.hour(target, hour))

    # --- Going on

    def announce(self) -> None:
        """Say, from the event loop, that something was appended to the log."""
        self._arrival.set()

    async def run(self, sleep: Sleep = asyncio.sleep) -> None:
        """Keep up until cancelled. An error is logged, kept in `error`, and tried again with growing pauses."""
        self._stopping = False
        # One thread, which the log's and the file's own connections can belong to.
        with ThreadPoolExecutor(1, thread_name_prefix="projector") as thread:
            try:
                await self._keep_up(thread, sleep)
            finally:
                self._stopping = True  # leaving waits for the thread, which may be in the middle of a long step

    async def _keep_up(self, thread: Executor, sleep: Sleep) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            try:
                consumed = await loop.run_in_executor(thread, self.step)
            except Exception as error:  # a broken projection must not stop ingest: it catches up
                failures += 1
                self._failed(error)
                await sleep(min(2.0 ** min(failures, 10), MAX_BACKOFF_S))
                continue
            failures, self.error = 0, None
            if not consumed:
                await self._next_arrival()
                await sleep(BURST_S)

    def _failed(self, error: Exception) -> None:
        self.error = f"{type(error).__name__}: {error}"
        logger.exception("The projection failed; it is tried again.")

    async def _next_arrival(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._arrival.wait()
        except TimeoutError:
            return
        self._arrival.clear()


def _chunks(hours: Iterable[Hour], size: int) -> Iterator[list[Hour]]:
    left = iter(hours)
    while chunk := list(islice(left, size)):
        yield chunk
