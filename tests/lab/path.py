"""A line's path: what stands between its device and the world, in order, and how a packet gets through.

Everything that stands there is a Filter: stages, the access line itself (shaping.py), routers (Hops), the NAT. A packet
that leaves one upwards meets the next, downwards the one before; behind the last is the world, before the first the
device. A packet that is delayed goes on later from where it was, at the time at which it was due and not when this
process came to it, so that lateness does not add up.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.lab.model import Fate, Filter
from tests.lab.packets import ICMP, ICMP6, TTL, V4, View, parse, time_exceeded, with_ttl

MULTICAST = 0xFF, 0xE0  # first byte of IPv6's; IPv4's from here on
ICMP_ERRORS = {ICMP: (3, 11, 12), ICMP6: (1, 2, 3, 4)}


class Hops:
    """Routers in a row, the nearest to the line first: they count the TTL down and say so when it has run out."""

    def __init__(self, v4: Sequence[bytes], v6: Sequence[bytes]) -> None:
        self._up = {4: tuple(v4), 6: tuple(v6)}
        self._down = {4: tuple(reversed(v4)), 6: tuple(reversed(v6))}

    def __call__(self, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        view = parse(packet)
        hops = (self._up if up else self._down)[view.version]
        if view.ttl > len(hops):
            return (Fate(with_ttl(packet, view.ttl - len(hops)), up),)
        if is_icmp_error(view):
            return ()
        return (Fate(time_exceeded(view, hops[view.ttl - 1], TTL - view.ttl + 1), not up),)


def is_icmp_error(view: View) -> bool:
    return view.protocol in ICMP_ERRORS and view.icmp[0] in ICMP_ERRORS[view.protocol]


@dataclass(slots=True, eq=False)
class Place:
    """A filter on the path; `name` is a stage's. `met` counts the packets that it did not simply let pass."""

    filter: Filter
    name: str = ""
    met: int = 0


class Clock(Protocol):
    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        """Calls do(*arguments, when) when it is time."""
        ...


class Path:
    """Of one line. `faults` are tracebacks of filters that raised; their packets are lost."""

    def __init__(
        self,
        route: Sequence[Place],
        clock: Clock,
        to_line: Callable[[bytes], None],
        to_world: Callable[[bytes], None],
    ) -> None:
        self.route = tuple(route)
        self.faults: list[str] = []
        self.open = True
        self._clock, self._to_line, self._to_world = clock, to_line, to_world
        self._now = 0.0

    def send(self, packet: bytes, up: bool, now: float) -> None:
        """A packet from the line's device (up) or from the world."""
        if not is_multicast(packet):
            self._carry(self.route, 0 if up else len(self.route) - 1, packet, up, now)

    def met(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for place in self.route:
            if place.name:
                counts[place.name] = counts.get(place.name, 0) + place.met
        return counts

    def _carry(self, route: tuple[Place, ...], at: int, packet: bytes, up: bool, now: float) -> None:
        """On from a place, as far as it gets without a delay."""
        self._now = now = max(self._now, now)  # what was due while another packet came is not earlier than that one
        while 0 <= at < len(route) and self.open:
            place = route[at]
            fates = self._fates(place, packet, up, now)
            if len(fates) != 1 or fates[0].delay > 0:
                self._part(route, at, fates, now)
                return
            packet, up = fates[0].packet, fates[0].up
            at += 1 if up else -1
        if self.open:
            (self._to_world if up else self._to_line)(packet)

    def _part(self, route: tuple[Place, ...], at: int, fates: Sequence[Fate], now: float) -> None:
        for fate in fates:
            onward = route, at + (1 if fate.up else -1), fate.packet, fate.up
            if fate.delay > 0:
                self._clock.at(now + fate.delay, self._carry, *onward)
            else:
                self._carry(*onward, now)

    def _fates(self, place: Place, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        try:
            fates = place.filter(packet, up, now)
        except Exception:
            self.faults.append(f"{place.name}: {traceback.format_exc()}")
            return ()
        if len(fates) != 1 or fates[0].packet is not packet or fates[0].up is not up or fates[0].delay > 0:
            place.met += 1
        return fates


def is_multicast(packet: bytes) -> bool:
    """A device says things to its neighbours (MLD) that go no further."""
    return packet[16] >= MULTICAST[1] if packet[0] >> 4 == V4 else packet[24] == MULTICAST[0]
