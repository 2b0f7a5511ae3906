"""Addresses that are dropped, reset or rejected: literal and named, of one family and of both."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import CLEAN_CALL, OK, TTL_RANGE, everywhere, hidden_ttl, only_v4, same, stage

WAYS = ("up", "both")
WAY = {"direction": "one of up | both"}
TCP_CODES, UDP_CODES = (0, 1, 9, 10, 13), (1, 3, 9, 10, 13)  # of ICMP 3; IPv6 has their like
DROPPED = Expected("likely_blocked", "ip.drop")
# Where only replies are dropped, the packets are seen to leave the network, and nothing comes back: as it is with a
# service that keeps the country out at its own door (service.refuses-silently). No line by itself can tell the two
# apart, so nobody may be accused; another network of the country that reaches the address could. (Until it was known
# how far packets get, `down` was one of the directions above, and was expected to be told as they are.)
CAUSE_UNCLEAR = Expected("impaired")
RESET = Expected("likely_blocked", "ip.reset")
REJECTED = Expected("likely_blocked", "ip.reject")


def drop(random: Random, addresses: Sequence[str], protocol: str = "tcp") -> Stage:
    return stage("ip.drop", addresses=tuple(addresses), protocol=protocol, direction=random.choice(WAYS))


def literal(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(plan.VIBER_CHAT))]


def replies(random: Random) -> Sequence[Stage]:
    return [stage("ip.drop", addresses=everywhere(plan.VIBER_CHAT, plan.TELEGRAM_WEB), direction="down")]


def named(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2))]


def whole_service(random: Random) -> Sequence[Stage]:
    numbers = (plan.TELEGRAM_WEB, plan.MESSENGER_CHAT)
    return [stage("ip.drop", addresses=everywhere(*numbers), direction=random.choice(WAYS))]


def one_port(random: Random) -> Sequence[Stage]:
    return [stage("ip.drop", addresses=everywhere(plan.WHATSAPP_CHAT), ports=(5222,), protocol="tcp")]


def one_family(random: Random) -> Sequence[Stage]:
    return [drop(random, only_v4(plan.WHATSAPP_WEB))]


def one_relay(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(random.choice(plan.VIBER_RELAYS)), "udp")]


def reset(random: Random) -> Sequence[Stage]:
    numbers = (plan.VIBER_CHAT, plan.SIGNAL_CHAT)
    return [
        stage(
            "ip.reset", addresses=everywhere(*numbers), ports=random.choice((None, (443, 5242))), **hidden_ttl(random)
        )
    ]


def rejected(random: Random) -> Sequence[Stage]:
    numbers = (plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2, plan.WHATSAPP_WEB)
    return [stage("ip.reject", addresses=everywhere(*numbers), protocol="tcp", code=random.choice(TCP_CODES))]


def relays_rejected(random: Random) -> Sequence[Stage]:
    addresses = everywhere(*plan.TELEGRAM_RELAYS)
    return [stage("ip.reject", addresses=addresses, protocol="udp", code=random.choice(UDP_CODES))]


def rejected_in_its_name(random: Random) -> Sequence[Stage]:
    """The error seems to come from the service itself, as transparent boxes make it."""
    addresses = everywhere(plan.SIGNAL_CHAT, plan.VIBER_CHAT)
    return [stage("ip.reject", addresses=addresses, protocol="tcp", code=random.choice(TCP_CODES), forged=True)]


def relays_rejected_in_their_name(random: Random) -> Sequence[Stage]:
    addresses = everywhere(*plan.TELEGRAM_RELAYS)
    return [stage("ip.reject", addresses=addresses, protocol="udp", code=random.choice(UDP_CODES), forged=True)]


def opened(random: Random) -> Sequence[Stage]:
    return [stage("tcp.opens", addresses=everywhere(plan.SIGNAL_CHAT, plan.MESSENGER_CHAT))]


ENTRIES = (
    Entry(
        "ip.drop.literal",
        "TCP to Viber's chat server, which apps know by its address, disappears.",
        "endpoints-and-dpi C.4 T04; OONI tcpBlockingConnectTimeout",
        literal,
        WAY,
        same(DROPPED, "viber/chat"),
    ),
    Entry(
        "ip.drop.replies",
        "What Viber's chat server and Telegram's site send disappears; what is sent to them does not.",
        "endpoints-and-dpi C.4 T04 and T14 (server to client)",
        replies,
        expected=same(CAUSE_UNCLEAR, "viber/chat", "telegram/web"),
    ),
    Entry(
        "ip.drop.named",
        "TCP to WhatsApp's chat servers disappears; their names resolve.",
        "endpoints-and-dpi C.4 T04",
        named,
        WAY,
        same(DROPPED, "whatsapp/chat"),
    ),
    Entry(
        "ip.drop.whole",
        "Everything to Telegram's site and Messenger's chat disappears.",
        "endpoints-and-dpi C.2 (Ethiopia 2019: Telegram by address)",
        whole_service,
        WAY,
        same(DROPPED, "telegram/web", "messenger/chat"),
    ),
    Entry(
        "ip.drop.port",
        "WhatsApp's chat is dropped on port 5222 and works on 443, as apps then do.",
        "endpoints-and-dpi C.4 T04 and T26",
        one_port,
        # Any path complete: not blocked, and silence is no artefact (design, section 4).
        expected=same(OK, "whatsapp/chat"),
    ),
    Entry(
        "ip.drop.v4",
        "IPv4 to WhatsApp's site disappears; IPv6 works.",
        "endpoints-and-dpi C.4 T43",
        one_family,
        WAY,
        same(OK, "whatsapp/web"),
    ),
    Entry(
        "ip.drop.one-relay",
        "One of Viber's two relays is dropped.",
        "endpoints-and-dpi C.4 T13 and T40",
        one_relay,
        WAY,
        same(CLEAN_CALL, "viber/call"),
    ),
    Entry(
        "ip.reset",
        "Connections to Viber's and Signal's chat servers are reset at the SYN.",
        "endpoints-and-dpi C.4 T42; reference/lab.md section 1",
        reset,
        {"ttl": TTL_RANGE},
        same(RESET, "viber/chat", "signal/chat"),
    ),
    Entry(
        "ip.reject",
        "A router of the operator rejects TCP to WhatsApp's servers by ICMP.",
        "endpoints-and-dpi C.4 T41",
        rejected,
        {"code": "one of 0 | 1 | 9 | 10 | 13"},
        same(REJECTED, "whatsapp/chat", "whatsapp/web"),
    ),
    Entry(
        "ip.reject.relay",
        "A router of the operator rejects UDP to Telegram's relays by ICMP.",
        "endpoints-and-dpi C.4 T41",
        relays_rejected,
        {"code": "one of 1 | 3 | 9 | 10 | 13"},
        same(REJECTED, "telegram/call"),
    ),
    Entry(
        "ip.reject.forged",
        "A box of the operator's rejects TCP to Signal's and Viber's servers by ICMP in the servers' own name.",
        "Linux' bridge reject; transparent boxes; endpoints-and-dpi C.4 T41",
        rejected_in_its_name,
        {"code": "one of 0 | 1 | 9 | 10 | 13"},
        # It is answered nearer than the service is, which a sweep shows.
        same(REJECTED, "signal/chat", "viber/chat"),
    ),
    Entry(
        "ip.reject.relay.forged",
        "A box of the operator's rejects UDP to Telegram's relays by ICMP in the relays' own name.",
        "Linux' bridge reject; transparent boxes; endpoints-and-dpi C.4 T41",
        relays_rejected_in_their_name,
        {"code": "one of 1 | 3 | 9 | 10 | 13"},
        same(REJECTED, "telegram/call"),
    ),
    Entry(
        "tcp.syn-proxy",
        "A box of the operator's opens connections to Signal and Messenger in their name, and lets nothing through.",
        "a second simulated country (SYN proxies); endpoints-and-dpi C.4 T04",
        opened,
        # Silence after the hello is not about the name: another one at the same address is left unanswered as well.
        expected=same(Expected("likely_blocked", "tcp.payload.drop"), "signal/chat", "messenger/chat"),
    ),
)
