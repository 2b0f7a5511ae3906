"""What a service does to itself or to those whom it does not serve: its own doing, on its own side of the internet."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import PROTOCOLS, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import ACK, FIN, SYN, TCP, UDP, packed, parse, reply_tcp, reply_udp, reset_back, udp, unreachable

ALLOCATE, ALLOCATE_ERROR = 0x0003, 0x0113
ERROR_CODE = 0x0009
COOKIE = b"\x21\x12\xa4\x42"


def make_refuses(parameters: Parameters, random: Random) -> Filter:
    """`addresses` themselves answer `protocol` with ICMP unreachable; `code` is IPv4's, IPv6 says prohibited."""
    addresses = frozenset(map(packed, parameters["addresses"]))
    protocol = PROTOCOLS[parameters["protocol"]]

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not up or view.protocol != protocol or view.destination not in addresses:
            return passes(packet, up)
        code = parameters["code"] if view.version == 4 else None
        return [Fate(unreachable(view, view.destination, code), False)]

    return filter_


def make_turn_error(parameters: Parameters, random: Random) -> Filter:
    """Relays at `addresses` answer an Allocate with the error `code`, before they would ask who it is."""
    addresses = frozenset(map(packed, parameters["addresses"]))
    code = int(parameters["code"])

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not up or view.protocol != UDP or view.destination not in addresses or not is_allocate(view.payload):
            return passes(packet, up)
        return [Fate(reply_udp(view, error_reply(view.payload, code)), False)]

    return filter_


def make_trailing(parameters: Parameters, random: Random) -> Filter:
    """Relays at `addresses` send some bytes behind each STUN message, which no reader need look at."""
    addresses = frozenset(map(packed, parameters["addresses"]))
    trailing = bytes(parameters.get("bytes", 4))

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if up or view.protocol != UDP or view.source not in addresses or view.payload[4:8] != COOKIE:
            return passes(packet, up)
        return passes(udp(view.far(up), view.near(up), view.payload + trailing, view.ttl), up)

    return filter_


def make_hangs_up(parameters: Parameters, random: Random) -> Filter:
    """Servers at `addresses` accept, and break off once they are spoken to; `by`: `reset` or `close`."""
    addresses = frozenset(map(packed, parameters["addresses"]))
    closes = parameters["by"] == "close"

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        spoken = up and view.protocol == TCP and view.destination in addresses and bool(view.payload)
        if not spoken:
            return passes(packet, up)
        return [Fate(reply_tcp(view, b"", flags=FIN | ACK) if closes else reset_back(view), False)]

    return filter_


def make_restarts(parameters: Parameters, random: Random) -> Filter:
    """Servers at `addresses` reset the first connection to each of their ports, and take those that follow."""
    addresses = frozenset(map(packed, parameters["addresses"]))
    first: dict[tuple[bytes, int], tuple[bytes, int]] = {}  # of the server → of the line

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not up or view.protocol != TCP or view.destination not in addresses or view.flags & (SYN | ACK) != SYN:
            return passes(packet, up)
        is_first = first.setdefault(view.far(up), view.near(up)) == view.near(up)
        return [Fate(reset_back(view), False)] if is_first else passes(packet, up)

    return filter_


def is_allocate(message: bytes) -> bool:
    return message[:2] == ALLOCATE.to_bytes(2) and message[4:8] == COOKIE


def error_reply(request: bytes, code: int) -> bytes:
    """RFC 8489, section 14.8: class and number of the error, here without a phrase."""
    attribute = ERROR_CODE.to_bytes(2) + (4).to_bytes(2) + bytes((0, 0, code // 100, code % 100))
    return ALLOCATE_ERROR.to_bytes(2) + len(attribute).to_bytes(2) + request[4:20] + attribute
