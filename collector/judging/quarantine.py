"""The quarantine: measurements that this version of the judge cannot judge, so that they hold up nobody else.

One mistake of ours, or one measurement that nobody thought of, would otherwise stop the judging of everything for
ever: the same step fails again. So a failure that would come again is the measurement's own: its verdict is
`insufficient`, rule `unjudgeable`, a row says where it stands in the log and which exception it was, and as another's
input it counts as absent. It is tried again when its own inputs change, and by every other version.
What may pass by itself (the disk, memory, a database) is nobody's failure: it is raised, and the step tried again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from collector.isolation import Faults
from collector.log import Record
from probe import __version__
from probe.model import State, Verdict

VERSION = __version__
RULE = "unjudgeable"
SLOW_S = 10.0  # of processor, for one measurement
TIMES_SLOW = 2  # before it is held for good

T = TypeVar("T")
Identity = tuple[str, str]  # key, uid
Clock = Callable[[], float]


class Watch(Protocol):
    """Whoever is told which measurement is being judged, in case that this process dies of it."""

    def begins(self, one: Identity) -> None: ...

    def ends(self) -> None: ...


class Unwatched:
    def begins(self, one: Identity) -> None: ...

    def ends(self) -> None: ...


class Deadly(Exception):
    """The judging process died at this measurement, twice: it is not tried again by this version."""


class TooSlow(Exception):
    """Judging this measurement took too long, twice: it is not tried again by this version."""


class Quarantine:
    """Those held at the moment: (key, uid) → the class of the exception. `clock` is in seconds of processor; at those
    that are `condemned` the judging process died.
    """

    def __init__(
        self,
        clock: Clock = time.thread_time,
        watch: Watch | None = None,
        condemned: frozenset[Identity] = frozenset(),
    ) -> None:
        self._clock, self._watch, self._condemned = clock, watch or Unwatched(), condemned
        self._held: dict[Identity, str] = {}
        self._slow: Counter[Identity] = Counter()
        self._faults = Faults()
        self._excused_s = 0.0
        self._now: Identity | None = None  # that is being judged

    @property
    def errors(self) -> Counter[str]:
        """How many are held, by class of exception."""
        return Counter(self._held.values())

    def is_absent(self, record: Record) -> bool:
        """Whether it counts as absent as another's input."""
        return record.damage is not None or identity(record) in self._held

    def begin(self, held: Mapping[Identity, str]) -> None:
        """Holds just these; what took long is remembered."""
        self._held = dict(held)

    def settle(self, records: Iterable[Record], failed: Mapping[Identity, str], *, release: bool) -> list[Record]:
        """Takes in what judging these records came to; returns those of which it now says something else.

        Not to `release` keeps who was held: then each round of judging adds some, and there is a last one.
        """
        changed = []
        for record in records:
            name = identity(record)
            was = name in self._held
            if name in failed:
                self._held[name] = failed[name]
            elif release:
                self._held.pop(name, None)
            if was is not (name in self._held):
                changed.append(record)
        return changed

    def tell(self, error: Exception) -> None:
        """Says where a judgement failed: once, since hours are judged again and again."""
        self._faults.met("verdicts", error)

    def timed(self, record: Record, work: Callable[[], T]) -> T:
        """What `work` on this record returns. Raises TooSlow when it took too long, twice in the life of this,
        and Deadly.
        """
        name = identity(record)
        if self._held.get(name) == TooSlow.__name__:
            raise TooSlow
        if name in self._condemned or self._held.get(name) == Deadly.__name__:
            raise Deadly
        began, excused_s = self._clock(), self._excused_s
        self._now = name
        self._watch.begins(name)
        try:
            done = work()
        finally:
            self._watch.ends()
            self._now = None
        took_s = self._clock() - began - (self._excused_s - excused_s)
        self._slow[name] += took_s > SLOW_S
        if self._slow[name] >= TIMES_SLOW:
            raise TooSlow
        if not self._slow[name]:
            del self._slow[name]
        return done

    @contextmanager
    def excused(self) -> Iterator[None]:
        """What is done in here is done for many, and is not the fault of the record for which it is done first."""
        began = self._clock()
        self._watch.ends()
        try:
            yield
        finally:
            self._excused_s += self._clock() - began
            if self._now is not None:
                self._watch.begins(self._now)


def identity(record: Record) -> Identity:
    return record.key, record.measurement.uid


def unjudgeable(record: Record, fault: str, rules_version: int) -> Verdict:
    """The verdict on what cannot be judged. `fault` is the class of an exception."""
    measurement = record.measurement
    return Verdict(
        target=measurement.target,
        state=State.INSUFFICIENT,
        mechanism=None,
        depth=None,
        grade=None,
        step=None,
        rule=RULE,
        rules_version=rules_version,
        reason=f"This version cannot judge what was recorded ({fault}); it is set aside, and tried again by the next.",
        uid=measurement.uid,
        round=measurement.round,
    )
