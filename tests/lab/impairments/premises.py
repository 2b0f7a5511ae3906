"""What stands at home, in a hotel or at a workplace: it interferes with its own users, and no operator is to blame.

Whatever dies or is forged at or before the first public hop counts against no network (design, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.impairments.words import (
    ALL,
    BY_ADDRESS,
    BY_TLS,
    CALLS,
    EVERY_NAME,
    INSUFFICIENT,
    LOCAL_RESOLVER,
    LOCAL_TLS,
    OVER_UDP,
    RESOLVERS,
    SERVICE_NUMBERS,
    SERVICES,
    STUN_DEAD,
    UDP_DEAD,
    WITHOUT_CALLS,
    drawn,
)
from tests.lab.model import Entry, Expected, Stage
from tests.lab.settings import FOREIGN_RESOLVER, HOME_RESOLVER
from tests.lab.techniques.aims import always, everywhere, only_v4, same, stage
from tests.lab.techniques.tls import TRANSLATOR
from tests.lab.techniques.udp import ALLOCATE_BYTES

PORTAL = Expected("insufficient", "local.portal")
FIREWALL = Expected("impaired", "local.firewall")
LOGIN = "http://login.hotel.example/"
PROXY = everywhere(plan.PROXY)  # shows its own authority's certificates, for every name
FILTERED = ("whatsapp.example", "telegram.example")
FILTERED_TARGETS = ("whatsapp/chat", "whatsapp/web", "telegram/web")
PORTAL_PLACE = everywhere(plan.PORTAL)
ELSEWHERE = (plan.NEUTRAL_STUN, plan.NEUTRAL_STUN_2, *SERVICE_NUMBERS)  # that is not on the web's ports
NEUTRAL = everywhere(plan.PORTAL_CHECK, plan.NEUTRAL_WEB)


def portal(random: Random) -> Stage:
    return stage("home.portal", location=LOGIN, others=random.choice(("drop", "reset")))


def portal_with_check(random: Random) -> Stage:
    how = random.choice(("drop", "reset"))
    return stage("home.portal", location=LOGIN, others=how, spares=everywhere(plan.PORTAL_CHECK))


def web_to(address: str) -> Stage:
    return stage("redirect", addresses=None, ports=(80, 443), protocol="tcp", to=address)


def filtering(asked: str, **answer: object) -> Sequence[Stage]:
    """A resolver with a list of names, that asks the world's for the others."""
    answered = stage("dns.answer", names=FILTERED, resolvers=(asked,), **answer)
    return answered, stage("redirect", addresses=(asked,), ports=(53,), to=only_v4(plan.RESOLVER)[0])


def app_control(random: Random) -> Sequence[Stage]:
    """By the names in ClientHellos and by STUN, whoever it goes to."""
    by_name = random.choice(("tls.sni.drop", "tls.sni.reset"))
    return [stage(by_name, names=SERVICES), stage("stun.cookie.drop")]


def inspecting(random: Random) -> Sequence[Stage]:
    return [stage("tls.sni.reset", names=SERVICES), stage("home.tls_proxy", to=PROXY)]


def blocked_calls(random: Random) -> Sequence[Stage]:
    return [stage("udp.port.drop", ports=(3478,), direction=random.choice(("up", "both")))]


ENTRIES = (
    Entry(
        "home.portal",
        "A captive portal redirects every page to its login, and lets nothing through but DNS.",
        "the issue; endpoints-and-dpi C.5 no. 1",
        drawn(portal),
        {"others": "TCP beside HTTP: one of drop | reset"},
        same(PORTAL, *ALL),
        at="home",
    ),
    Entry(
        "home.portal-with-tls",
        "A captive portal that answers TLS as well, with certificates of its own.",
        "endpoints-and-dpi C.5 no. 1; C.4 T28, guard",
        always(
            *(web_to(address) for address in PORTAL_PLACE),
            stage("home.ports", tcp=(53, 80, 443), udp=(53,)),
        ),
        expected=same(PORTAL, *ALL),
        at="home",
    ),
    Entry(
        "home.portal-by-dns",
        "A captive portal answers every DNS question with its own address until one has logged in.",
        "endpoints-and-dpi C.5 no. 1 and 5",
        always(
            stage("dns.answer", names=EVERY_NAME, address=PORTAL_PLACE),
            stage("allowlist.destination", addresses=(*PORTAL_PLACE, *RESOLVERS)),
        ),
        expected=same(PORTAL, *ALL),
        at="home",
    ),
    Entry(
        "home.portal-without-ipv6",
        "A captive portal catches IPv4, and forgets IPv6.",
        "endpoints-and-dpi C.5 no. 1 and 4",
        always(
            web_to(PORTAL_PLACE[0]),
            stage("ip.drop", addresses=only_v4(*ELSEWHERE)),
            stage("ip.drop", addresses=only_v4(plan.NEUTRAL_WEB), ports=(plan.NEUTRAL_PORT,)),
        ),
        # What has a name is reached over IPv6; of what is known by an IPv4 address nothing can be said, but on TLS's
        # port, where the portal is seen to answer for everybody.
        # On Viber's port neutral TLS dies as well.
        expected=same(INSUFFICIENT, *BY_ADDRESS)
        | same(LOCAL_TLS, "telegram/chat")
        | same(Expected("impaired"), "viber/chat"),
        at="home",
    ),
    Entry(
        "home.portal-spares-check",
        "A captive portal lets the connectivity check through, so that devices stay, and nothing else.",
        "portals that answer or pass generate_204; a public report",
        drawn(portal_with_check),
        {"others": "TCP beside HTTP: one of drop | reset"},
        # Neutral services that are not the check's are stopped alike: nobody is accused, whatever is left to be said.
        same(Expected("impaired", or_open=True), *WITHOUT_CALLS)
        | same(Expected("impaired", "udp.all.drop", or_open=True), *OVER_UDP),
        at="home",
    ),
    Entry(
        "home.flood-guard",
        "The router takes many new connections for an attack, and drops what is above its limit.",
        "home routers' protection against SYN floods",
        drawn(lambda random: stage("home.syn_limit", each_second=random.randint(3, 6))),
        {"each_second": "3–6"},
        at="home",
        settings={"scale": 1.0},
    ),
    Entry(
        "home.without-udp",
        "The router or a hotel's WiFi lets no UDP through but DNS: no call can be made, by any service.",
        "the issue; endpoints-and-dpi C.4 T08",
        always(stage("udp.all.drop", except_ports=(53,))),
        # Nothing neutral passes over UDP either: that is told, and nobody accused.
        expected=same(UDP_DEAD, *OVER_UDP),
        at="home",
    ),
    Entry(
        "home.without-stun",
        "A router's filter drops whatever has STUN's cookie, of every service.",
        "endpoints-and-dpi C.4 T10, guard (NAT ALG)",
        always(stage("stun.cookie.drop")),
        expected=same(STUN_DEAD, *CALLS),
        at="home",
    ),
    Entry(
        "home.port-3478",
        "A firewall at home closes UDP 3478, the port of calls; on other ports UDP passes.",
        "endpoints-and-dpi C.4 T07, guard (router firewall, hotel WiFi)",
        blocked_calls,
        {"direction": "one of up | both"},
        # Neutral relays are silent on that port too. Viber's has another port, which passes. Over IPv4 alone, for over
        # IPv6 the lab has no neutral relay on another port, without which nothing may be said of that family. (This
        # said `udp.port.drop` until the probe could tell that it is at home.)
        same(FIREWALL, "signal/call", "teams/call"),
        at="home",
        settings={"families": (4,)},
    ),
    Entry(
        "home.port-80",
        "Plain HTTP is closed, so that neither a portal nor the time can be asked for; all else is open.",
        "firewalls that allow HTTPS only",
        always(stage("ip.drop", ports=(80,), protocol="tcp")),
        at="home",
    ),
    Entry(
        "home.filter",
        "The router's filter (Pi-hole) denies the names of two services and forwards the rest.",
        "the issue; endpoints-and-dpi C.5 no. 5",
        always(*filtering(HOME_RESOLVER, rcode="NXDOMAIN")),
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
        settings={"resolvers": ("home",)},
    ),
    Entry(
        "home.filter-null",
        "The router's filter leads the names of two services to the null address.",
        "Pi-hole's default blocking mode",
        always(*filtering(HOME_RESOLVER, address=("0.0.0.0", "::"))),
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
        settings={"resolvers": ("home",)},
    ),
    Entry(
        "home.filter-with-public-address",
        "The router's filter, which it announces by a public IPv6 address of the line's own, denies two services.",
        "RFC 8106 (resolvers in router advertisements); Pi-hole over IPv6; review of the probe, A3",
        always(
            stage("dns.answer", names=FILTERED, spares=everywhere(plan.RESOLVER), rcode="NXDOMAIN"),
            stage("redirect", addresses=None, ports=(53,), to=everywhere(plan.RESOLVER)[1]),
        ),
        # An address in the line's own /64 is the home's, whoever's prefix that is.
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
        settings={"resolvers": ("home6",)},
    ),
    Entry(
        "home.family-resolver",
        "The volunteer has set a well-known resolver that filters chat services for families.",
        "the issue; endpoints-and-dpi C.5 no. 11",
        always(stage("dns.answer", names=FILTERED, resolvers=only_v4(plan.RESOLVER), rcode="NXDOMAIN")),
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
        settings={"resolvers": ("world",)},
    ),
    Entry(
        "home.foreign-filter",
        "The volunteer has set a foreign resolver that nobody knows by name, and that denies two services.",
        "the issue (foreign resolver set by hand); design, section 4",
        always(stage("dns.answer", names=FILTERED, resolvers=(FOREIGN_RESOLVER,), rcode="NXDOMAIN")),
        # It lies outside the network and injects nothing: not the network's doing.
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
        settings={"resolvers": (FOREIGN_RESOLVER,)},
    ),
    Entry(
        "home.router-answers-dns",
        "The router answers DNS in the name of whoever is asked, and denies two services.",
        "endpoints-and-dpi C.5 no. 5; routers with parental control",
        always(stage("dns.answer", names=FILTERED, rcode="NXDOMAIN")),
        expected=same(LOCAL_RESOLVER, *FILTERED_TARGETS),
        at="home",
    ),
    Entry(
        "home.antivirus",
        "An antivirus on the device reads TLS: every certificate, neutral ones too, is its own.",
        "the issue; endpoints-and-dpi C.4 T28, guard",
        always(stage("home.tls_proxy", to=PROXY)),
        # What is no TLS passes, but on TLS's port: WhatsApp's chat has another, Telegram's is seen to be broken off at
        # home, where neutral TLS on another port passes. (This said `local.tls` while there was no such neutral.)
        expected=same(LOCAL_TLS, *BY_TLS) | same(FIREWALL, "telegram/chat"),
        at="home",
    ),
    Entry(
        "home.antivirus-spares-some",
        "An antivirus reads TLS and spares a list of well-known sites, the neutral ones among them.",
        "endpoints-and-dpi C.4 T28, guard; exclusion lists of TLS inspection",
        always(stage("home.tls_proxy", to=PROXY, spares=NEUTRAL)),
        # Whoever breaks Telegram's chat off, which is no TLS on TLS's port, stands at home; by what, nothing tells.
        expected=same(LOCAL_TLS, *BY_TLS) | same(FIREWALL, "telegram/chat"),
        at="home",
    ),
    Entry(
        "home.drops-a-length",
        "A router drops datagrams of one length, as a worm's were: an Allocate has that length.",
        "signatures of intrusion prevention that know nothing but a length; the twin of a ban by length",
        always(stage("udp.length.drop", bytes=ALLOCATE_BYTES)),
        # Teams' is longer.
        expected=same(FIREWALL, *(call for call in CALLS if call != "teams/call")),
        at="home",
    ),
    Entry(
        "work.app-control",
        "A workplace's firewall knows chat and call services by the names and formats they use, and stops them.",
        "the issue; endpoints-and-dpi C.1, C.4 T10 and T22",
        app_control,
        {"by name": "one of tls.sni.drop | tls.sni.reset"},
        # STUN is stopped for neutral relays too.
        same(FIREWALL, *BY_TLS) | same(STUN_DEAD, *CALLS),
        at="home",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "work.inspection",
        "A workplace reads all TLS with its own authority, and breaks off what goes to chat and call services.",
        "the issue; TLS inspection with application control",
        inspecting,
        # Neutral certificates are replaced on the same line, and where services are broken off a sweep shows: at home.
        # (This said `local.tls` while no neutral TLS passed beside it, so that no sweep could be compared.)
        expected=same(FIREWALL, *BY_TLS, "telegram/chat"),
        at="home",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "work.web-only",
        "A library's WiFi lets through the web and DNS, and no other port.",
        "endpoints-and-dpi C.4 T26 and T32, guard (ports filtered by WiFi)",
        always(stage("home.ports", tcp=(80, 443, 53), udp=(53,))),
        # WhatsApp's chat falls back to 443. Viber's has no other port, and no neutral service has such a port either.
        expected=same(FIREWALL, "viber/chat") | same(UDP_DEAD, *OVER_UDP),
        at="home",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "work.only-tls",
        "A workplace lets through DNS, plain HTTP, and TLS on its own port; what else is said there is dropped.",
        "endpoints-and-dpi C.4 T26 and T32, guard; firewalls that know applications",
        always(stage("home.ports", tcp=(80, 443, 53), udp=(53,)), stage("allowlist.protocol", ports=(443,))),
        # No chat of these is TLS, whichever port it falls back to.
        expected=same(FIREWALL, "whatsapp/chat", "telegram/chat", "viber/chat") | same(UDP_DEAD, *OVER_UDP),
        at="home",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "work.listed-udp",
        "A workplace lets UDP through on the ports of the conferences that it uses, and on no other.",
        "endpoints-and-dpi C.4 T07, guard; administrators' guides of Teams and Meet",
        always(stage("home.ports", tcp=range(65536), udp=(53, 443, 3478, 3479, 3480, 3481, 19302))),
        # Neutral relays answer, on ports of the list: only where it dies tells that no operator does it.
        expected=same(FIREWALL, "telegram/call", "messenger/call", "linphone/chat"),
        at="home",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "home.drops-sip",
        "The router's SIP helper drops what it does not understand.",
        "endpoints-and-dpi C.4 T33 and C.5 no. 12",
        always(stage("sip.drop", ports=(5060,))),
        expected=same(FIREWALL, "linphone/chat"),
        at="home",
    ),
    Entry(
        "home.behind-a-translator",
        "A router at home, which translates IPv4 into IPv6 and has an address of 192.0.0.0/24, has a filter behind it.",
        "RFC 7335 (464XLAT, DS-Lite); review of the probe, A13",
        always(
            stage("ip.drop", addresses=only_v4(plan.VIBER_CHAT), protocol="tcp"),
            stage("ip.drop", addresses=only_v4(*plan.VIBER_RELAYS), protocol="udp"),
        ),
        # That address is nobody's on the internet: what has passed it has not left the home yet.
        expected=same(Expected("impaired"), "viber/chat", "viber/call"),
        at="carrier",
        accesses=("3g", "4g"),
        settings={"families": (4,), "gateway": TRANSLATOR},
    ),
)
