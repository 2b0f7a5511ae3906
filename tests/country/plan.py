"""Who has which address and name in the country, and its targets file.

A place is a number: the last of its IPv4 and of its IPv6 address alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

WORLD_V4, WORLD_V6 = "203.0.113.{}", "2001:db8:113::{}"
OTHER_V4 = "192.0.2.{}"  # a second hosting network, and the controls'
LINE_V4 = "30.100.1.{}"  # subscribers': in no /24 with the ISP's resolver, for one beside a line may be the home's
ISP_V4, ISP_V6 = "198.51.100.{}", "2001:db8:100::{}"

GATEWAY = 1  # in the world and at the ISP
RESOLVER = 53  # the independent one in the world, the lines' own at the ISP
PORTAL = 80  # at the ISP
FORGER, DEAD, COLLECTOR = 66, 99, 250  # in the world
SECOND_NEUTRAL = OTHER_V4.format(200)
LIARS = {
    "forged": 54,
    "bogon": 55,
    "nxdomain": 56,
    "nothing": 57,
    "servfail": 58,
    "no-ipv6": 59,
    "edge": 60,  # no lie: another address of the service's, as CDNs have them
}  # lie → resolver at the ISP
BOGON = "10.10.34.34"

NETWORKS = """\
prefix,asn,country,operator
198.51.0.0/16,64500,XL,Lineland Telecom
30.100.0.0/16,64500,XL,Lineland Telecom
2001:db8:100::/48,64500,XL,Lineland Telecom
203.0.113.0/24,64501,XW,World Hosting
2001:db8:113::/48,64501,XW,World Hosting
192.0.2.0/26,64510,XC,First Control
2001:db8:201::/48,64510,XC,First Control
192.0.2.64/26,64511,XD,Second Control
2001:db8:202::/48,64511,XD,Second Control
192.0.2.128/25,64512,XW,Other Hosting
"""


def in_world(number: int) -> tuple[str, str]:
    return WORLD_V4.format(number), WORLD_V6.format(number)


def at_isp(number: int) -> tuple[str, str]:
    return ISP_V4.format(number), ISP_V6.format(number)


WHATSAPP_CHAT, WHATSAPP_WEB, VIBER_CHAT, SIGNAL_CHAT = 11, 12, 21, 41
WHATSAPP_EDGE = 13  # serves what WHATSAPP_WEB does; only the resolver `edge` names it
PORTAL_CHECK, NEUTRAL_WEB, NEUTRAL_STUN = 71, 72, 73
VIBER_CALL, TELEGRAM_CALL, SIGNAL_CALL = (22, 23), (32, 33), (42,)
REALMS = {
    "viber.com": VIBER_CALL,
    "telegram.org": TELEGRAM_CALL,
    "signal.org": SIGNAL_CALL,
    "neutral.example": (NEUTRAL_STUN,),
}
WEB_SERVERS = (WHATSAPP_CHAT, WHATSAPP_WEB, WHATSAPP_EDGE, VIBER_CHAT, SIGNAL_CHAT, PORTAL_CHECK, NEUTRAL_WEB)
RELAYS = (*VIBER_CALL, *TELEGRAM_CALL, *SIGNAL_CALL)
SERVICES = (WHATSAPP_CHAT, WHATSAPP_WEB, WHATSAPP_EDGE, VIBER_CHAT, SIGNAL_CHAT, *RELAYS)

NAMES: dict[str, tuple[str, ...]] = {
    "chat.whatsapp.example": in_world(WHATSAPP_CHAT),
    "web.whatsapp.example": in_world(WHATSAPP_WEB),
    "chat.signal.example": in_world(SIGNAL_CHAT),
    "turn.signal.example": in_world(*SIGNAL_CALL),
    "web.imo.example": (WORLD_V4.format(DEAD),),
    "portal.neutral.example": in_world(PORTAL_CHECK),
    "web.neutral.example": in_world(NEUTRAL_WEB),
    "stun.neutral.example": in_world(NEUTRAL_STUN),
}
PINNED = "chat.signal.example"  # its certificate is of the service's own authority
CERTIFIED = ("chat.whatsapp.example", "web.whatsapp.example", "portal.neutral.example", "web.neutral.example")
LIED_ABOUT = ("chat.whatsapp.example", "web.whatsapp.example", "chat.signal.example")


def targets_yaml(signal_pem: str) -> str:
    """Real services by name, at hosts of the country's own."""
    targets = _baseline() | _services()
    independent = {"addresses": list(in_world(RESOLVER)), "independent": True}
    content = {"targets": targets, "resolvers": {"world": independent}, "authorities": {"signal": signal_pem}}
    return yaml.safe_dump(content, sort_keys=False)


def _baseline() -> dict[str, Any]:
    stun = [("stun.neutral.example", 3478), (SECOND_NEUTRAL, 3478)]
    return {
        "baseline/portal": _target(
            "http", [("portal.neutral.example", 80)], plane="web", expect={"path": "/generate_204", "status": 204}
        ),
        "baseline/tls": _target("tls", [("web.neutral.example", 443)], plane="web"),
        "baseline/stun": _target("stun", stun, plane="media"),
        "baseline/dns": _target(
            "dns",
            [(WORLD_V4.format(RESOLVER), 53)],
            plane="signalling",
            transport="udp",
            expect={"name": "web.neutral.example"},
        ),
    }


def _services() -> dict[str, Any]:
    return {
        "whatsapp/chat": _target("tcp", [("chat.whatsapp.example", 443)]),
        "whatsapp/web": _target("tls", [("web.whatsapp.example", 443)]),
        "viber/chat": _target("tcp", [(WORLD_V4.format(VIBER_CHAT), 443)]),
        "viber/call": _relays("viber.com", VIBER_CALL),
        "telegram/call": _relays("telegram.org", TELEGRAM_CALL),
        "signal/chat": _target("tls", [(PINNED, 443)], ca="signal"),
        "signal/call": _target("turn", [("turn.signal.example", 3478)], expect={"realm": "signal.org"}),
        "imo/web": _target("tls", [("web.imo.example", 443)]),  # dead: it answers nobody
    }


def _relays(realm: str, numbers: Sequence[int]) -> dict[str, Any]:
    return _target("turn", [(WORLD_V4.format(number), 3478) for number in numbers], expect={"realm": realm})


def _target(handshake: str, endpoints: Sequence[tuple[str, int]], **more: Any) -> dict[str, Any]:
    hosts = [{"host": host, "port": port} for host, port in endpoints]
    return {"handshake": handshake, **more, "source": "tests/country", "date": "2026-01-01", "endpoints": hosts}
