"""Waiting for an answer: whether we ourselves stood still meanwhile, and what to report if none comes.

Silence is a fact about the network only if somebody listened. A process that is frozen (Android's freezer, a paused
machine), starved of the processor or swapping hears nothing, and finds its limits long past when it goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from probe.failure import TIMEOUT, UNEXPECTED_REPLY, Failed, classify, is_fault
from probe.model import Operation

TICK = 1.0  # seconds between two signs of life
LATE = 1.0  # seconds: whoever comes later than that to its time stood still


class StallWatch:
    """Ticks while something waits at most `limit` seconds. What comes late shows that the process stood still.

    Ticks and not the limit alone: a process that wakes just before its limit has listened no longer for that.
    """

    def __init__(self, limit: float) -> None:
        self.stood_still = False
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + limit
        self._arm()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._handle.cancel()
        self._note()

    def _arm(self) -> None:
        now = self._loop.time()
        left = self._end - now
        self._due = now + (left if 0 < left < TICK else TICK)
        self._handle = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._note()
        self._arm()

    def _note(self) -> None:
        self.stood_still |= self._loop.time() - self._due > LATE


@dataclass(slots=True)
class Unanswered:
    """What to report if nothing better comes: an error that came, else a timeout; a fault of ours before either.

    Before all of them an answer to us that could not be read: whoever gave it was reached.
    """

    failure: str = TIMEOUT
    fault: OSError | None = None
    unreadable: bool = False

    def note(self, error: OSError) -> None:
        """An error of the socket. It ends nothing: whoever forges one would win against the genuine answer."""
        if is_fault(error):
            self.fault = error
        else:
            self.failure = classify(error)

    @property
    def operation(self) -> Operation:
        return Operation.DECODE if self.unreadable else Operation.READ

    def error(self) -> Exception:
        if self.unreadable:
            return Failed(UNEXPECTED_REPLY)
        return self.fault or Failed(self.failure)
