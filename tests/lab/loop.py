"""Waits for packets, and for the time at which a delayed one is due, to a few microseconds."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable
from typing import Any

Reader = Callable[[float], None]


class Loop:
    """One thread. Readers are level-triggered: what they leave is told again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = itertools.count()  # those due at the same time keep their order
        self._running = True

    def read(self, fd: int, reader: Reader) -> None:
        """Calls reader(now) whenever there is something to read."""
        self._readers[fd] = reader
        self._epoll.register(fd, select.EPOLLIN)

    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        """Calls do(*arguments, when) when it is time."""
        heapq.heappush(self._due, (when, next(self._serial), do, arguments))

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        while self._running:
            self._call_due()
            for fd, _ in self._wait():
                self._readers[fd](time.monotonic())

    def _call_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            when, _, do, arguments = heapq.heappop(self._due)
            do(*arguments, when)

    def _wait(self) -> list[tuple[int, int]]:
        # epoll waits whole milliseconds, select microseconds, and an epoll can be selected.
        timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
        select.select([self._epoll.fileno()], (), (), timeout)
        return self._epoll.poll(0)
