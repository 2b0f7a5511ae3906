"""What a bad link does to everybody: loss, bursts of it, delay, a small MTU, an end."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.filters.ip import HOP, HOP6
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import V4, packed, parse, too_big


def make_loss(parameters: Parameters, random: Random) -> Filter:
    meant, fraction = aim(parameters), parameters["fraction"]
    return lambda packet, up, now: [] if random.random() < fraction and meant(parse(packet), up) else passes(packet, up)


def make_burst(parameters: Parameters, random: Random) -> Filter:
    """Gilbert's model: before a packet a good link turns bad with `p`, a bad one good with `r`; a bad one loses."""
    p, r = parameters["p"], parameters["r"]
    bad = {True: False, False: False}  # by direction

    def lose(packet: bytes, up: bool, now: float) -> list[Fate]:
        bad[up] = random.random() >= r if bad[up] else random.random() < p
        return [] if bad[up] else passes(packet, up)

    return lose


def make_delay(parameters: Parameters, random: Random) -> Filter:
    """`seconds` more one way, and up to `jitter` on top of it; the order is kept."""
    seconds, jitter = parameters["seconds"], parameters.get("jitter", 0.0)
    meant = aim(parameters)
    last = {True: 0.0, False: 0.0}  # when the packet before leaves, by direction

    def delay(packet: bytes, up: bool, now: float) -> list[Fate]:
        if not meant(parse(packet), up):
            return passes(packet, up)
        last[up] = max(last[up], now + seconds + random.random() * jitter)
        return [Fate(packet, up, last[up] - now)]

    return delay


def make_mtu(parameters: Parameters, random: Random) -> Filter:
    """Longer packets than `bytes` are dropped; with `icmp` their sender is told."""
    most, icmp = parameters["bytes"], parameters.get("icmp", True)

    def shorten(packet: bytes, up: bool, now: float) -> list[Fate]:
        if len(packet) <= most:
            return passes(packet, up)
        view = parse(packet)
        return [Fate(too_big(view, packed(HOP if view.version == V4 else HOP6), most), not up)] if icmp else []

    return shorten


def make_death(parameters: Parameters, random: Random) -> Filter:
    """`after` seconds from the first packet on, nothing passes any more."""
    after = parameters["after"]
    began: list[float] = []

    def die(packet: bytes, up: bool, now: float) -> list[Fate]:
        began[:] = began or [now]
        return passes(packet, up) if now - began[0] < after else []

    return die
