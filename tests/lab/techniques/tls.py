"""What is done once a ClientHello has named the service, and certificates that are not the service's."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    MESSENGER,
    OK,
    SIGNAL,
    TELEGRAM,
    TTL_RANGE,
    VIBER,
    WHATSAPP,
    everywhere,
    hidden_ttl,
    same,
    stage,
)

HELLO_DROPPED = Expected("likely_blocked", "tls.sni.drop")
BROKEN_OFF = Expected("likely_blocked", "tls.sni.reset")
TRANSLATOR = "192.0.0.1"  # of 192.0.0.0/29, which RFC 7335 gives to translators on a line
PENALTY = (60.0, 180.0)
PENALTY_RANGE = {"seconds": "60–180 s"}


def hello_dropped(random: Random) -> Sequence[Stage]:
    return [stage("tls.sni.drop", names=random.choice((WHATSAPP, ("web.whatsapp.example",))))]


def broken_in_path(random: Random) -> Sequence[Stage]:
    return [stage("tls.sni.reset", names=SIGNAL, both=random.random() < 0.5, in_path=True, **hidden_ttl(random))]


def broken_on_path(random: Random) -> Sequence[Stage]:
    return [stage("tls.sni.reset", names=MESSENGER, both=random.random() < 0.5, in_path=False, **hidden_ttl(random))]


def reply_dropped(random: Random) -> Sequence[Stage]:
    return [stage("tls.reply.drop", names=TELEGRAM)]


def blackholed(random: Random) -> Sequence[Stage]:
    return [stage("tls.blackhole", names=VIBER, seconds=random.uniform(*PENALTY))]


def intercepted(random: Random) -> Sequence[Stage]:
    """To a machine that speaks in the service's name with certificates of its own."""
    return [
        stage("redirect", addresses=(address,), ports=(443,), protocol="tcp", to=forger, to_port=443)
        for address, forger in zip(everywhere(plan.SIGNAL_CHAT), everywhere(plan.BLOCK_PAGE), strict=True)
    ]


def copied(random: Random) -> Sequence[Stage]:
    """To a machine whose authority bears the name of the genuine one."""
    return [
        stage("redirect", addresses=(address,), ports=(443,), protocol="tcp", to=forger, to_port=443)
        for address, forger in zip(everywhere(plan.TELEGRAM_WEB), everywhere(plan.COPYCAT), strict=True)
    ]


def intercepted_v4(random: Random) -> Sequence[Stage]:
    address, forger = everywhere(plan.WHATSAPP_WEB)[0], everywhere(plan.BLOCK_PAGE)[0]
    return [stage("redirect", addresses=(address,), ports=(443,), protocol="tcp", to=forger, to_port=443)]


ENTRIES = (
    Entry(
        "tls.sni.drop",
        "ClientHellos that name WhatsApp are dropped, and sent again in vain.",
        "endpoints-and-dpi C.4 T22 (Ethiopia 2019, TSPU)",
        hello_dropped,
        # The chat is TCP without a name, and passes.
        expected=same(HELLO_DROPPED, "whatsapp/web") | same(OK, "whatsapp/chat"),
    ),
    Entry(
        "tls.sni.reset.in-path",
        "A box in the path swallows the ClientHello that names Signal and breaks the connection off.",
        "endpoints-and-dpi C.4 T21 (Russia 2022)",
        broken_in_path,
        {"ttl": TTL_RANGE},
        same(BROKEN_OFF, "signal/chat"),
    ),
    Entry(
        "tls.sni.reset.on-path",
        "A box beside the path lets the ClientHello that names Messenger pass and sends resets after it.",
        "endpoints-and-dpi C.4 T21 and T42 (Iran, Ethiopia); OONI tlsBlockingConnectionReset",
        broken_on_path,
        {"ttl": TTL_RANGE},
        same(BROKEN_OFF, "messenger/chat"),
    ),
    Entry(
        "tls.reply.drop",
        "The ClientHello that names Telegram passes and is acknowledged; what the server then says is dropped.",
        "endpoints-and-dpi C.2 (TSPU); C.4 T22",
        reply_dropped,
        expected=same(Expected("likely_blocked", "tls.reply.drop"), "telegram/web"),
    ),
    Entry(
        "tls.blackhole",
        "After a ClientHello that names Viber nothing passes to that server and port, for a while.",
        "endpoints-and-dpi C.4 T20 and T22 (GFW, Iran); reference/lab.md, residual 3-tuple",
        blackholed,
        PENALTY_RANGE,
        # First TCP opens and TLS stays silent; later not even TCP opens: the visit is punished.
        same(Expected("likely_blocked", "residual"), "viber/web"),
    ),
    Entry(
        "tls.mitm",
        "Connections to Signal's chat end at a machine with certificates of a foreign authority.",
        "endpoints-and-dpi C.4 T28 (Kazakhstan)",
        intercepted,
        expected=same(Expected("blocked", "tls.mitm"), "signal/chat"),
    ),
    Entry(
        "tls.mitm.copied-names",
        "Connections to Telegram's site end at a machine whose authority bears the name of the genuine one.",
        "endpoints-and-dpi C.4 T28; a certificate that copies the issuer's name",
        copied,
        # No name makes an authority: its key did not sign this.
        expected=same(Expected("blocked", "tls.mitm"), "telegram/web"),
    ),
    Entry(
        "tls.mitm.v4",
        "Connections to WhatsApp's site over IPv4 end at a machine with certificates of a foreign authority.",
        "endpoints-and-dpi C.4 T28 and T43",
        intercepted_v4,
        # A foreign certificate is an artefact, and IPv6 gets through.
        expected=same(Expected("degraded", "partial"), "whatsapp/web"),
    ),
    Entry(
        "tls.sni.reset.controls-without-ipv6",
        "Connections that name Signal are broken off in both families, and no control has IPv6.",
        "endpoints-and-dpi C.4 T21; the review of the probe (IPv6 without controls hid a ban of IPv4)",
        broken_in_path,
        {"ttl": TTL_RANGE},
        # Nobody tells of IPv6 elsewhere, and that hides nothing of IPv4.
        same(BROKEN_OFF, "signal/chat"),
        settings={"controls": "without-ipv6"},
    ),
    Entry(
        "tls.sni.drop.behind-a-translator",
        "ClientHellos that name WhatsApp are dropped, on a line whose first router has an address of 192.0.0.0/24.",
        "endpoints-and-dpi C.4 T22; RFC 7335 (464XLAT, DS-Lite)",
        hello_dropped,
        # The translator is at home and the box is not.
        expected=same(HELLO_DROPPED, "whatsapp/web") | same(OK, "whatsapp/chat"),
        accesses=("4g", "wifi"),
        settings={"gateway": TRANSLATOR},
    ),
)
