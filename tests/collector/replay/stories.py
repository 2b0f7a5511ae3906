"""What the tests of the replay share: a small episode, and a collector that one was played into."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES, Rules
from collector.replay import instance
from collector.replay.episode import Episode, parse
from collector.replay.play import Pace

SMALL = """
title: A small ban
country: MA
since: "2016-01-01T00:00"
until: "2016-02-01T00:00"
stands: "2016-01-12T00:00"
operators:
  iam: {name: Maroc Telecom, asn: 36903, prefix: 198.18.0.0/17}
  inwi: {name: inwi, asn: 36884, prefix: 198.19.0.0/17}
controls:
  control1: {name: First Control, asn: 64501, country: XA, prefix: 198.19.192.0/19}
  control2: {name: Second Control, asn: 64502, country: XB, prefix: 198.19.224.0/19}
accesses: [4g, adsl]
lines: 3
venues:
  hotel: {operator: inwi, access: wifi, lines: 1}
targets: [whatsapp/chat, viber/call]
noise: {lost: 5}
phases:
  mobile:
    since: "2016-01-10T00:00"
    until: "2016-01-20T00:00"
    operators: [iam]
    accesses: [4g]
    targets: [viber/call]
    technique: silence
    words: Calls of Viber stop on 4G
    source: nobody, it is a test
"""


def small(text: str = SMALL) -> Episode:
    return parse(text.encode(), "small", "small.yaml")


@contextmanager
def told(directory: Path, episode: Episode, when: Sequence[int], rules: Rules = RULES) -> Iterator[Parts]:
    """A replay's own collector, with the real judge, when the story is told and judged."""
    secret = instance.prepare(directory, episode)
    clock = instance.StoryClock(when[0])
    options = instance.options_for(Options(data=directory), episode, secret)
    with opened(options, rules, clock.now_ms) as parts:
        playback = instance.Playback(episode=episode, when=when, secret=secret, pace=Pace())
        asyncio.run(instance.run(playback, parts, options, clock, lambda _: None))
        yield parts
