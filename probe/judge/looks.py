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
        every: dict[Hashable, list[Look]] = {}
        for look in one_of_each_cycle(self._rounds):
            every.setdefault(look.by, []).append(look)
        self._networks = {by: LooksOfOne(looks) for by, looks in every.items()}

    def within(self, window: Window) -> Looks:
        """Those to ask about this window: others only where it cuts a cycle, of which the rounds within it count."""
        if not any(window.cuts(first, last) for first, last in self._cut):
            return self
        return Looks((cycle, look) for cycle, look in self._rounds if window.has(look.at_ms))

    def are_any(self, window: Window) -> bool:
        return any(is_any_within(looks.times, window) for looks in self._networks.values())

    def standing(self, window: Window, failed: FailureSpan) -> Control:
        before = just_before(window, failed)
        got_through = {by for by, looks in self._networks.items() if is_any_within(looks.successes, before)}
        return concluded(self.nearest(window, failed), self.since(window, failed), got_through)

    def nearest(self, window: Window, failed: FailureSpan) -> list[Look]:
        """One of each network that looked in this window; of two that are as near, the one that failed."""
        found = (looks.nearest(window, failed) for looks in self._networks.values())
        return [look for look in found if look is not None]

    def since(self, window: Window, failed: FailureSpan) -> list[Look]:
        """The first of each network that did not begin before the failure."""
        return self.nearest(since(window, failed), failed)


class LooksOfOne:
    """The looks of one network, or of one line."""

    def __init__(self, looks: Iterable[Look]) -> None:
        ranked = ((look.at_ms, look.through, rank, look) for rank, look in enumerate(looks))
        self._looks = sorted(ranked, key=lambda each: each[:3])  # of two at one time, the one that counts comes first
        self.times = [each[0] for each in self._looks]
        self.successes = [each[0] for each in self._looks if each[1]]

    def standing(self, window: Window, failed: FailureSpan) -> Control | None:
        """None where it did not look in this window. It is nobody's word against anybody's."""
        near = self.nearest(window, failed)
        if near is None or not near.through:
            return None if near is None else Control.UNKNOWN
        newest = self.nearest(since(window, failed), failed)
        if newest is None:
            return Control.ALIVE if is_any_within(self.successes, just_before(window, failed)) else Control.AWAITED
        return Control.ALIVE if newest.through else Control.AWAITED

    def nearest(self, window: Window, failed: FailureSpan) -> Look | None:
        """None where it did not look in this window."""
        times = self.times
        low = bisect_left(times, window.since_ms)
        high = bisect_right(times, window.until_ms, low)
        before = bisect_left(times, failed.first_ms, low, high)
        after = bisect_right(times, failed.last_ms, before, high)
        if before < after:
            return min(self._looks[before:after], key=_precedence)[-1]
        last = self._looks[bisect_left(times, times[before - 1], low, before)] if before > low else None
        first = self._looks[after] if after < high else None
        if last is None or first is None:
            near = last or first
            return near[-1] if near else None
        nearer_ms = (first[0] - failed.last_ms) - (failed.first_ms - last[0])
        if nearer_ms == 0:
            return min(last, first, key=_precedence)[-1]
        return last[-1] if nearer_ms > 0 else first[-1]


def _precedence(ranked: tuple[int, bool, int, Look]) -> tuple[bool, int]:
    """Of two that are as near, the one that failed."""
    return ranked[1:3]


def since(window: Window, failed: FailureSpan) -> Window:
    """What of it is not before the failure."""
    return Window(max(window.since_ms, failed.first_ms), window.until_ms)


def just_before(window: Window, failed: FailureSpan) -> Window:
    """What of it counts as the time of the failure until somebody looks again."""
    return Window(max(window.since_ms, failed.first_ms - CYCLE_MS + 1), min(window.until_ms, failed.first_ms))


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
