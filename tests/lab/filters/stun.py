"""STUN and TURN by their bytes (RFC 8489 section 5): cookie, attributes, replies, Allocate. UDP, both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.model import Filter, Parameters
from tests.lab.packets import View, parse

COOKIE = bytes.fromhex("2112a442")
ALLOCATE = 0x0003
REPLY = 0x0100  # the bit that responses and error responses have, and requests and indications lack
Look = Callable[[bytes, bool], bool]  # payload, up


def is_stun(payload: bytes) -> bool:
    return len(payload) >= 20 and payload[0] < 0x40 and payload[4:8] == COOKIE


def attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute, as far as they add up."""
    at = 20
    while at + 4 <= len(payload):
        length = int.from_bytes(payload[at + 2 : at + 4])
        yield int.from_bytes(payload[at : at + 2]), payload[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


def _dropping(parameters: Parameters, look: Look) -> Filter:
    """Drops the STUN messages, at `addresses` and `ports` where given, that `look` picks."""
    meant = aim(parameters, "udp")

    def picked(view: View, up: bool) -> bool:
        return meant(view, up) and is_stun(view.payload) and look(view.payload, up)

    return lambda packet, up, now: [] if picked(parse(packet), up) else passes(packet, up)


def make_cookie_drop(parameters: Parameters, random: Random) -> Filter:
    return _dropping(parameters, lambda payload, up: True)


def make_attribute_drop(parameters: Parameters, random: Random) -> Filter:
    """Messages with an attribute of this `type`; with `value`, only if it holds these bytes."""
    wanted, value = parameters["type"], parameters.get("value") or b""
    return _dropping(
        parameters, lambda payload, up: any(kind == wanted and value in held for kind, held in attributes(payload))
    )


def make_reply_drop(parameters: Parameters, random: Random) -> Filter:
    return _dropping(parameters, lambda payload, up: not up and bool(payload[0] & REPLY >> 8))


def make_allocate_drop(parameters: Parameters, random: Random) -> Filter:
    return _dropping(parameters, lambda payload, up: up and int.from_bytes(payload[:2]) == ALLOCATE)
