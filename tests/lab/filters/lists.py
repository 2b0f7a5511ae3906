"""Only what is on a list passes; and penalties that fall on everything after a trigger."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import aim, is_of, passes
from tests.lab.filters.hello import HANDSHAKE, named_in
from tests.lab.filters.http import METHODS
from tests.lab.filters.stun import ALLOCATE, is_stun
from tests.lab.filters.udp import DNS_PORT, is_known
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import TCP, UDP, View, packed, parse

PENALTY = 60.0  # seconds


def make_destinations(parameters: Parameters, random: Random) -> Filter:
    """Packets from and to other `addresses` than these are dropped."""
    listed = frozenset(packed(address) for address in parameters["addresses"])
    return lambda packet, up, now: passes(packet, up) if parse(packet).far(up)[0] in listed else []


def make_protocols(parameters: Parameters, random: Random) -> Filter:
    """A TCP flow whose first data are neither TLS, HTTP nor DNS is dead for `seconds`; of UDP only known kinds pass.

    `ports`: on these alone it looks, as the filter of Iran in 2020 did on 53, 80 and 443.
    """
    meant, seconds = aim(parameters), parameters.get("seconds", PENALTY)
    settled: dict[tuple[int, bytes, int, bytes, int], float] = {}  # flow → dead until; 0: it may pass

    def look(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        if view.protocol == UDP:
            return passes(packet, up) if is_known(view, up) else []
        flow = view.flow(up)
        if up and view.protocol == TCP and view.payload and flow not in settled:
            settled[flow] = 0.0 if is_listed(view) else now + seconds
        return [] if now < settled.get(flow, 0.0) else passes(packet, up)

    return look


def is_listed(view: View) -> bool:
    payload = view.payload
    return payload[:2] == bytes((HANDSHAKE, 3)) or payload.startswith(METHODS) or view.destination_port == DNS_PORT


def make_residual(parameters: Parameters, random: Random) -> Filter:
    """After a trigger nothing at all passes between the line and that address, for `seconds`.

    Triggers: a ClientHello that names one of `names`; with `allocate`, a TURN Allocate. The trigger is dropped too.
    """
    names, allocate = tuple(parameters.get("names", ())), parameters.get("allocate", False)
    seconds = parameters.get("seconds", PENALTY)
    until: dict[tuple[bytes, bytes], float] = {}

    def triggers(view: View, up: bool) -> bool:
        if view.protocol == UDP:
            return allocate and up and is_stun(view.payload) and int.from_bytes(view.payload[:2]) == ALLOCATE
        return is_of(named_in(view, up) or "", names)

    def punish(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        pair = view.near(up)[0], view.far(up)[0]
        if triggers(view, up):
            until[pair] = now + seconds
        return [] if now < until.get(pair, now) else passes(packet, up)

    return punish
