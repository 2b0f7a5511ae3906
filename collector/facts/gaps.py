"""Gaps: batches whose numbers never came, and what probes themselves say that they lost.

Each key numbers its batches. A number that is missing between two that came was lost on the way, or kept away; one may
also come late, so a gap closes again. What is known is of this process' time: the first number of a key begins it.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from probe.model import BatchHeader

MOST_KEYS = 20_000  # that are remembered, those that were heard of lately
MOST_MISSING = 1_000  # numbers of one key; whoever leaves out more is counted with so many


class Missing(Struct, frozen=True):
    """What is missing of all keys: batches that never came, and what probes dropped themselves."""

    batches: int
    dropped_batches: int
    dropped_measurements: int


class _Heard(Struct):
    latest: int
    missing: set[int]
    dropped: tuple[int, int]


class Gaps:
    """Hears of each header that was accepted."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, _Heard] = OrderedDict()

    def hear(self, header: BatchHeader) -> None:
        if header.sequence is None:
            return
        heard = self._heard.pop(header.key, None) or _Heard(header.sequence, set(), (0, 0))
        first = heard.latest + 1
        heard.missing.update(range(max(first, header.sequence - MOST_MISSING), header.sequence))
        heard.missing.discard(header.sequence)
        while len(heard.missing) > MOST_MISSING:
            heard.missing.remove(min(heard.missing))
        heard.latest = max(heard.latest, header.sequence)
        dropped = (header.lost_batches, header.lost_measurements)
        heard.dropped = max(heard.dropped[0], dropped[0]), max(heard.dropped[1], dropped[1])
        self._heard[header.key] = heard
        while len(self._heard) > MOST_KEYS:
            self._heard.popitem(last=False)

    def missing(self) -> Missing:
        every = self._heard.values()
        return Missing(
            sum(len(heard.missing) for heard in every),
            sum(heard.dropped[0] for heard in every),
            sum(heard.dropped[1] for heard in every),
        )
