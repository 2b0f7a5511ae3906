"""The projector: log → index → judge → warehouse. What it makes follows from the set of envelopes and nothing else.

Not from their order, not from how often they were received, nor from when this ran or was stopped: whom an arrival
concerns is judged again from the index, and what that changes is written together with the cursor, in one transaction,
with what is owed to the sums from then on (summing.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Protocol

from collector.facts.kept_targets import TargetBodies
from collector.judging.affected import Affected
from collector.judging.changed_basis import ChangedBasis, why_anew
from collector.judging.evidence import Gatherer, Parse, TargetFiles
from collector.judging.frozen import Frozen
from collector.judging.index import Index
from collector.judging.judging import Judging, held
from collector.judging.kept_standing import KeptStanding
from collector.judging.quarantine import Quarantine
from collector.judging.rules import Rules
from collector.judging.summing import Summing
from collector.judging.unblocked import Unblocked, with_heirs
from collector.judging.who_counts import RECKONING, TOLD_RECKONING
from collector.keeping_up import keep_up
from collector.log import Log, Record
from collector.warehouse.basis import Basis
from collector.warehouse.interface import Hour, Warehouse
from collector.warehouse.store import fresh
from collector.warehouse.tables import Change
from probe.failure import fault_text

BATCHES = 100  # in one step: at most 5,000 measurements in memory
HOURS = 20  # of a target, in one transaction of a rebuild
AGAIN = 16  # hours of a target that are judged again in one step, after what arrived
BURST_S = 0.2  # to let the rest of a burst arrive
POLL_S = 5.0  # for what nobody announced, a targets file for one
MAX_BACKOFF_S = 60.0
STANDSTILL_S = 300.0  # a step takes a minute or two at most, but for a rebuild

Sleep = Callable[[float], Awaitable[None]]

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """`run` was cancelled in the middle of a step; nothing of the step was written."""


class FailedElsewhere(Exception):
    """A step failed in another process. `fault`: where it was, without its words."""

    def __init__(self, said: str, fault: str) -> None:
        super().__init__(said)
        self.fault = fault


class Elsewhere(Protocol):
    """Whoever does the steps in another process (process/parent.py)."""

    def step(self, limit: int) -> tuple[int, Counter[str]]:
        """As Projector.step, with how many measurements cannot be judged, by class of exception."""
        ...

    def end(self) -> None:
        """Ends that process, from any thread, also in the middle of a step; the next step begins another one."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(self, *words: object) -> None: ...


class Projector:
    """Keeps `index` and `warehouse` up with `log`. `control_keys` are hex; `parse` reads a file of `targets`; `told`:
    everybody counts; `blocked` are the keys that count for nothing now. What is `frozen` is never judged again.
    `at_rest` is called, between two steps, when all that the log holds is judged; `forget` before each, with how to
    judge all again, for what is to be forgotten.
    Where there is an `elsewhere`, `run` has the steps done there.

    `step` and `rebuild` block, and must not run at the same time; `run` calls them in one thread of its own.
    `lag` is how many batches were not judged when it last looked; `error` is why the last step failed, or None.
    """

    def __init__(
        self,
        log: Log,
        index: Index,
        targets: TargetBodies,
        warehouse: Warehouse,
        control_keys: frozenset[str],
        *,
        rules: Rules,
        parse: Parse,
        clock: Callable[[], float] = time.monotonic,
        told: bool = True,
        blocked: Callable[[], frozenset[str]] = frozenset,
        frozen: Frozen | None = None,
        at_rest: Callable[[], None] = lambda: None,
        forget: Callable[[Callable[[], None]], None] = lambda rebuild: None,
        quarantine: Quarantine | None = None,
        is_ahead: bool = False,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.lag = 0
        self.error: str | None = None
        self._log, self._index, self._warehouse, self._keys, self._rules = (
            log,
            Unblocked(index),
            warehouse,
            control_keys,
            rules,
        )
        self._files = TargetFiles(targets, parse)
        self._quarantine, self._elsewhere = quarantine or Quarantine(), elsewhere
        self._held_elsewhere = Counter[str]()
        self._told, self._blocked = told, blocked
        self._frozen, self._at_rest, self._forget = frozen or Frozen(None), at_rest, forget
        self._standing = KeptStanding(self._index, self._frozen, told=told)
        gatherer = Gatherer(self._index, control_keys, self._files, self._standing.who, quarantine=self._quarantine)
        affected = Affected(self._index, gatherer, self._files)
        self._judging = Judging(
            *(self._index, gatherer, self._quarantine, affected),
            rules=rules,
            go_on=self._go_on,
            is_frozen=self._frozen.holds,
        )
        self._summing = Summing(rules, self._quarantine)
        self._changed = ChangedBasis(self._index, self._standing, self._files, self._frozen, self._go_on)
        self._begun = False
        # As after an older backup was restored. Asked before more is received, which would hide it.
        self._is_ahead = is_ahead or warehouse.cursor() > log.latest()
        self._arrival = asyncio.Event()
        self._stopping, self._failures = False, 0
        self._clock = clock
        self._waiting_since: float | None = clock()  # when what is not judged yet came, or judging last got on

    def counts(self, record: Record) -> bool:
        """Whether the line of a record was established when it was received."""
        return self._standing.who.established(record)

    @property
    def quarantined(self) -> Counter[str]:
        """How many measurements cannot be judged, by class of exception."""
        return self._held_elsewhere if self._elsewhere is not None else self._quarantine.errors

    @property
    def standstill_s(self) -> float | None:
        """For how long judging has stood still, in seconds, since it last got on; None when it does not."""
        waited_s = 0.0 if self._waiting_since is None else self._clock() - self._waiting_since
        return waited_s if self.error is not None or waited_s > STANDSTILL_S else None

    # --- One piece of work at a time

    def step(self, limit: int = BATCHES) -> int:
        """Judge what at most `limit` batches changed, and some of what waits to be judged again on a changed basis.

        Returns how many batches and hours that were: 0 when all is judged. A warehouse that cannot be changed in place
        (changed_basis.py) is first made again.
        """
        self._forget(self.rebuild)
        self._settle_basis()
        consumed = self._take_in(limit)
        again = self._judge_again() if consumed < limit else 0
        if consumed < limit or self._summing.is_due:
            self._sum_up(self._warehouse)
        self.lag = self._log.latest() - self._warehouse.cursor()
        if not consumed + again:
            self._at_rest()
        return consumed + again

    def _take_in(self, limit: int) -> int:
        cursor = self._warehouse.cursor()
        self._standing.begin(self._warehouse)
        self.index(cursor + limit)
        arrived = self._index.arrived(cursor, limit)
        began = self._standing.see(arrived.counting)
        lines, counting = [*arrived.records, *began], [*arrived.counting, *began]
        change = self._judging.change(lines, counting, self._warehouse)
        if change != Change() or arrived.position > cursor:
            self._warehouse.put(change, arrived.position)
            self._summing.judged(change)
        self._judging.settled()
        if len(arrived.counting) == len(arrived.records):  # else it is asked anew what counted before counts no more
            self._standing.settled(self._warehouse.cursor())
        return arrived.position - cursor

    def _sum_up(self, warehouse: Warehouse) -> None:
        for change in self._summing.changes(warehouse):
            warehouse.put(change, warehouse.cursor())

    def _judge_again(self) -> int:
        hours = self._warehouse.next_waiting(AGAIN)
        if hours:
            change = self._judging.hours(hours, self._warehouse)
            self._warehouse.put(change, self._warehouse.cursor(), waited=hours)
            self._judging.settled()
        return len(hours)

    def _step(self) -> int:
        """A step here, or elsewhere; what is done at rest is done here, for it writes."""
        if self._elsewhere is None:
            return self.step()
        self._forget(self._rebuild_here)
        done, self._held_elsewhere = self._elsewhere.step(BATCHES)
        self.lag = self._log.latest() - self._warehouse.cursor()
        if not done:
            frozen = self._frozen.freezes
            self._at_rest()
            if self._frozen.freezes is not frozen:
                self._elsewhere.end()  # another one knows of it
        return done

    def _rebuild_here(self) -> None:
        """What was done elsewhere is not known any more."""
        if self._elsewhere is not None:
            self._elsewhere.end()
        self.rebuild()

    def catch_up(self) -> None:
        """Judge all that the log holds."""
        while self.step():
            pass

    def rebuild(self) -> None:
        """Make the warehouse again from the whole log, in a file beside it that then takes its place."""
        path = self._warehouse.path
        if path is None:
            raise ValueError("a warehouse in memory cannot be rebuilt; make a new one")
        self._hide_blocked()
        self._warehouse.adopt(self._made_again(path.with_name(path.name + ".new")))

    def index(self, position: int | None = None) -> None:
        """Take into the index what it lacks, up to a position or to the end of the log."""
        while (position is None or self._index.position() < position) and self._index.extend(BATCHES):
            self._go_on()

    def _hide_blocked(self) -> None:
        self._index.keys = with_heirs(self._blocked(), self._index.everybody)

    @property
    def _basis(self) -> Basis:
        return Basis(
            rules_version=self._rules.version,
            standing=TOLD_RECKONING if self._told else RECKONING,
            controls=self._keys,
            blocked=self._index.keys,
            log=self._log.id,
        )

    def _settle_basis(self) -> None:
        if self._warehouse.is_damaged:
            self._warehouse.start_again()
        self._hide_blocked()
        stands, wanted = self._warehouse.basis(), self._basis
        is_behind = self._warehouse.cursor() < self._frozen.freezes.position
        if stands is None and not self._frozen.freezes.all:
            self._warehouse.begin(wanted)
        elif stands is None:
            self.rebuild()
        elif reason := why_anew(stands, wanted, is_ahead=self._is_ahead, is_behind=is_behind):
            logger.warning("The warehouse is made again of the log, for %s.", reason)
            self.rebuild()
        elif stands != wanted:
            logger.info("The rules, the controls or the blocked keys have changed: what they bear on is judged again.")
            self._changed.settle(self._warehouse, stands, wanted)
            self._judging.forget()
        self._is_ahead = False
        if not self._begun:
            self._quarantine.begin(held(self._warehouse))
            self._begun = True

    def _made_again(self, path: Path) -> Path:
        """Each hour is judged once; the cursor moves at the end, so that what is cut short is never taken up."""
        self.index()
        self._quarantine.begin({})
        self._begun = False  # what is cut short here, the standing file tells anew
        hours, cursor = self._frozen.opens(self._index.hours()), self._index.position()
        warehouse = fresh(path)
        try:
            warehouse.begin(self._basis)
            self._frozen.thaw(warehouse)
            self._standing.begin(warehouse, anew=True)
            self._see_all()
            self._judging.forget()
            for chunk in _chunks(sorted(hours), HOURS):
                warehouse.put(self._judging.hours(chunk, warehouse), 0)
                self._judging.settled()
                self._sum_up(warehouse)
            warehouse.put(Change(), cursor)
            self._judging.forget()
        finally:
            warehouse.close()
        return path

    def _see_all(self) -> None:
        position = 0
        while (arrived := self._index.arrived(position, BATCHES)).position > position:
            self._go_on()
            self._standing.see(r for r in arrived.counting if not self._frozen.holds(r.hour))
            position = arrived.position

    def _go_on(self) -> None:
        if self._stopping:
            raise Stopped

    # --- Going on

    def announce(self) -> None:
        """Say, from the event loop, that something was appended to the log."""
        self._arrival.set()
        if self._waiting_since is None:
            self._waiting_since = self._clock()

    async def run(self, sleep: Sleep = asyncio.sleep) -> None:
        """Keep up until cancelled. An error is logged, kept in `error`, and tried again with growing pauses."""
        self._stopping = False

        async def pause(least_s: float | None) -> None:
            if least_s is None:
                await self._next_arrival()
                await sleep(BURST_S)
            elif least_s:
                await sleep(least_s)

        with self._elsewhere or nullcontext():
            await keep_up("projector", self._attempt, pause, self._stop)

    def _stop(self) -> None:
        self._stopping = True
        if self._elsewhere is not None:
            self._elsewhere.end()

    def _attempt(self) -> float | None:
        """Makes one step; returns how long to pause, in seconds, None until something arrives."""
        began = self._clock()
        try:
            consumed = self._step()
        except Exception as error:  # a broken projection must not stop ingest: it catches up
            if self._stopping:
                return 0.0
            self._failures += 1
            self._failed(error)
            return min(2.0 ** min(self._failures, 10), MAX_BACKOFF_S)
        self._failures, self.error = 0, None
        self._got_on(began, bool(consumed))
        return 0.0 if consumed else None

    def _got_on(self, began: float, consumed: bool) -> None:
        """A step that began then is done; one that found nothing more has caught up with what came before it."""
        if consumed:
            self._waiting_since = self._clock()
        elif self._waiting_since is not None and self._waiting_since <= began:
            self._waiting_since = None

    def _failed(self, error: Exception) -> None:
        self.error = str(error) if isinstance(error, FailedElsewhere) else f"{type(error).__name__}: {error}"
        if self._waiting_since is None:
            self._waiting_since = self._clock()
        fault = error.fault if isinstance(error, FailedElsewhere) else fault_text(error)
        logger.error("The projection failed; it is tried again.\n%s", fault)

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
