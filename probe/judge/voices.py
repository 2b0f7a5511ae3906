"""Voices: how lines are counted when no source of theirs may have more than two voices.

Keys are free and addresses are not: whoever has one address can have a thousand keys there. So lines are counted by
their source, and of one source at most two voices count. They are its own: both say what two thirds of its lines say,
else one each what most and what second most of them say; of equally many, what comes first in the caller's order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from typing import Generic, TypeVar

VOICES = 2  # of one source

L = TypeVar("L", bound=Hashable)


class Votes(Generic[L]):
    """The voices of each source, and in `heard` those of all together."""

    def __init__(self, by_source: Mapping[Hashable, Mapping[L, int]]) -> None:
        self._by_source = by_source
        self.heard: Counter[L] = Counter()
        for counts in by_source.values():
            for label, voices in counts.items():
                self.heard[label] += voices

    def sources(self, labels: Set[L]) -> int:
        """How many sources say one of these."""
        return sum(not labels.isdisjoint(counts) for counts in self._by_source.values())

    def without(self, source: Hashable) -> Counter[L]:
        """What is heard when this source is left out."""
        own = self._by_source.get(source, {})
        return Counter({label: rest for label, all_ in self.heard.items() if (rest := all_ - own.get(label, 0)) > 0})


def votes(said: Iterable[tuple[Hashable, L]], order: Callable[[L], int | str]) -> Votes[L]:
    """The voices of pairs (source, what a line of it says)."""
    lines: dict[Hashable, dict[L, int]] = defaultdict(dict)  # a Counter for each takes several times as long
    for source, label in said:
        lines[source][label] = lines[source].get(label, 0) + 1
    return Votes({source: _voices(counts, order) for source, counts in lines.items()})


def _voices(counts: Mapping[L, int], order: Callable[[L], int | str]) -> Mapping[L, int]:
    if sum(counts.values()) <= VOICES:
        return counts
    first, *others = sorted(counts, key=lambda label: (-counts[label], order(label)))
    if others and counts[first] < 2 * counts[others[0]]:
        return {first: 1, others[0]: 1}
    return {first: VOICES}
