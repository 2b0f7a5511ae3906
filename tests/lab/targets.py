"""The lab's targets file and its table of networks, by the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from tests.lab import plan
from tests.lab.places import PINNED
from tests.lab.plan import OPERATORS, WORLD_V4, WORLD_V6
from tests.servers import msturn, mtproto, noise
from tests.servers.noise import Signer

MINISTRY = {"redirect": "blocked.ministry.example", "order": "Access denied by order of the regulator"}
HOSTING = (
    ("203.0.0.0/16", 64496 + 100, "XW", "World Hosting"),
    ("192.0.2.0/24", 64496 + 101, "XW", "Other Hosting"),
    ("2001:db8:113::/48", 64496 + 100, "XW", "World Hosting"),
    ("2001:db8:192::/48", 64496 + 101, "XW", "Other Hosting"),
)


def networks_csv() -> str:
    """Everybody's prefixes, as a collector wants them."""
    rows = [(prefix, one.asn, one.country, one.name) for one in OPERATORS.values() for prefix in (one.v4, one.v6)]
    return "\n".join(["prefix,asn,country,operator", *(",".join(map(str, row)) for row in (*rows, *HOSTING))]) + "\n"


def targets_yaml(signal_pem: str) -> str:
    """Real services by name, at hosts of the lab's own."""
    independent = {"addresses": [plan.WORLD_V4.format(53), plan.WORLD_V6.format(53)], "independent": True}
    content = {
        "targets": _baseline() | _chats() | _calls() | _webs(),
        "resolvers": {"world": independent},
        "fingerprints": _fingerprints(),
        "authorities": {"signal": signal_pem},
    }
    return yaml.safe_dump(content, sort_keys=False)


def _fingerprints() -> dict[str, Any]:
    """What the lab's ministry shows to those who ask in plain HTTP."""
    known = {"country": "MA", "source": "tests/lab", "date": "2026-01-01"}
    return {name: known | {"pattern": pattern} for name, pattern in MINISTRY.items()}


def _baseline() -> dict[str, Any]:
    literal = {"host": WORLD_V4.format(plan.NEUTRAL_WEB), "port": 443, "server_name": "www.neutral.example"}
    stun = [("stun.neutral.example", 3478)]
    stun += [(WORLD_V4.format(plan.NEUTRAL_STUN_2), port) for port in (19302, 3478)]
    stun += [(WORLD_V6.format(plan.NEUTRAL_STUN_2), 19302)]
    check = {"path": "/generate_204", "status": 204}
    tls = _target("tls", [("www.neutral.example", 443), ("www.neutral.example", plan.NEUTRAL_PORT)], plane="web")
    tls["endpoints"].append(literal)
    literal6 = literal | {"host": WORLD_V6.format(plan.NEUTRAL_WEB)}
    quic = _target("quic", [], plane="web") | {"endpoints": [dict(literal), literal6]}
    name = {"name": "www.neutral.example"}
    return {
        "baseline/portal": _target("http", [("portal.neutral.example", 80)], plane="web", expect=check),
        "baseline/tls": tls,
        "baseline/quic": quic,
        "baseline/stun": _target("stun", stun, plane="media"),
        "baseline/dns": _target(
            "dns", [(WORLD_V4.format(plan.RESOLVER), 53)], plane="signalling", transport="udp", expect=name
        ),
    }


def _chats() -> dict[str, Any]:
    root = {"keys": [Signer(noise.SEED).public.hex()]}
    return {
        "whatsapp/chat": _target("noise", [("e1.whatsapp.example", 5222), ("e2.whatsapp.example", 443)], expect=root),
        "telegram/chat": _telegram(),
        "viber/chat": _target("viber", [(WORLD_V4.format(plan.VIBER_CHAT), 5242)]),
        "linphone/chat": _target("sip", [(WORLD_V4.format(plan.LINPHONE), 5060)], transport="udp"),
        "signal/chat": _target("tls", [(PINNED, 443)], ca="signal"),
        "messenger/chat": _target("tls", [("edge.messenger.example", 443)]),
    }


def _telegram() -> dict[str, Any]:
    """The same question to the same place in two framings, of which one hides what it is."""
    place = {"host": WORLD_V4.format(plan.TELEGRAM_CHAT), "port": 443}
    framings = [place | {"handshake": f"mtproto-{framing}"} for framing in ("abridged", "obfuscated")]
    known = {"keys": [mtproto.KEY.hex()]}
    return {"expect": known, "source": "tests/lab", "date": "2026-01-01", "endpoints": framings}


def _calls() -> dict[str, Any]:
    viber = [(WORLD_V4.format(number), port) for number in plan.VIBER_RELAYS for port in (443, 3478)]
    telegram = [(WORLD_V4.format(number), 1400) for number in plan.TELEGRAM_RELAYS]
    return {
        "whatsapp/call": {"not_measurable": "Its relays answer only an Allocate with the token of a call."},
        "viber/call": _relays("viber.com", viber),
        "telegram/call": _relays("telegram.org", telegram),
        "signal/call": _relays("signal.org", [("turn.signal.example", 3478)]),
        "messenger/call": _relays("turner.facebook", [(WORLD_V4.format(plan.MESSENGER_RELAY), 40003)]),
        "imo/call": _over_two_transports("imo.im", WORLD_V4.format(plan.IMO_RELAY), plan.IMO_PORT),
        "teams/call": _target("msturn", [(WORLD_V4.format(plan.TEAMS_RELAY), 3478)], expect={"realm": msturn.REALM}),
    }


def _webs() -> dict[str, Any]:
    names = {"whatsapp": "web.whatsapp.example", "viber": "www.viber.example", "telegram": "web.telegram.example"}
    sites = {f"{service}/web": _target("tls", [(name, 443)]) for service, name in names.items()}
    sites["viber/web"]["endpoints"].append(
        {"host": names["viber"], "port": 80, "handshake": "http", "expect": {"status": 200}}
    )
    sites["telegram/web"]["endpoints"].append({"host": names["telegram"], "port": 443, "handshake": "quic"})
    return sites


def _relays(realm: str, endpoints: Sequence[tuple[str, int]]) -> dict[str, Any]:
    return _target("turn", endpoints, expect={"realm": realm})


def _over_two_transports(realm: str, host: str, port: int) -> dict[str, Any]:
    ways = [{"host": host, "port": port, "transport": transport} for transport in ("udp", "tcp")]
    return _relays(realm, []) | {"on_request": True, "endpoints": ways}


def _target(handshake: str, endpoints: Sequence[tuple[str, int]], **more: Any) -> dict[str, Any]:
    hosts = [{"host": host, "port": port} for host, port in endpoints]
    return {"handshake": handshake, **more, "source": "tests/lab", "date": "2026-01-01", "endpoints": hosts}
