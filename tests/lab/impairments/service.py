"""What services do to themselves, to everybody or to one country: down, moved, misconfigured, refusing.

What fails everywhere is `down`. What a vendor does to one country only is `impaired`: the packets get out of the line's
own network, which a router beyond it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import places, plan
from tests.lab.impairments.words import DOWN, IMPAIRED, REFUSED, drawn, in_place_of, led_to
from tests.lab.model import Entry, Stage
from tests.lab.techniques.aims import always, everywhere, same, stage

COUNTRY_ONLY = {"spares_controls": True}


def closed(random: Random) -> Sequence[Stage]:
    """Nobody answers, or a machine that has nothing to say."""
    if random.random() < 0.5:
        return in_place_of(plan.VIBER_WEB, plan.RETIRED)
    return [stage("ip.drop", addresses=everywhere(plan.VIBER_WEB))]


def parked(random: Random) -> Sequence[Stage]:
    address = random.choice(("127.0.0.1", "0.0.0.0", "10.0.0.1"))
    return [stage("dns.answer", names=("web.telegram.example",), address=(address,))]


def one_relay(random: Random) -> Sequence[Stage]:
    return in_place_of(random.choice(plan.TELEGRAM_RELAYS), plan.RETIRED)


def without_5222(random: Random) -> Sequence[Stage]:
    addresses = everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2)
    return [stage(random.choice(("ip.drop", "ip.reset")), addresses=addresses, ports=(5222,))]


def regional_site(random: Random) -> Sequence[Stage]:
    """The vendor's DNS leads this country to a site that is dead; others are led elsewhere."""
    names = ("web.telegram.example", "edge.messenger.example")
    dead = [plan.OTHER_V4.format(plan.DEAD), plan.OTHER_V6.format(plan.DEAD)]
    return [*(led_to(name, plan.DEAD) for name in names), stage("ip.drop", addresses=tuple(dead))]


def overloaded(random: Random) -> Stage:
    addresses = everywhere(*plan.VIBER_RELAYS, *plan.TELEGRAM_RELAYS)
    return stage("link.loss", fraction=random.uniform(0.3, 0.4), addresses=addresses, direction="down")


def slow(random: Random) -> Stage:
    addresses = everywhere(plan.WHATSAPP_WEB, plan.SIGNAL_CHAT, plan.SIGNAL_RELAY)
    return stage("link.delay", seconds=random.uniform(1, 2), addresses=addresses, direction="down")


def refusing_relays(random: Random) -> Stage:
    """ICMP 3/10 is what Zoom's own zone controllers send; 3/13 and 3/3 are as good."""
    addresses = everywhere(*plan.TELEGRAM_RELAYS)
    return stage("service.refuses", addresses=addresses, protocol="udp", code=random.choice((3, 10, 13)))


def wrong_cache(random: Random) -> Sequence[Stage]:
    v4, v6 = places.at_operator(plan.OPERATORS["iam"], plan.IN_ISP)
    led = stage("dns.answer", names=("www.viber.example",), address=(v4, v6))
    shown = [
        stage("redirect", addresses=(cache,), to=other)
        for cache, other in zip((v4, v6), everywhere(plan.RENAMED), strict=True)
    ]
    return [led, *shown]


LEGAL = "Unavailable for legal reasons (simulated)."
CHATS = everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2, plan.TELEGRAM_CHAT, plan.VIBER_CHAT)
CHATS_BY_TLS = everywhere(plan.SIGNAL_CHAT, plan.MESSENGER_CHAT)


def hanging_up(random: Random) -> Stage:
    return stage("service.hangs_up", addresses=CHATS, by=random.choice(("reset", "close")))


ENTRIES = (
    Entry(
        "service.down",
        "Messenger is down, with its relay: nobody anywhere gets an answer.",
        "the issue; endpoints-and-dpi C.5 no. 3; ooni 4.5 vendorDown",
        always(stage("ip.drop", addresses=everywhere(plan.MESSENGER_CHAT, plan.MESSENGER_RELAY))),
        expected=same(DOWN, "messenger/chat", "messenger/call"),
        at="world",
    ),
    Entry(
        "service.closed",
        "Viber's site is gone: its port is closed, or its host does not answer.",
        "OONI websiteDownTCPConnect",
        closed,
        {"how": "closed port | silence"},
        same(DOWN, "viber/web"),
        at="world",
    ),
    Entry(
        "service.relay-retired",
        "One of Telegram's two relays has been retired; the other serves everybody.",
        "the issue; endpoints-and-dpi C.4 T13, guard",
        one_relay,
        {"relay": "one of two"},
        at="world",
    ),
    Entry(
        "service.last-relay-retired",
        "Signal's name still leads to a relay that has been retired.",
        "the issue; endpoints-and-dpi C.5 no. 3",
        always(*in_place_of(plan.SIGNAL_RELAY, plan.RETIRED)),
        expected=same(DOWN, "signal/call"),
        at="world",
    ),
    Entry(
        "service.certificate-expired",
        "Viber has let the certificate of its site expire.",
        "the issue; OONI badSSLWithExpiredCertificate",
        always(*in_place_of(plan.VIBER_WEB, plan.EXPIRED)),
        expected=same(DOWN, "viber/web"),
        at="world",
    ),
    Entry(
        "service.certificate-expired-here",
        "The site of Viber's that serves this country shows an expired certificate; others are renewed.",
        "OONI badSSLWithExpiredCertificate, in one region",
        always(*in_place_of(plan.VIBER_WEB, plan.EXPIRED)),
        expected=same(IMPAIRED, "viber/web"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.authority-rotated",
        "Signal has replaced its authority, which our targets file does not know yet.",
        "the issue; OONI #2344, four worldwide false alarms (ooni 1.3); badSSLWithUnknownAuthority",
        always(*in_place_of(plan.SIGNAL_CHAT, plan.ROTATED)),
        expected=same(DOWN, "signal/chat"),
        at="world",
    ),
    Entry(
        "service.renamed",
        "Messenger's host has got another name; the old one exists no more.",
        "the issue; OONI #2627, websiteDownNXDOMAIN",
        always(stage("dns.answer", names=("edge.messenger.example",), rcode="NXDOMAIN")),
        expected=same(DOWN, "messenger/chat"),
        at="world",
    ),
    Entry(
        "service.renamed-without-addresses",
        "Messenger's old name exists, and leads nowhere any more.",
        "OONI websiteDownNoAddrs",
        always(stage("dns.answer", names=("edge.messenger.example",))),
        expected=same(DOWN, "messenger/chat"),
        at="world",
    ),
    Entry(
        "service.parked",
        "A service that is gone has parked its name at an address that nobody can reach.",
        "OONI localhostWithHTTPS; endpoints-and-dpi C.4 T29, guard",
        parked,
        {"address": "one of 127.0.0.1 | 0.0.0.0 | 10.0.0.1"},
        same(DOWN, "telegram/web"),
        at="world",
    ),
    Entry(
        "service.moved",
        "Telegram's site shows a certificate for its new name only.",
        "OONI badSSLWithWrongServerName",
        always(*in_place_of(plan.TELEGRAM_WEB, plan.RENAMED)),
        expected=same(DOWN, "telegram/web"),
        at="world",
    ),
    Entry(
        "service.port-5222",
        "WhatsApp has retired port 5222 worldwide; 443 goes on.",
        "the issue; ooni/probe#2869, which looked like worldwide blocking",
        without_5222,
        {"how": "one of ip.drop | ip.reset"},
        at="world",
    ),
    Entry(
        "service.moved-worldwide",
        "A service moves to other addresses, and its DNS with it.",
        "endpoints-and-dpi C.5 no. 3 and 14",
        always(led_to("web.whatsapp.example", plan.WHATSAPP_WEB), led_to("turn.signal.example", plan.SIGNAL_RELAY)),
        at="world",
    ),
    Entry(
        "service.slow",
        "A service takes its time to answer anybody.",
        "lab.md section 1, slow handshake",
        drawn(slow),
        {"seconds": "1–2"},
        at="world",
        settings={"scale": 1.0},
    ),
    Entry(
        "service.overloaded",
        "Relays leave every third request unanswered.",
        "endpoints-and-dpi C.5 no. 13",
        drawn(overloaded),
        {"fraction": "0.3–0.4"},
        at="world",
        settings={"scale": 1.0},
    ),
    Entry(
        "service.regional-site-dead",
        "The vendors' site for this country is dead; the one that others are led to is not.",
        "the issue; endpoints-and-dpi C.5 no. 14; design, section 4 (service's regional fault)",
        regional_site,
        expected=same(IMPAIRED, "telegram/web", "messenger/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.wrong-edge",
        "A CDN leads this country to an edge that shows another customer's genuine certificate.",
        "OONI badSSLWithWrongServerName; probe#2517",
        always(led_to("www.viber.example", plan.RENAMED, plan.WORLD_V4, plan.WORLD_V6)),
        expected=same(IMPAIRED, "viber/web"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.wrong-cache",
        "The operator's cache of a CDN shows another customer's genuine certificate for Viber's site.",
        "OONI badSSLWithWrongServerName; caches inside operators (FNA, GGC)",
        wrong_cache,
        expected=same(IMPAIRED, "viber/web"),
        settings={"operators": ("iam",)},
    ),
    Entry(
        "service.signatures-broken",
        "The signatures of Telegram's zone are broken: resolvers that check them fail, the country's and a public one.",
        "DNSSEC outages; SERVFAIL of validating resolvers alone",
        always(stage("dns.answer", names=("telegram.example",), rcode="SERVFAIL")),
        # A resolver that is nobody's here fails in the same way.
        expected=same(IMPAIRED, "telegram/web"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.opens-and-is-silent",
        "Messenger's balancer accepts this country's connections and has nobody behind it.",
        "SYN proxies before a service that is down in one region",
        always(stage("tcp.opens", addresses=everywhere(plan.MESSENGER_CHAT))),
        expected=same(IMPAIRED, "messenger/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.says-too-much",
        "Telegram's servers say that they are asked too much from here (-429).",
        "MTProto's transport errors; many lines behind one address of a carrier's NAT",
        always(*in_place_of(plan.TELEGRAM_CHAT, plan.CROWDED)),
        expected=same(REFUSED, "telegram/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.451",
        "Viber answers plain requests from this country with 451, and serves its site over TLS.",
        "RFC 7725; services that keep a law, or that do not know better",
        always(
            stage("http.blockpage", names=("viber.example",), page=LEGAL, status="451 Unavailable For Legal Reasons")
        ),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.relay-without-udp",
        "imo's relay answers over TCP alone, to everybody.",
        "relays that give UDP up; the harmless twin of UDP that is dropped beside TCP",
        always(stage("ip.drop", addresses=everywhere(plan.IMO_RELAY), protocol="udp")),
        at="world",
        settings={"services": ("imo",)},
        mild=True,
    ),
    Entry(
        "service.refuses-by-icmp",
        "Telegram's relays refuse this country's packets themselves, by ICMP.",
        "the issue; endpoints-and-dpi A.0 (Zoom), C.4 T41, guard",
        drawn(refusing_relays),
        {"code": "one of 3 | 10 | 13"},
        same(REFUSED, "telegram/call"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.refuses-allocate",
        "Messenger's relay answers this country's Allocate with an error of its own.",
        "the issue; RFC 8656 section 7.2 (403, 486, 508); endpoints-and-dpi C.5 no. 13",
        drawn(
            lambda random: stage(
                "service.turn_error", addresses=everywhere(plan.MESSENGER_RELAY), code=random.choice((403, 486, 508))
            )
        ),
        {"code": "one of 403 | 486 | 508"},
        same(REFUSED, "messenger/call"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.refuses-silently",
        "Signal drops what comes from this country, at its own door.",
        "the issue; services that keep out a country by its addresses",
        always(stage("ip.drop", addresses=everywhere(plan.SIGNAL_CHAT))),
        expected=same(IMPAIRED, "signal/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.refuses-by-name",
        "Viber's server breaks off connections from this country once it is asked for its site.",
        "the issue; endpoints-and-dpi C.4 T21, guard (server RST)",
        always(stage("tls.sni.reset", names=("viber.example",))),
        # It waited for the same name towards a server of our own, without a mechanism. Where the reset comes from tells
        # as much: from no nearer than the service itself, behind another country's router.
        expected=same(REFUSED, "viber/web"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.anycast-site-dead",
        "The site of Viber's that this country's packets are routed to is dead, under an address that works elsewhere.",
        "endpoints-and-dpi C.5 no. 14; C.4 T04, guard (routing outage)",
        always(stage("ip.drop", addresses=everywhere(plan.VIBER_CHAT))),
        expected=same(IMPAIRED, "viber/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.hangs-up",
        "Messengers' servers take connections from this country, and break them off at the first words.",
        "endpoints-and-dpi C.4 T21, guard (server RST); services that keep out a country by its addresses",
        drawn(hanging_up),
        {"by": "one of reset | close"},
        same(REFUSED, "whatsapp/chat", "telegram/chat", "viber/chat"),
        at="world",
        settings=COUNTRY_ONLY,
    ),
    Entry(
        "service.restarts",
        "Servers are being restarted: each resets who comes first, and takes who comes then.",
        "rolling restarts; a balancer that has run out of connections",
        always(stage("service.restarts", addresses=(*CHATS, *CHATS_BY_TLS))),
        at="world",
        settings=COUNTRY_ONLY,
        mild=True,
    ),
)
