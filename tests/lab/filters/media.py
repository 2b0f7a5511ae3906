"""What calls are made of, by their bytes: RTP (RFC 3550), DTLS (RFC 9147), SIP (RFC 3261)."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import TCP, UDP, View, parse

LOWEST_PORT = 1024
HANDSHAKE, ANY_DTLS = 0x16, 0xFE
SIP_METHODS = tuple(
    f"{method} sip".encode()
    for method in ("INVITE", "OPTIONS", "REGISTER", "ACK", "BYE", "CANCEL", "SUBSCRIBE", "NOTIFY", "MESSAGE")
)


def is_rtp(view: View) -> bool:
    """As engines tell it: version 2, a payload type in use, ports that are nobody's."""
    if view.protocol != UDP or min(view.source_port, view.destination_port) < LOWEST_PORT:
        return False
    payload = view.payload
    return len(payload) >= 12 and payload[0] >> 6 == 2 and (payload[1] & 0x7F <= 34 or payload[1] & 0x7F >= 96)


def make_rtp_drop(parameters: Parameters, random: Random) -> Filter:
    """Of each flow, `after` packets that look like RTP pass: engines need some to be sure."""
    meant, spared = aim(parameters, "udp"), parameters.get("after", 0)
    seen: Counter[tuple[int, bytes, int, bytes, int]] = Counter()

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up) or not is_rtp(view):
            return passes(packet, up)
        seen[view.flow(up)] += 1
        return passes(packet, up) if seen[view.flow(up)] <= spared else []

    return drop


def make_dtls_drop(parameters: Parameters, random: Random) -> Filter:
    """DTLS handshake records disappear, both ways."""
    meant = aim(parameters, "udp")

    def dtls(view: View) -> bool:
        return len(view.payload) >= 13 and view.payload[0] == HANDSHAKE and view.payload[1] == ANY_DTLS

    return lambda packet, up, now: [] if meant(parse(packet), up) and dtls(parse(packet)) else passes(packet, up)


def make_sip_drop(parameters: Parameters, random: Random) -> Filter:
    """SIP requests and responses in clear disappear, over UDP and TCP, on any port."""
    meant = aim(parameters)

    def sip(view: View) -> bool:
        return view.protocol in (TCP, UDP) and view.payload.startswith((*SIP_METHODS, b"SIP/2.0 "))

    return lambda packet, up, now: [] if meant(parse(packet), up) and sip(parse(packet)) else passes(packet, up)
