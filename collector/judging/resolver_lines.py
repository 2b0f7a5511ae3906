"""How many lines use a resolver of an operator's, by its prefix: one that a single line uses may be that line's own.

Counted are established lines of the same country, at most two of a source, within ±60 min of the measurement that it is
for, that line among them: who asks an operator's resolver from abroad is none of its subscribers. They are counted up
to LINES_FLOOR, for no rule tells more of them apart.
"""

from __future__ import annotations

from collector.judging.nearby import Answer, Nearby, Rests
from collector.judging.who_counts import Source, count_sources
from collector.log import Record
from probe.failure import is_in_clear
from probe.judge.evidence import LINES_FLOOR
from probe.judge.voices import VOICES


def lines_using(nearby: Nearby, prefix: str, record: Record) -> tuple[int, Answer]:
    """Of a measurement's resolver, with the lines on which that rests."""
    counted: dict[tuple[int, Source], None] = {}
    full: dict[Source, int] = {}
    for sight in nearby.sights(record, prefix, through=True, others=False):
        if full.get(sight.source, 0) >= VOICES or (sight.line, sight.source) in counted:
            continue
        counted[sight.line, sight.source] = None
        full[sight.source] = full.get(sight.source, 0) + 1
        if (lines := count_sources((source for _, source in counted), VOICES)) >= LINES_FLOOR:
            return lines, Answer(Rests.ON_ENOUGH, tuple(line for line, _ in counted))
    return count_sources((source for _, source in counted), VOICES), Answer()


def resolver_prefixes(record: Record) -> set[str]:
    """Of the resolvers that the line was given, as far as they are public and have no well-known name."""
    link = record.measurement.link
    if not record.clock_known or link.void is not None:
        return set()  # behind a VPN, it was another network's
    facts = (each.observation.dns for each in record.measurement.resolutions if is_in_clear(each))
    return {each.resolver_prefix for each in facts if each and each.resolver_prefix}
