"""How many lines use a resolver of an operator's, by its prefix: one that a single line uses may be that line's own.

Counted are established lines of the same country, at most two of a source, within ±60 min of the measurement that it is
for, that line among them: who asks an operator's resolver from abroad is none of its subscribers.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector.judging.neighbours import is_near
from collector.judging.who_counts import Source, WhoCounts, count_sources
from collector.log import Record
from probe.failure import is_in_clear
from probe.judge.voices import VOICES

Place = tuple[str, str]  # a country, and a resolver's prefix


class ResolverLines:
    """Which lines asked which resolvers, and when."""

    def __init__(self, records: Iterable[Record], who: WhoCounts) -> None:
        self._times: dict[Place, dict[tuple[str, Source], list[int]]] = {}  # place → line → starts in order
        for record in sorted(filter(who.established, records), key=lambda r: r.started_ms):
            for prefix in resolver_prefixes(record):
                lines = self._times.setdefault((record.network.country, prefix), {})
                lines.setdefault((record.key, who.source(record)), []).append(record.started_ms)

    def beside(self, record: Record) -> dict[str, int]:
        """By prefix of the resolvers that this measurement asked."""
        return {prefix: self._lines(prefix, record) for prefix in sorted(resolver_prefixes(record))}

    def _lines(self, prefix: str, record: Record) -> int:
        lines = self._times.get((record.network.country, prefix), {})
        near = {line for line, times in lines.items() if is_near(times, record.started_ms)}
        return count_sources((source for _, source in near), VOICES)


def resolver_prefixes(record: Record) -> set[str]:
    """Of the resolvers that the line was given, as far as they are public and have no well-known name."""
    link = record.measurement.link
    if not record.clock_known or link.void is not None:
        return set()  # behind a VPN, it was another network's
    facts = (each.observation.dns for each in record.measurement.resolutions if is_in_clear(each))
    return {each.resolver_prefix for each in facts if each and each.resolver_prefix}
