"""Stalls: whose answers nobody reads. What waits to be sent is memory of ours, and a connection that others miss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

K = TypeVar("K")


class Stalls(Generic[K]):
    """Of many outputs, those of which nothing got away for `stalled_s`."""

    def __init__(self, stalled_s: float) -> None:
        self._stalled_s = stalled_s
        self._seen: dict[K, tuple[int, float]] = {}  # bytes that waited, when some last got away

    def look(self, waiting: Mapping[K, int], now_s: float) -> list[K]:
        """Those that stand still. `waiting`: the bytes that wait in each now. To be called every second or so."""
        before, self._seen = self._seen, {}
        for each, size in waiting.items():
            if size:
                size_before, since_s = before.get(each, (size + 1, now_s))
                self._seen[each] = (size, since_s if size >= size_before else now_s)
        return [each for each, (_, since_s) in self._seen.items() if now_s - since_s >= self._stalled_s]
