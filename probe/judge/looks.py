"""Looks, kept in order of time: what is nearest to a failure is looked up, beside few controls as fast as beside many.

It says the same as probe.judge.in_time says of all looks of a window, gone through anew for each failure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable

from msgspec import Struct

from probe.judge.in_time import CYCLE_MS, Control, FailureSpan, Look, concluded, one_of_each_cycle

Cycle = tuple[Hashable, Look]  # a cycle, and what one of its rounds says


class Window(Struct, frozen=True):
    """The time in which a control bears on a measurement, its ends included."""

    since_ms: int
    until_ms: int

    def has(self, at_ms: int) -> bool:
        return self.since_ms <= at_ms <= self.until_ms

    def cuts(self, first_ms: int, last_ms: int) -> bool:
        return first_ms < self.since_ms <= last_ms or first_ms <= self.until_ms < last_ms


class Looks:
    """The looks that the rounds of cycles make, which come in order of time."""

    def __init__(self, rounds: Iterable[Cycle]) -> None:
        self._rounds = list(rounds)
        self._cut = _spans(self._rounds)
        self._networks: dict[Hashable, _OfOne] = {}
        ranked = enumerate(one_of_each_cycle(self._rounds))
        for rank, look in sorted(ranked, key=lambda each: (each[1].at_ms, each[1].through, each[0])):
            self._networks.setdefault(look.by, _OfOne()).add(look, rank)

    def within(self, window: Window) -> Looks:
        """Those to ask about this window: others only where it cuts a cycle, of which the rounds within it count."""
        if not any(window.cuts(first, last) for first, last in self._cut):
            return self
        return Looks((cycle, look) for cycle, look in self._rounds if window.has(look.at_ms))

    def are_any(self, window: Window) -> bool:
        return any(is_any_within(looks.times, window) for looks in self._networks.values())

    def standing(self, window: Window, failed: FailureSpan) -> Control:
        before = Window(max(window.since_ms, failed.first_ms - CYCLE_MS + 1), min(window.until_ms, failed.first_ms))
        just_before = {by for by, looks in self._networks.items() if is_any_within(looks.successes, before)}
        return concluded(self.nearest(window, failed), self.since(window, failed), just_before)

    def nearest(self, window: Window, failed: FailureSpan) -> list[Look]:
        """One of each network that looked in this window; of two that are as near, the one that failed."""
        found = (looks.nearest(window, failed) for looks in self._networks.values())
        return [look for look in found if look is not None]

    def since(self, window: Window, failed: FailureSpan) -> list[Look]:
        """The first of each network that did not begin before the failure."""
        return self.nearest(Window(max(window.since_ms, failed.first_ms), window.until_ms), failed)


class _OfOne:
    """The looks of one network, in order of time; at one time those that failed come first."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.successes: list[int] = []
        self._looks: list[tuple[bool, int, Look]] = []  # with what makes one of two count that are as near

    def add(self, look: Look, rank: int) -> None:
        self.times.append(look.at_ms)
        self._looks.append((look.through, rank, look))
        if look.through:
            self.successes.append(look.at_ms)

    def nearest(self, window: Window, failed: FailureSpan) -> Look | None:
        """None where it did not look in this window."""
        times = self.times
        low = bisect_left(times, window.since_ms)
        high = bisect_right(times, window.until_ms, low)
        before = bisect_left(times, failed.first_ms, low, high)
        after = bisect_right(times, failed.last_ms, before, high)
        if before < after:
            return min(self._looks[before:after])[-1]
        near = []
        if before > low:
            last = bisect_left(times, times[before - 1], low, before)
            near.append((failed.first_ms - times[last], *self._looks[last]))
        if after < high:
            near.append((times[after] - failed.last_ms, *self._looks[after]))
        return min(near)[-1] if near else None


def is_any_within(times: list[int], window: Window) -> bool:
    """`times` are in order."""
    at = bisect_left(times, window.since_ms)
    return at < len(times) and times[at] <= window.until_ms


def _spans(rounds: Iterable[Cycle]) -> list[tuple[int, int]]:
    """First and last of the rounds of each cycle that has several, which a window may part."""
    times: dict[tuple[Hashable, Hashable], list[int]] = {}
    for cycle, look in rounds:
        times.setdefault((cycle, look.by), []).append(look.at_ms)
    return [(each[0], each[-1]) for each in times.values() if each[0] != each[-1]]
