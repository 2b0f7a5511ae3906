"""Honest probes: batches of genuine measurements, in the order in which they are made never twice the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from probe import targets as targets_file
from probe.model import HOUR_MS, Measurement
from tests.collector.batches import Volunteer
from tests.torture.corpus import corpus

HOURS = 24 * 20  # that the starts go round, so that none holds very many
A_DAY = 1_616  # measurements of a probe that looks at the default targets every half hour


def genuine() -> Sequence[Measurement]:
    """In an order in which targets follow each other."""
    known = corpus(targets_file.packaged())
    return [one for each in itertools.zip_longest(*_by_target(known)) for one in each if one is not None]


def _by_target(known: Iterable[Measurement]) -> list[list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for one in known:
        found.setdefault(one.target, []).append(one)
    return list(found.values())


class Honest:
    """Seals what so many probes see. `targets` is the digest of the file that told them."""

    def __init__(self, known: Sequence[Measurement], targets: str) -> None:
        self._known, self._targets = itertools.cycle(known), targets
        self._hours = itertools.cycle(range(HOURS))

    def measured(self, volunteer: Volunteer, size: int, now_ms: int) -> list[Measurement]:
        """One cycle of one probe, in some hour of the last weeks."""
        started_ms, cycle = now_ms - (1 + next(self._hours)) * HOUR_MS, volunteer.number()
        return [
            replace(next(self._known), uid=volunteer.number(), cycle=cycle, started_ms=started_ms + n)
            for n in range(size)
        ]

    def sealed(self, volunteer: Volunteer, seen: Sequence[Measurement], now_ms: int) -> bytes:
        return volunteer.seal(seen, now_ms, self._targets)

    def batch(self, volunteer: Volunteer, size: int, now_ms: int) -> bytes:
        return self.sealed(volunteer, self.measured(volunteer, size, now_ms), now_ms)
