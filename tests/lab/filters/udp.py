"""UDP as such: all of it, ports or lengths of it, and whatever of it is not recognised."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.filters.quic import is_long_header
from tests.lab.filters.stun import is_stun
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import UDP, View, dns_question, parse

DNS_PORT, NTP_PORT, NTP_BYTES = 53, 123, 48


def make_all_drop(parameters: Parameters, random: Random) -> Filter:
    """No UDP passes but with `except_ports` at the far end."""
    spared = frozenset(parameters.get("except_ports", ()))

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        return passes(packet, up) if view.protocol != UDP or view.far(up)[1] in spared else []

    return drop


def make_port_drop(parameters: Parameters, random: Random) -> Filter:
    meant = aim(parameters, "udp")
    return lambda packet, up, now: [] if meant(parse(packet), up) else passes(packet, up)


def make_length_drop(parameters: Parameters, random: Random) -> Filter:
    """Datagrams that carry exactly so many `bytes` are dropped, whatever they say."""
    meant, length = aim(parameters, "udp"), parameters["bytes"]

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        return [] if meant(view, up) and len(view.payload) == length else passes(packet, up)

    return drop


def make_unknown_drop(parameters: Parameters, random: Random) -> Filter:
    """Drops what is by its bytes neither DNS, STUN, QUIC nor NTP; short headers pass in flows that began as QUIC."""
    meant = aim(parameters, "udp")
    quic: set[tuple[int, bytes, int, bytes, int]] = set()

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        if is_long_header(view.payload):
            quic.add(view.flow(up))
        return passes(packet, up) if view.flow(up) in quic or is_known(view, up) else []

    return drop


def is_known(view: View, up: bool) -> bool:
    payload, port = view.payload, view.far(up)[1]
    if port == DNS_PORT:
        return dns_question(payload) is not None
    return is_stun(payload) or (port == NTP_PORT and len(payload) >= NTP_BYTES)
