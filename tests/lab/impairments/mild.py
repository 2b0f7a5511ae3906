"""What good lines do: nothing of it may cost any verdict, each must be as on a clean line."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import places, plan
from tests.lab.impairments.words import RESOLVERS, drawn, led_to
from tests.lab.model import Entry, Stage
from tests.lab.settings import FOREIGN_RESOLVER, HOME_RESOLVER
from tests.lab.techniques.aims import always, everywhere, stage

HOME = HOME_RESOLVER
CHECK = everywhere(plan.PORTAL_CHECK)
RELAYS = tuple(number for numbers in plan.RELAY_REALMS.values() for number in numbers)
RELAY = "turn.signal.example"
SITES = ("web.whatsapp.example", "www.viber.example", "web.telegram.example", "chat.signal.example", RELAY)


def other_sites(random: Random) -> Sequence[Stage]:
    return [led_to(name, plan.NAMES[name]) for name in random.sample(SITES, 3)]


def caches(random: Random) -> Sequence[Stage]:
    """In the first operator's own network: for the others' lines in a neighbour's."""
    names = [name for name in SITES if name != RELAY]
    v4, v6 = places.at_operator(plan.OPERATORS["iam"], plan.IN_ISP)
    return [led_to(name, plan.IN_ISP, v4, v6) for name in random.sample(names, 3)]


def foreign_resolver(random: Random) -> Sequence[Stage]:
    """A vendor sends those who ask through it to the site of its own country."""
    name = random.choice(SITES)
    return [led_to(name, plan.NAMES[name])]


def v6_of_one_service_dead(random: Random) -> Sequence[Stage]:
    dead = everywhere(random.choice((plan.WHATSAPP_WEB, plan.VIBER_WEB, plan.TELEGRAM_WEB)))[1:]
    return [stage("ip.drop", addresses=dead)]


def raced_abroad(random: Random) -> Sequence[Stage]:
    """A country on the way answers in the name of a resolver that is asked through it."""
    lie = random.choice(({"rcode": "NXDOMAIN"}, {"address": everywhere(plan.BLOCK_PAGE)}))
    world = everywhere(plan.RESOLVER)
    return [stage("dns.answer", names=("web.telegram.example",), resolvers=world, keep=True, **lie)]


def aaaa_denied(random: Random) -> Sequence[Stage]:
    rcode = random.choice(("NXDOMAIN", "SERVFAIL", "REFUSED"))
    names = ("web.whatsapp.example", "chat.signal.example")
    return [stage("dns.answer", names=names, qtypes=("AAAA",), rcode=rcode)]


ENTRIES = (
    Entry(
        "mild.loss",
        "The link loses a few packets, at random.",
        "the issue's bound; endpoints-and-dpi C.5 no. 6",
        drawn(lambda random: stage("link.loss", fraction=random.uniform(0.005, 0.03))),
        {"fraction": "0.005–0.03 each way"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.latency",
        "The link is long: up to 300 ms of round trip on top of its own.",
        "the issue's bound; ooni 4.5 meteredLowSignal",
        drawn(lambda random: stage("link.delay", seconds=random.uniform(0.025, 0.15))),
        {"seconds": "0.025–0.15 each way"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.jitter",
        "Packets take now longer, now shorter.",
        "ooni 4.5 meteredLowSignal{Jitter}",
        drawn(lambda random: stage("link.delay", seconds=0.01, jitter=random.uniform(0.02, 0.1))),
        {"jitter": "0.02–0.1 s each way"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.duplicates",
        "The radio delivers some packets twice.",
        "endpoints-and-dpi C.5 no. 21",
        drawn(lambda random: stage("link.duplicate", fraction=random.uniform(0.05, 0.3), seconds=0.02)),
        {"fraction": "0.05–0.3"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.reordering",
        "Some packets are overtaken by others.",
        "RFC 4737; endpoints-and-dpi C.5 no. 17",
        drawn(lambda random: stage("link.reorder", fraction=random.uniform(0.05, 0.3), seconds=0.05)),
        {"fraction": "0.05–0.3, by 50 ms"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.cgnat",
        "The line is behind a carrier's NAT with the usual timer.",
        "RFC 6888; endpoints-and-dpi C.5 no. 2",
        always(),
        settings={"nat_timeout": 60.0},
        mild=True,
    ),
    Entry(
        "mild.symmetric-nat",
        "The NAT gives each destination another port, and lets nobody else answer.",
        "RFC 4787 section 4.1; ooni 4.5 symmetricNatOnly (must be ok)",
        always(),
        settings={"nat": "symmetric"},
        mild=True,
    ),
    Entry(
        "mild.other-sites",
        "A vendor's DNS leads this country to other addresses than the controls': both are the service.",
        "endpoints-and-dpi C.5 no. 14; ooni 1.4 (CDN outside AS32934), probe#2517",
        other_sites,
        {"names": f"3 of {', '.join(SITES)}"},
        at="world",
        settings={"spares_controls": True},
        mild=True,
    ),
    Entry(
        "mild.in-isp-cache",
        "Names lead to a vendor's cache inside an operator's own network, where the genuine certificate is shown.",
        "endpoints-and-dpi C.4 T02, guard (FNA caches); ooni section 9 no. 8",
        caches,
        {"names": f"3 of {', '.join(SITES[:-1])}"},
        mild=True,
    ),
    Entry(
        "mild.only-ipv4",
        "The line has no IPv6, and no route for it.",
        "most lines of the country",
        always(),
        settings={"families": (4,)},
        mild=True,
    ),
    Entry(
        "mild.withheld-ipv6",
        "The router withholds IPv6 addresses from everybody: an empty answer to each AAAA question.",
        "dnsmasq --filter-AAAA, and boxes built on it",
        always(stage("dns.answer", names=("example",), qtypes=("AAAA",))),
        at="home",
        mild=True,
    ),
    Entry(
        "mild.mtu",
        "The path is narrower than the device's link, and says so: PPPoE, a tunnel of the operator's.",
        "RFC 2516, RFC 8200 section 5; endpoints-and-dpi C.5 no. 15 and C.4 T44",
        drawn(lambda random: stage("link.mtu", bytes=random.choice((1280, 1400, 1452, 1492)), icmp=True)),
        {"bytes": "one of 1280 | 1400 | 1452 | 1492"},
        at="link",
        mild=True,
    ),
    Entry(
        "mild.mtu-576",
        "The path carries what every IPv4 host must be able to take, and says so to who sends more.",
        "RFC 791 section 3.1, RFC 1191; old GPRS and dial-up links",
        drawn(lambda random: stage("link.mtu", bytes=random.randint(576, 640), icmp=True)),
        {"bytes": "576–640"},
        at="link",
        settings={"families": (4,)},
        mild=True,
    ),
    Entry(
        "mild.foreign-resolver",
        "The volunteer has set a resolver of another country by hand; it tells the truth, as seen from there.",
        "endpoints-and-dpi C.5 no. 11 and 14",
        foreign_resolver,
        {"name": f"one of {', '.join(SITES)} leads elsewhere"},
        at="world",
        settings={"resolvers": (FOREIGN_RESOLVER,), "spares_controls": True},
        mild=True,
    ),
    Entry(
        "mild.spare-resolver",
        "The first of the device's two resolvers is gone; the second answers.",
        "resolv.conf(5)",
        always(),
        settings={"resolvers": (plan.WORLD_V4.format(plan.DEAD), "operator")},
        mild=True,
    ),
    Entry(
        "mild.transparent-dns",
        "The operator's resolver answers whoever was asked, and tells the truth.",
        "endpoints-and-dpi C.4 T03, guard; transparent DNS proxies of mobile operators",
        always(stage("redirect", addresses=None, ports=(53,), to=places.resolvers(plan.OPERATORS["iam"])[0])),
        mild=True,
    ),
    Entry(
        "mild.pi-hole-beside-the-operator",
        "The device asks a filter at home and the operator's resolver; the filter denies two services' names.",
        "resolv.conf with two servers; Pi-hole with a second resolver set by DHCP",
        always(
            stage("dns.answer", names=("whatsapp.example", "telegram.example"), resolvers=(HOME,), rcode="NXDOMAIN"),
            stage("redirect", addresses=(HOME,), ports=(53,), to=plan.WORLD_V4.format(plan.RESOLVER)),
        ),
        # What the operator's resolver gives leads to the services: who denies is the home's, and it hinders nobody.
        at="home",
        settings={"resolvers": ("home", "operator")},
        mild=True,
    ),
    Entry(
        "mild.aaaa-unanswered",
        "A router at home forgets questions for IPv6 addresses.",
        "RFC 4074, section 4.1",
        always(stage("dns.silent", names=("example",), qtypes=("AAAA",))),
        at="home",
        mild=True,
    ),
    Entry(
        "mild.aaaa-denied",
        "Who asks for IPv6 addresses of a service is told, everywhere, that the name does not exist or cannot be had.",
        "RFC 4074, section 4.2; docker/for-mac#5088; systemd#5553",
        aaaa_denied,
        {"rcode": "one of NXDOMAIN | SERVFAIL | REFUSED"},
        at="world",
        mild=True,
    ),
    Entry(
        "mild.servfail-once",
        "The operator's resolver fails for a name that it has not asked for yet, and knows it the second time.",
        "resolvers with a cold cache behind a slow path",
        always(stage("dns.answer", names=("web.telegram.example",), rcode="SERVFAIL", resolvers=RESOLVERS, times=1)),
        mild=True,
    ),
    Entry(
        "mild.truncated-dns",
        "Resolvers say over UDP that the answer is too long, and give it over TCP.",
        "RFC 7766, section 5; DNS answers of large services, and resolvers under attack",
        always(stage("dns.truncated", names=("example",))),
        at="world",
        mild=True,
    ),
    Entry(
        "mild.trailing-bytes",
        "Relays send some bytes behind their answers.",
        "a public report: TURN's 401 with bytes behind it",
        drawn(lambda random: stage("service.trailing", addresses=everywhere(*RELAYS), bytes=random.choice((1, 4, 12)))),
        {"bytes": "one of 1 | 4 | 12"},
        at="world",
        mild=True,
    ),
    Entry(
        "mild.cached-check",
        "A cache answers the connectivity check with a page that is hours old, and says how old.",
        "captured headers of detectportal.firefox.com (Age: 16062); testssl/testssl.sh#2032",
        drawn(lambda random: stage("http.cached", addresses=CHECK, age=random.randint(3_600, 20_000))),
        {"age": "3600–20000 s"},
        mild=True,
    ),
    Entry(
        "mild.wrong-access",
        "The volunteer says 4G of a line that hangs on WiFi or a cable.",
        "endpoints-and-dpi C.4 T35, guard",
        always(),
        accesses=("wifi", "adsl"),
        settings={"declared": "4g"},
        mild=True,
    ),
    Entry(
        "mild.roaming",
        "A SIM of the country's is abroad: its packets come out of another network, far away.",
        "endpoints-and-dpi C.5 no. 8",
        drawn(lambda random: stage("link.delay", seconds=random.uniform(0.05, 0.12))),
        {"seconds": "0.05–0.12 each way"},
        at="link",
        accesses=("3g", "4g"),
        settings={"egress": "elsewhere"},
        mild=True,
    ),
    Entry(
        "mild.sip-alg",
        "The router rewrites the addresses in SIP, which no target speaks yet.",
        "endpoints-and-dpi C.4 T33 and C.5 no. 12",
        always(stage("home.sip_alg", public="30.18.0.9")),
        at="home",
        mild=True,
    ),
    Entry(
        "mild.one-family-of-a-service",
        "A service's IPv6 is out of order everywhere; its IPv4 is not.",
        "endpoints-and-dpi C.4 T43, guard",
        v6_of_one_service_dead,
        {"service": "one of three sites"},
        at="world",
        mild=True,
    ),
    Entry(
        "mild.injection-abroad",
        "In a country of transit, questions to the independent resolver are answered falsely before it answers.",
        "collateral damage of DNS injection (2012: answers to whoever asks through China); review of the probe, A12",
        raced_abroad,
        {"lie": "one of NXDOMAIN | a block page's address"},
        # The operator's own resolver leads to the service.
        at="world",
        settings={"spares_controls": True},
        mild=True,
    ),
)
