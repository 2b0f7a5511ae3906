"""Runs many cycles side by side: each on a line of its own, judged with controls that measured the same world.

One thread, one selector: a run waits for its controls and for a free line, then a child measures (fork.py) while this
process only reads pipes. Controls are measured once for each distinct state of the world and kept.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from probe.model import ControlMeasurement
from tests.lab import fork
from tests.lab.fork import Order, Result
from tests.lab.model import Run
from tests.lab.pace import Pace
from tests.patience import PATIENCE

TRIES = 3
LAST = 2  # times as many runs as go on side by side: the last ones, which begin in the order of how long they take
WAKE_SECONDS = 0.05  # when nothing comes, it is asked again whether another run may begin
RUN_SECONDS = PATIENCE  # a child that takes longer hangs, and is ended
WorldKey = str


class Bench(Protocol):
    """Where runs are made: the lab and what entries make of it (bench.py), or a test's own."""

    def world(self, run: Run) -> WorldKey:
        """The same for all runs that can be judged with the same controls."""
        ...

    def controls(self, run: Run) -> Sequence[Run]:
        """The cycles of the controls that such a run needs."""
        ...

    def take(self, run: Run) -> Any:
        """A line, with what the run's entry does to it."""
        ...

    def order(self, run: Run, line: Any, controls: Sequence[ControlMeasurement] | None) -> Order:
        """What to measure there; `controls` is None for a control itself."""
        ...

    def told(self, control: Run, result: Result) -> list[ControlMeasurement]:
        """What a control's cycle says to others."""
        ...

    def release(self, run: Run, line: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    run: Run
    world: WorldKey
    is_control: bool = False
    tries: int = 1  # which one this is


@dataclass(slots=True)
class Child:
    """A job that is being measured."""

    job: Job
    line: Any
    process: int
    began: float
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Controls:
    """Of one state of the world: what they said, how many have not, and who waits for it."""

    missing: int
    told: list[ControlMeasurement] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)


class Runner:
    """Measures runs on a bench, at most `at_once` side by side. Controls stay from one call to the next."""

    def __init__(
        self,
        bench: Bench,
        at_once: int,
        pace: Pace | None = None,
        tries: int = TRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tries`: of a run that was starved, for which this machine is to blame. Controls always have TRIES."""
        self._bench, self._at_once, self._pace, self._tries = bench, at_once, pace or Pace(), tries
        self._clock = clock
        self.again = 0  # how many were measured once more
        self._ready: deque[Job] = deque()
        self._controls: dict[WorldKey, Controls] = {}
        self._took: dict[str, float] = {}  # entry → seconds, of its last run
        self._children = selectors.DefaultSelector()

    def measure(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Result]]:
        """Results in the order in which they come. Raises RuntimeError when a control could not measure."""
        for run in runs:
            self._plan(Job(run, self._bench.world(run)))
        while self._ready or self._children.get_map():
            while self._ready and len(self._children.get_map()) < self._at_once and self._pace.allows():
                self._begin(self._next())
            for child in self._ended():
                yield from self._conclude(child, fork.finish(child.process, bytes(child.data)))

    def judged_with(self, run: Run) -> list[ControlMeasurement]:
        return self._controls[self._bench.world(run)].told

    def _plan(self, job: Job) -> None:
        if job.world not in self._controls:
            controls = self._bench.controls(job.run)
            self._controls[job.world] = Controls(len(controls))
            self._ready.extendleft(Job(control, job.world, is_control=True) for control in controls)
        controls_of = self._controls[job.world]
        (controls_of.waiting if controls_of.missing else self._ready).append(job)

    def _next(self) -> Job:
        """The first of those which are ready; of the last ones the slowest, so that none is waited for alone."""
        if len(self._ready) > LAST * self._at_once or self._ready[0].is_control:
            return self._ready.popleft()
        slowest = max(self._ready, key=lambda job: self._took.get(job.run.entry, 0.0))
        self._ready.remove(slowest)
        return slowest

    def _begin(self, job: Job) -> None:
        line = self._bench.take(job.run)
        controls = None if job.is_control else self._controls[job.world].told
        process, reading = fork.start(self._bench.order(job.run, line, controls))
        child = Child(job, line, process, self._clock())
        self._children.register(reading, selectors.EVENT_READ, child)

    def _ended(self) -> list[Child]:
        """Reads what has come; the children whose pipe has ended."""
        ended = []
        for key, _ in self._children.select(timeout=WAKE_SECONDS):
            data = os.read(key.fd, 1 << 16)
            key.data.data += data
            if not data:
                self._children.unregister(key.fd)
                os.close(key.fd)
                ended.append(key.data)
        self._end_the_hanging()
        return ended

    def _end_the_hanging(self) -> None:
        now = self._clock()
        for key in self._children.get_map().values():
            if now - key.data.began > RUN_SECONDS:
                os.kill(key.data.process, signal.SIGKILL)  # its pipe ends, and that concludes it

    def _conclude(self, child: Child, result: Result) -> Iterator[tuple[Run, Result]]:
        self._bench.release(child.job.run, child.line)
        job, controls = child.job, self._controls[child.job.world]
        if result.starved and job.tries < (TRIES if job.is_control else self._tries):
            self.again += 1
            again = replace(job, tries=job.tries + 1)
            (self._ready.appendleft if job.is_control else self._ready.append)(again)
            return
        if not job.is_control:
            self._took[job.run.entry] = self._clock() - child.began
            yield job.run, result
            return
        if result.error:
            raise RuntimeError(f"The control {job.run} could not measure:\n{result.error}")
        controls.told += self._bench.told(job.run, result)
        controls.missing -= 1
        if not controls.missing:
            self._ready.extend(controls.waiting)
            controls.waiting.clear()
