"""Flows that begin well: cut off after packets or seconds, throttled, thinned out."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import parse

Flow = tuple[int, bytes, int, bytes, int]
BURST_SECONDS = 1.0  # how much of its rate a throttled flow may have saved up


def make_cutoff_packets(parameters: Parameters, random: Random) -> Filter:
    """After `n` packets, both directions together, a flow is dead."""
    meant, most = aim(parameters), parameters["n"]
    seen: Counter[Flow] = Counter()

    def cut(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        seen[view.flow(up)] += 1
        return passes(packet, up) if seen[view.flow(up)] <= most else []

    return cut


def make_cutoff_time(parameters: Parameters, random: Random) -> Filter:
    """`seconds` after its first packet a flow is dead."""
    meant, seconds = aim(parameters), parameters["seconds"]
    began: dict[Flow, float] = {}

    def cut(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        return passes(packet, up) if now - began.setdefault(view.flow(up), now) < seconds else []

    return cut


def make_throttle(parameters: Parameters, random: Random) -> Filter:
    """Polices each flow and direction to `rate` bytes a second: what is above is dropped, not queued."""
    meant, rate = aim(parameters), parameters["rate"]
    saved: dict[tuple[Flow, bool], tuple[float, float]] = {}  # tokens, and when they were counted

    def throttle(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        key = view.flow(up), up
        tokens, counted = saved.get(key, (rate * BURST_SECONDS, now))
        tokens = min(rate * BURST_SECONDS, tokens + (now - counted) * rate)
        fits = len(packet) <= tokens
        saved[key] = tokens - len(packet) * fits, now
        return passes(packet, up) if fits else []

    return throttle


def make_loss(parameters: Parameters, random: Random) -> Filter:
    """Of the packets that are meant, this `fraction` is dropped at random."""
    meant, fraction = aim(parameters), parameters["fraction"]

    def lose(packet: bytes, up: bool, now: float) -> list[Fate]:
        return [] if meant(parse(packet), up) and random.random() < fraction else passes(packet, up)

    return lose
