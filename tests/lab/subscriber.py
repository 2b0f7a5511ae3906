"""Which addresses a line has, and which routers stand before it: by its operator, its access and a running number.

Cellular lines are behind the operator's NAT, WiFi behind the home router's (one NAT, at the same place of the path);
ADSL has its public address on the device. Numbers go up, so that a line that takes the slot of another never has its
addresses, and what is still under way for that one is lost.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.model import Access, Operator, Stage
from tests.lab.nat import CARRIER_SECONDS, HOME_SECONDS, Manner
from tests.lab.packets import packed
from tests.lab.plan import OTHER_V4, OTHER_V6

RESERVED = 512  # of an operator's prefix, below: its resolver, routers and cache, in no /24 of a subscriber's
CARRIER, HOME = "10.64.0.0", "192.168.1.0"
NAT_STAGES = ("nat.symmetric", "nat.timeout")
IN_LINE = "in-line"  # for a resolver: the router's address in the line's own /64, which it announces


@dataclass(frozen=True, slots=True)
class Routers:
    """Addresses of both families alike: the home's or the carrier's gateway, before the censor, and behind it."""

    home: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    before: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    after: tuple[tuple[bytes, ...], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that the process which carries packets must know of a line."""

    slot: int
    access: Access
    addresses: tuple[str, ...]
    public: tuple[str, ...]
    resolvers: tuple[str, ...]
    manner: Manner | None  # of its NAT
    routers: Routers
    home: tuple[Stage, ...]
    carrier: tuple[Stage, ...]
    censor: tuple[Stage, ...]
    world: tuple[Stage, ...]
    seed: int


def addresses(operator: Operator, access: Access, number: int, families: Sequence[int], manner: Manner | None) -> tuple[
    tuple[str, ...], tuple[str, ...]
]:  # fmt: skip
    """The device's own, and those that the world sees."""
    public = {4: numbered(operator.v4, number), 6: _global(operator, number)}
    own = dict(public)
    if manner is not None:
        base, room = (CARRIER, 1 << 16) if access.cgnat else (HOME, 250)
        own[4] = str(ipaddress.ip_address(base) + 2 + number % room)
    return tuple(own[family] for family in families), tuple(public[family] for family in families)


def numbered(prefix: str, number: int) -> str:
    """A line's public address: all of the prefix above what is reserved, again and again."""
    network = ipaddress.ip_network(prefix)
    return str(network[RESERVED + number % (network.num_addresses - RESERVED - 1)])


def _global(operator: Operator, number: int) -> str:
    """A /64 for each line."""
    return str(ipaddress.ip_network(operator.v6)[((0x100 + number % 0xF000) << 64) + 2])


def manner(access: Access, stages: Sequence[Stage]) -> Manner | None:
    """The NAT's, by the access and by stages that ask for one."""
    said = {stage.filter: stage.parameters for stage in stages if stage.filter in NAT_STAGES}
    if not (said or access.cgnat or access.name == "wifi"):
        return None
    seconds = CARRIER_SECONDS if access.cgnat else HOME_SECONDS
    seconds = said.get("nat.timeout", {}).get("seconds", seconds)
    return Manner("nat.symmetric" in said, float(seconds), preserves_ports=not access.cgnat)


def beside(own: Sequence[str]) -> str:
    """The home router's address in the line's own /64."""
    (mine,) = (each for each in own if ":" in each)
    return str(ipaddress.ip_network(f"{mine}/64", strict=False)[0x53])


def routers(operator: Operator, access: Access, gateway: str | None = None) -> Routers:
    """The home's router, or the carrier's gateway; the operator's; then its border and a transit network's.

    `gateway`: the address of the first, where it is another one than usual.
    """
    v4, v6 = ipaddress.ip_network(operator.v4), ipaddress.ip_network(operator.v6)
    own = [(packed(str(v4[last])), packed(str(v6[last]))) for last in (1, 2, 3)]
    transit = packed(OTHER_V4.format(1)), packed(OTHER_V6.format(1))
    first = packed(gateway or ("10.64.0.1" if access.cgnat else "192.168.1.1"))
    home = ((first,), (own[2][1],)) if access.cgnat or access.name == "wifi" else ((), ())
    return Routers(home, ((own[0][0],), (own[0][1],)), ((own[1][0], transit[0]), (own[1][1], transit[1])))
