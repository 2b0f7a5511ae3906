"""Memory: what is held of strangers' bodies at once is bounded by bytes, for a body of one byte takes no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from collector.front.refusals import Refused

FULL = "Too many uploads are under way; try again later."


class Memory:
    """So many bytes."""

    def __init__(self, most: int) -> None:
        self._free = most

    @contextmanager
    def taken(self) -> Iterator[Callable[[int], None]]:
        """What is called with each number of bytes to be held, until the end. It raises Refused, 429, when full."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if size > self._free:
                raise Refused(429, "busy", FULL)
            self._free -= size
            held += size

        try:
            yield take
        finally:
            self._free += held
