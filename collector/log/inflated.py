"""Bodies of batches, inflated, the latest used of them kept.

One batch holds many targets, and the projector asks by target, so each body is wanted many times in a row. Bounded
by bytes and not by number: a stranger's batch may be a hundred times the size of an honest one.
"""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable

LIMIT_BYTES = 128_000_000


class InflatedBodies:
    """`read` gives the body of a batch as it was received. May be asked from any thread."""

    def __init__(self, read: Callable[[int], bytes], limit_bytes: int = LIMIT_BYTES) -> None:
        self._read = read
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, list[bytes]] = OrderedDict()
        self._bytes = 0

    def lines(self, batch: int) -> list[bytes]:
        """The lines of a batch: header, measurements, signature and an empty one."""
        with self._lock:
            kept = self._kept.get(batch)
            if kept is not None:
                self._kept.move_to_end(batch)
                return kept
        # It was verified when it came: today's limits must not undo what was kept.
        lines = gzip.decompress(self._read(batch)).split(b"\n")
        with self._lock:
            self._keep(batch, lines)
        return lines

    def _keep(self, batch: int, lines: list[bytes]) -> None:
        if batch not in self._kept:
            self._kept[batch] = lines
            self._bytes += _size(lines)
        while self._bytes > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines))
