"""Plain web and QUIC: block pages, and HTTP/3 that must fall back."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import OK, SIGNAL, TELEGRAM, TTL_RANGE, VIBER, hidden_ttl, same, stage

PAGES = ("http://blocked.ministry.example/", "Access denied by order of the regulator (simulated).")
FALLBACK = Expected("degraded", "forced_fallback")  # TLS over TCP still completes


def block_page(random: Random) -> Sequence[Stage]:
    return [stage("http.blockpage", names=VIBER, page=random.choice(PAGES), **hidden_ttl(random))]


def quic(random: Random) -> Sequence[Stage]:
    return [stage("quic.drop", names=None, ports=random.choice((None, (443,))))]


def quic_by_name(random: Random) -> Sequence[Stage]:
    return [stage("quic.drop", names=random.choice((TELEGRAM, ("web.telegram.example",))))]


def tls_and_quic_by_name(random: Random) -> Sequence[Stage]:
    """Whatever way the name is said."""
    return [stage("tls.sni.drop", names=SIGNAL), stage("quic.drop", names=SIGNAL)]


ENTRIES = (
    Entry(
        "http.blockpage",
        "A plain request for Viber's site is answered with a block page; TLS to it works.",
        "endpoints-and-dpi C.4 T29 (UAE, Oman 2005); OONI httpDiffWithConsistentDNS",
        block_page,
        {"ttl": TTL_RANGE, "page": f"one of {' | '.join(PAGES)}"},
        # Plain HTTP and TLS are two ways to the site: TLS completes, the page is an artefact.
        same(Expected("degraded", "partial"), "viber/web"),
    ),
    Entry(
        "quic.drop",
        "QUIC's long headers are dropped, whoever is meant.",
        "endpoints-and-dpi C.4 T23",
        quic,
        # Neutral QUIC dies with it, so that nothing may be said of it (design, section 4), and TLS over TCP completes.
        # (This said `forced_fallback` before there was a neutral of the kind.)
        expected=same(OK, "telegram/web"),
    ),
    Entry(
        "quic.sni.drop",
        "QUIC flows whose Initial names Telegram are dropped; TLS over TCP is not looked at.",
        "endpoints-and-dpi C.4 T23, C.2 (China since 2024)",
        quic_by_name,
        expected=same(FALLBACK, "telegram/web"),
    ),
    Entry(
        "quic.and.tls.sni.drop",
        "Whatever names Signal is dropped, in TLS over TCP and in QUIC.",
        "endpoints-and-dpi C.2 (TSPU: SNI, IP and QUIC triggers)",
        tls_and_quic_by_name,
        # Its chat is TLS over TCP with its own authority; its relay speaks neither.
        expected=same(Expected("likely_blocked", "tls.sni.drop"), "signal/chat"),
    ),
)
