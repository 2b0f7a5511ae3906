"""Lies and silence of resolvers, and of boxes that answer in their place."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import places, plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    OK,
    RESOLVERS,
    SIGNAL,
    TELEGRAM,
    VIBER,
    WHATSAPP,
    always,
    everywhere,
    hidden_ttl,
    only_v4,
    same,
    stage,
)

LIE_TTLS = (1, 3600)
LIE_TTL = {"answer_ttl": "1–3600 s"}
BOGONS = ("10.10.34.34", "10.10.34.35", "127.0.0.1", "192.168.1.1", "0.0.0.0")
BOGONS6 = ("d0::11", "::1", "fe80::1", "2001:2::34")
BLOCK_PAGE = everywhere(plan.BLOCK_PAGE)
DENIED = Expected("blocked", "dns.nxdomain")
FORGED = Expected("blocked", "dns.forged")
INJECTED = Expected("blocked", "dns.injected")
SILENT = Expected("likely_blocked", "dns.silent")
IAM = {"operators": ("iam",)}


def denied(random: Random) -> Sequence[Stage]:
    return [stage("dns.answer", names=WHATSAPP, rcode="NXDOMAIN", resolvers=RESOLVERS)]


def denied_to_all(random: Random) -> Sequence[Stage]:
    return [stage("dns.answer", names=(*VIBER, *SIGNAL), rcode="NXDOMAIN", **hidden_ttl(random))]


def refused(random: Random) -> Sequence[Stage]:
    rcode = random.choice(("SERVFAIL", "REFUSED"))
    return [stage("dns.answer", names=TELEGRAM, rcode=rcode, resolvers=RESOLVERS)]


def to_block_page(random: Random) -> Sequence[Stage]:
    names = ("web.whatsapp.example", "www.viber.example")
    lie = random.randint(*LIE_TTLS)
    return [stage("dns.answer", names=names, address=BLOCK_PAGE, answer_ttl=lie, resolvers=RESOLVERS)]


def chat_to_block_page(random: Random) -> Sequence[Stage]:
    names = ("e1.whatsapp.example", "e2.whatsapp.example")
    lie = random.randint(*LIE_TTLS)
    return [stage("dns.answer", names=names, address=BLOCK_PAGE, answer_ttl=lie, resolvers=RESOLVERS)]


def to_bogon(random: Random) -> Sequence[Stage]:
    names, lie = (*WHATSAPP, "chat.signal.example"), random.randint(*LIE_TTLS)
    bogon = random.choice(BOGONS)
    return [stage("dns.answer", names=names, address=(bogon,), answer_ttl=lie, resolvers=RESOLVERS)]


def to_bogons_of_both(random: Random) -> Sequence[Stage]:
    """Censors answer both questions; what is no service's in IPv6 looks odder than 10.0.0.0/8."""
    bogons = (random.choice(BOGONS), random.choice(BOGONS6))
    names = ("web.whatsapp.example", "chat.signal.example")
    return [stage("dns.answer", names=names, address=bogons, answer_ttl=60, resolvers=RESOLVERS)]


def raced_in_ipv6(random: Random) -> Sequence[Stage]:
    """Only who asks for IPv6 is lied to, with an address at which nobody answers."""
    lie = {"address": (plan.OTHER_V6.format(plan.DEAD),), "answer_ttl": random.randint(*LIE_TTLS)}
    names = ("web.whatsapp.example",)
    return [stage("dns.answer", names=names, qtypes=("AAAA",), keep=True, **lie, **hidden_ttl(random))]


def relayed(random: Random) -> Sequence[Stage]:
    """The forged address leads to a proxy that passes everything on to the service."""
    names, proxy = ("web.whatsapp.example",), only_v4(plan.DEAD)
    lie = stage("dns.answer", names=names, address=proxy, answer_ttl=random.randint(*LIE_TTLS), resolvers=RESOLVERS)
    on = stage("redirect", addresses=proxy, ports=(443,), protocol="tcp", to=only_v4(plan.WHATSAPP_WEB)[0], to_port=443)
    return [lie, on]


def raced(random: Random) -> Sequence[Stage]:
    lie = random.choice(({"rcode": "NXDOMAIN"}, {"address": (random.choice(BOGONS),)}))
    return [stage("dns.answer", names=("web.whatsapp.example",), keep=True, **lie, **hidden_ttl(random))]


def raced_to_block_page(random: Random) -> Sequence[Stage]:
    lie = {"address": BLOCK_PAGE, "answer_ttl": random.randint(*LIE_TTLS)}
    return [stage("dns.answer", names=("web.telegram.example",), keep=True, **lie, **hidden_ttl(random))]


def proxied(random: Random) -> Sequence[Stage]:
    """Whoever is asked on port 53, the operator's resolver answers, and lies."""
    own = places.resolvers(plan.OPERATORS["iam"])
    asked = [
        stage("redirect", addresses=None, ports=(53,), protocol=protocol, to=resolver, to_port=53)
        for resolver in own
        for protocol in ("udp", "tcp")
    ]
    return [*asked, stage("dns.answer", names=VIBER, rcode="NXDOMAIN", resolvers=tuple(own))]


ENTRIES = (
    Entry(
        "dns.nxdomain",
        "The operator's resolver denies every name of WhatsApp's; other resolvers can be asked.",
        "endpoints-and-dpi C.4 T01; OONI dnsBlockingNXDOMAIN",
        denied,
        expected=same(DENIED, "whatsapp/chat", "whatsapp/web"),
    ),
    Entry(
        "dns.nxdomain.everywhere",
        "A box answers every DNS query for Viber's and Signal's names with NXDOMAIN, whoever was asked.",
        "endpoints-and-dpi C.4 T01 and T03 without the race",
        denied_to_all,
        {"ttl": "40–250"},
        same(DENIED, "viber/web", "signal/chat", "signal/call"),
    ),
    Entry(
        "dns.servfail",
        "The operator's resolver fails for Telegram's names, or refuses them.",
        "endpoints-and-dpi C.4 T01",
        refused,
        {"rcode": "one of SERVFAIL | REFUSED"},
        same(Expected("likely_blocked", "dns.servfail"), "telegram/web"),
    ),
    Entry(
        "dns.forged.blockpage",
        "The operator's resolver leads two sites to the public address of a ministry's block page.",
        "endpoints-and-dpi C.4 T02, C.2 (UAE, Oman); OONI dnsHijacking",
        to_block_page,
        LIE_TTL,
        same(FORGED, "whatsapp/web", "viber/web"),
    ),
    Entry(
        "dns.forged.blockpage.chat",
        "The operator's resolver leads WhatsApp's chat to the block page, whose server accepts any connection.",
        "endpoints-and-dpi C.4 T02",
        chat_to_block_page,
        LIE_TTL,
        # A connection that opens proves no WhatsApp: only the chat's own first words do, and whose the address is, its
        # certificate says.
        same(FORGED, "whatsapp/chat"),
    ),
    Entry(
        "dns.forged.bogon",
        "The operator's resolver leads names to an address that no service can have.",
        "endpoints-and-dpi C.4 T02 (Iran, 10.10.34.x); OONI dnsBlockingBOGON",
        to_bogon,
        LIE_TTL | {"address": f"one of {' | '.join(BOGONS)}"},
        same(FORGED, "whatsapp/chat", "whatsapp/web", "signal/chat"),
    ),
    Entry(
        "dns.forged.bogon.both",
        "The operator's resolver leads names to addresses that no service can have, one of each family.",
        "ooni/backend#543 (Iran: 10.10.34.36 and d0::11)",
        to_bogons_of_both,
        {"address": f"one of {' | '.join((*BOGONS, *BOGONS6))}"},
        # What is odd about one family never hides the forgery in the other.
        same(FORGED, "whatsapp/web", "signal/chat"),
    ),
    Entry(
        "dns.injected.ipv6",
        "A box races the true answer of those who ask for IPv6, with an address at which nobody answers.",
        "endpoints-and-dpi C.4 T03 and T43",
        raced_in_ipv6,
        LIE_TTL | {"ttl": "40–250"},
        # IPv4 is clean, so the service is reached; two different answers to one question are an artefact all the same.
        same(Expected("degraded", "partial"), "whatsapp/web"),
    ),
    Entry(
        "dns.forged.relaying",
        "The operator's resolver leads a site to a proxy of its own, which passes everything on unread.",
        "ooni 4.1 dnsHijackingToProxyWithHTTPSURL: not blocked",
        relayed,
        LIE_TTL,
        # The certificate verifies: the service answered as itself (design, section 4).
        same(OK, "whatsapp/web"),
    ),
    Entry(
        "dns.injected",
        "A box races the true DNS answer with a denial or a bogon, whoever was asked.",
        "endpoints-and-dpi C.4 T03",
        raced,
        {"ttl": "40–250"},
        same(INJECTED, "whatsapp/web"),
    ),
    Entry(
        "dns.injected.public",
        "A box races the true DNS answer with the address of a block page.",
        "endpoints-and-dpi C.4 T03; testingx's DNS racer",
        raced_to_block_page,
        LIE_TTL | {"ttl": "40–250"},
        # One query sent once, two answers, the first leading to somebody else's certificate.
        same(INJECTED, "telegram/web"),
    ),
    Entry(
        "dns.silent",
        "The operator's resolver never answers for Telegram's names.",
        "endpoints-and-dpi C.4 T01; reference/lab.md section 1, DNS timeout by name",
        always(stage("dns.silent", names=TELEGRAM, resolvers=RESOLVERS)),
        expected=same(SILENT, "telegram/web"),
    ),
    Entry(
        "dns.silent.everywhere",
        "Every DNS query for Signal's names is dropped, whoever was asked.",
        "reference/lab.md section 1, DNS timeout by name",
        always(stage("dns.silent", names=SIGNAL)),
        expected=same(SILENT, "signal/chat", "signal/call"),
    ),
    Entry(
        "dns.one-family",
        "The operator's resolver denies a name to those who ask for IPv4 alone.",
        "endpoints-and-dpi C.4 T43",
        always(
            stage("dns.answer", names=("web.whatsapp.example",), rcode="NXDOMAIN", qtypes=("A",), resolvers=RESOLVERS)
        ),
        # IPv6 gets through: it is nothing that an app would notice. (This said `partial` until that was decided.)
        expected=same(OK, "whatsapp/web"),
    ),
    Entry(
        "dns.proxy",
        "Whoever is asked, the operator's own resolver answers in his name, and denies Viber's.",
        "endpoints-and-dpi C.4 T03; transparent DNS proxies of mobile operators",
        proxied,
        expected=same(DENIED, "viber/web"),
        settings=IAM,
    ),
    Entry(
        "dns.relay",
        "The operator's resolver denies the name of Signal's relay, and no other.",
        "endpoints-and-dpi C.4 T01 and T31, applied to a call's relay",
        always(stage("dns.answer", names=("turn.signal.example",), rcode="NXDOMAIN", resolvers=RESOLVERS)),
        expected=same(DENIED, "signal/call") | same(OK, "signal/chat"),
    ),
)
