"""Whole bans as they were reported: calls dead and messages alive, several techniques at once."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    CALLS,
    ENDURANCE,
    FLOW,
    MESSAGES,
    OK,
    RESOLVERS,
    VIBER,
    WHATSAPP,
    everywhere,
    only_v4,
    same,
    stage,
)
from tests.lab.techniques.dns import BLOCK_PAGE, DENIED, FORGED, LIE_TTL
from tests.lab.techniques.ip import DROPPED, WAY, drop
from tests.lab.techniques.places import CELLULAR
from tests.lab.techniques.stun import ALLOCATE_DROPPED, TEAMS_ALLOCATE, WHATSAPP_ATTRIBUTE
from tests.lab.techniques.tls import HELLO_DROPPED
from tests.lab.techniques.udp import SILENT_RELAY

ALIVE = same(OK, *MESSAGES)
WHATSAPP_CALL = same(Expected("blocked", "stun.attribute.drop", not_yet=FLOW), "whatsapp/call")


def call_control(random: Random) -> list[Stage]:
    """A policy box that knows calls by their bytes, whatever the service: what the first phase looked like."""
    return [
        stage("turn.allocate.drop"),
        stage("stun.attribute.drop", type=WHATSAPP_ATTRIBUTE),
        stage("rtp.drop", after=random.randint(3, 25)),
    ]


def with_addresses(random: Random) -> list[Stage]:
    """The second phase: the best known relays by address as well, on fixed lines too."""
    return [*call_control(random), drop(random, everywhere(*plan.VIBER_RELAYS), "udp")]


def russia(random: Random) -> Sequence[Stage]:
    """Telegram's relays by prefix, from the client on; WhatsApp's media too choppy to follow."""
    addresses = everywhere(*plan.TELEGRAM_RELAYS)
    choppy = stage("flow.loss", fraction=random.uniform(0.2, 0.5), protocol="udp", ports=(3480,))
    return [stage("ip.drop", addresses=addresses, protocol="udp", direction=random.choice(("up", "both"))), choppy]


def ethiopia(random: Random) -> Sequence[Stage]:
    addresses = everywhere(plan.TELEGRAM_WEB, *plan.TELEGRAM_RELAYS)
    return [stage("tls.sni.drop", names=WHATSAPP), stage("ip.drop", addresses=addresses)]


def emirates(random: Random) -> Sequence[Stage]:
    page = stage("dns.answer", names=VIBER, address=BLOCK_PAGE, answer_ttl=random.randint(1, 3600), resolvers=RESOLVERS)
    return [page, drop(random, everywhere(*plan.VIBER_RELAYS), "udp")]


def thorough(random: Random) -> Sequence[Stage]:
    """The name, the ClientHello and the address: whoever gets past one meets the next."""
    return [
        stage("dns.answer", names=WHATSAPP, rcode="NXDOMAIN", resolvers=RESOLVERS),
        stage("tls.sni.reset", names=WHATSAPP, both=random.random() < 0.5),
        drop(random, everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2, plan.WHATSAPP_WEB)),
    ]


def families_apart(random: Random) -> Sequence[Stage]:
    """IPv4 is dropped by address; IPv6 ends at a machine that speaks in the service's name."""
    address, forger = everywhere(plan.TELEGRAM_WEB)[1], everywhere(plan.BLOCK_PAGE)[1]
    forged = stage("redirect", addresses=(address,), ports=(443,), protocol="tcp", to=forger, to_port=443)
    return [drop(random, only_v4(plan.TELEGRAM_WEB)), forged]


ENTRIES = (
    Entry(
        "morocco.2016.phase1",
        "Calls die on 3G and 4G by their bytes, at every operator; messages, pictures and recorded speech work.",
        "endpoints-and-dpi C.1; peers 6.1 (5 January 2016)",
        call_control,
        {"after": "3–25"},
        same(ALLOCATE_DROPPED, *CALLS) | TEAMS_ALLOCATE | ALIVE | WHATSAPP_CALL,
        accesses=CELLULAR,
    ),
    Entry(
        "morocco.2016.phase2",
        "The same on every access, and Viber's relays by their addresses too.",
        "endpoints-and-dpi C.1; peers 6.1 (26 February 2016)",
        with_addresses,
        WAY | {"after": "3–25"},
        same(ALLOCATE_DROPPED, "telegram/call", "signal/call", "messenger/call")
        | TEAMS_ALLOCATE
        | same(SILENT_RELAY, "viber/call")
        | ALIVE
        | WHATSAPP_CALL,
    ),
    Entry(
        "russia.2025",
        "Telegram's relays hear nothing from clients, WhatsApp's media is thinned out; messages work.",
        "endpoints-and-dpi C.2; peers 6.5 (13 August 2025)",
        russia,
        {"direction": "one of up | both", "fraction": "0.2–0.5"},
        same(SILENT_RELAY, "telegram/call")
        | same(Expected("degraded", "flow.loss", not_yet=ENDURANCE), "whatsapp/call")
        | ALIVE,
    ),
    Entry(
        "ethiopia.2019",
        "WhatsApp is dropped by the name in ClientHellos, Telegram by its addresses.",
        "endpoints-and-dpi C.2 (Ethiopia 2019)",
        ethiopia,
        expected=same(HELLO_DROPPED, "whatsapp/web")
        | same(DROPPED, "telegram/web")
        | same(SILENT_RELAY, "telegram/call"),
    ),
    Entry(
        "emirates.2017",
        "Viber's site leads to a block page and its relays stay silent; its chat works.",
        "endpoints-and-dpi C.2; peers 6.5 (Skype in the UAE, December 2017)",
        emirates,
        WAY | LIE_TTL,
        same(FORGED, "viber/web") | same(SILENT_RELAY, "viber/call") | same(OK, "viber/chat"),
    ),
    Entry(
        "thorough",
        "WhatsApp is denied by DNS, broken off by name and dropped by address, all at once.",
        "endpoints-and-dpi C.2 (TSPU); OONI tlsBlockingConnectionResetWithInconsistentDNS: DNS comes first",
        thorough,
        WAY,
        same(DENIED, "whatsapp/chat", "whatsapp/web"),
    ),
    Entry(
        "families.apart",
        "Telegram's site is dropped by address over IPv4 and intercepted with a foreign certificate over IPv6.",
        "endpoints-and-dpi C.4 T43",
        families_apart,
        WAY,
        # All paths are down: the weakest that can be said of one is said of the whole (design, section 4).
        same(DROPPED, "telegram/web"),
    ),
)
