"""Delivery of a batch: a rejected one is halved until what is wrong stands alone; the rest is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from collector.influx.client import Rejected

MOST_REQUESTS = 400  # for one batch: enough to find some thirty bad lines among 5000


class RefusedLine(Struct, frozen=True):
    """A line that the server does not want, and why."""

    line: str
    status: int
    reason: str


class Delivered(Struct, frozen=True):
    written: int
    refused: tuple[RefusedLine, ...] = ()


def deliver(write: Callable[[Sequence[str]], None], lines: Sequence[str], most: int = MOST_REQUESTS) -> Delivered:
    """Writes the lines, in their order, and says which of them were refused.

    After `most` requests, what was rejected together is refused together. Raises what `write` raises but Rejected.
    """
    refused: list[RefusedLine] = []
    waiting: list[Sequence[str]] = [lines] if lines else []
    requests = 0
    while waiting:
        some = waiting.pop()
        requests += 1
        try:
            write(some)
        except Rejected as rejected:
            if len(some) == 1 or requests >= most:
                refused += [RefusedLine(line, rejected.status, str(rejected)) for line in some]
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
    return Delivered(len(lines) - len(refused), tuple(refused))
