"""Bad lines: lossy, slow, narrow, changing, dying, and with a resolver that is bad to everybody."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.impairments.words import (
    ALL,
    BY_ADDRESS,
    BY_NAME,
    BY_TLS,
    EVERY_NAME,
    INSUFFICIENT,
    LOCAL_RESOLVER,
    OPEN,
    OVER_UDP,
    RESOLVERS,
    SERVICE_NUMBERS,
    SERVICES,
    drawn,
)
from tests.lab.model import Entry, Stage
from tests.lab.techniques.aims import always, everywhere, same, stage

EVERY_SERVICE = everywhere(*SERVICE_NUMBERS)
GARDENS = ("10.10.10.10", "198.18.0.66", "28.0.0.66")
ROUTER = ("192.168.1.1", "fe80::1")
CELLULAR = ("3g", "4g")


def bursts(random: Random) -> Stage:
    return stage("link.burst", p=random.uniform(0.01, 0.02), r=random.uniform(0.2, 0.33))


def cell_edge(random: Random) -> Sequence[Stage]:
    return [stage("link.delay", seconds=random.uniform(0.1, 0.2), jitter=random.uniform(0.05, 0.2)), bursts(random)]


def dying(random: Random) -> Sequence[Stage]:
    """At the same moment on every line: the self-check has passed, and the first service is looked at."""
    return [stage("link.dies.at", addresses=EVERY_SERVICE, names=SERVICES)]


def bundle(random: Random) -> Sequence[Stage]:
    carried = everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2, plan.WHATSAPP_WEB)
    return [stage("allowlist.destination", addresses=(*carried, *RESOLVERS))]


def nat64(random: Random) -> Sequence[Stage]:
    """As it looks from the line: each name has an address of the translator's, behind which it answers."""
    stages = []
    for name, number in plan.NAMES.items():
        v4, v6 = everywhere(number)
        synthesised = str(ipaddress.IPv6Address((0x64FF9B << 96) + int(ipaddress.IPv4Address(v4))))
        stages.append(stage("dns.answer", names=(name,), address=(synthesised,)))
        stages.append(stage("redirect", addresses=(synthesised,), to=v6))
    return stages


def walled_garden(random: Random) -> Sequence[Stage]:
    """Of IPv4 alone; there is no IPv6 in it."""
    return [stage("dns.answer", names=EVERY_NAME, address=(random.choice(GARDENS),), resolvers=RESOLVERS)]


def failing(random: Random) -> Sequence[Stage]:
    rcode = random.choice(("SERVFAIL", "REFUSED"))
    return [stage("dns.answer", names=EVERY_NAME, rcode=rcode, resolvers=RESOLVERS)]


ENTRIES = (
    Entry(
        "line.loss",
        "The link loses about every seventh packet, at random.",
        "the issue; endpoints-and-dpi C.5 no. 6",
        drawn(lambda random: stage("link.loss", fraction=random.uniform(0.12, 0.15))),
        {"fraction": "0.12–0.15 each way"},
        at="link",
    ),
    Entry(
        "line.loss-up",
        "The link loses packets in one direction only.",
        "endpoints-and-dpi C.4 T14, guard (asymmetric radio loss)",
        drawn(
            lambda random: stage(
                "link.loss", fraction=random.uniform(0.08, 0.15), direction=random.choice(("up", "down"))
            )
        ),
        {"fraction": "0.08–0.15", "direction": "one of up | down"},
        at="link",
    ),
    Entry(
        "line.bursts",
        "The link loses several packets in a row, now and then (Gilbert's model).",
        "the issue; ooni section 4.2 (what netem lacks)",
        drawn(bursts),
        {"p": "0.01–0.02", "r": "0.2–0.33"},
        at="link",
    ),
    Entry(
        "line.bursts-20",
        "The link loses every fifth packet, several in a row.",
        "a second simulated country, whose only false accusations were these; ooni section 4.2",
        drawn(lambda random: stage("link.burst", p=random.uniform(0.06, 0.08), r=random.uniform(0.25, 0.3))),
        {"p": "0.06–0.08", "r": "0.25–0.3"},
        OPEN,
        at="link",
        settings={"scale": 1.0},
    ),
    Entry(
        "line.rebinding-nat",
        "A NAT gives every flow over UDP another port every few seconds, also in the middle of a handshake.",
        "a second simulated country; RFC 4787, section 4.3",
        drawn(lambda random: stage("home.rebinding", period=random.uniform(1.0, 3.0))),
        {"period": "1–3 s"},
        OPEN,
        at="home",
    ),
    Entry(
        "line.latency",
        "Everything takes two seconds, there and back, as over a satellite and a queue.",
        "the issue",
        drawn(lambda random: stage("link.delay", seconds=random.uniform(0.8, 1.0))),
        {"seconds": "0.8–1.0 each way"},
        at="link",
        settings={"scale": 1.0},
    ),
    Entry(
        "line.bufferbloat",
        "An upload at home fills the modem's long queue, and drains it, again and again.",
        "the issue; endpoints-and-dpi C.4 T17, guard",
        drawn(lambda random: stage("link.bloat", depth=random.uniform(0.5, 1.5), period=random.uniform(4, 10))),
        {"depth": "0.5–1.5 s", "period": "4–10 s"},
        at="link",
        settings={"scale": 1.0},
    ),
    Entry(
        "line.plan-exhausted",
        "The month's data is used up: everything goes on, at 128–256 kbit/s.",
        "endpoints-and-dpi C.4 T16 and C.5 no. 16",
        drawn(lambda random: stage("link.rate", rate=random.uniform(16e3, 32e3), queue=2.0)),
        {"rate": "16–32 kB/s each way, behind a queue of 2 s"},
        at="link",
        settings={"scale": 1.0},
    ),
    Entry(
        "line.cell-edge",
        "A weak cell: long, uneven delays, and bursts of loss.",
        "endpoints-and-dpi C.5 no. 6; ooni 4.5 meteredLowSignal{Jitter,Loss5}",
        cell_edge,
        {"seconds": "0.1–0.2 each way", "jitter": "0.05–0.2 s", "p": "0.01–0.02", "r": "0.2–0.33"},
        at="link",
        accesses=CELLULAR,
        settings={"scale": 1.0},
    ),
    Entry(
        "line.handover",
        "A handover between cells: nothing passes for some seconds.",
        "endpoints-and-dpi C.5 no. 6 and 7, C.4 T19, guard",
        drawn(lambda random: stage("link.gap", after=random.uniform(0, 4), seconds=random.uniform(1.5, 3.5))),
        {"after": "0–4 s, in which most is asked", "seconds": "1.5–3.5 s"},
        at="link",
        settings={"scale": 1.0},
    ),
    Entry(
        "line.dead",
        "There is a link, with addresses and routes, and no internet behind it.",
        "the issue; endpoints-and-dpi C.4 T46; ooni 4.5 carrierOutage",
        always(stage("link.dies", after=0.0)),
        expected=same(INSUFFICIENT, *ALL),
        at="link",
    ),
    Entry(
        "line.dies",
        "The link dies once the self-check has passed: no service is reached, and neither would a neutral one be.",
        "the issue; ooni 1.1 (a cancelled run in which everything was `blocked`)",
        dying,
        # What was compared with was reached before, over a link that is no more: nothing can be concluded.
        expected=same(INSUFFICIENT, *ALL),
        at="link",
    ),
    Entry(
        "line.loses-sync",
        "The modem loses its line once the self-check has passed, and the router says so to whoever sends.",
        "RFC 1812 section 5.2.7.1; ADSL lines in the rain",
        always(stage("link.dies.at", addresses=EVERY_SERVICE, names=SERVICES, router=ROUTER)),
        # It dies before the first public hop, for everybody.
        expected=same(INSUFFICIENT, *ALL),
        at="link",
        accesses=("wifi", "adsl"),
    ),
    Entry(
        "line.port-quota",
        "The subscriber's quota of NAT ports is used up once the self-check has passed: no new UDP flow comes through.",
        "RFC 6888 section 3, REQ-4; RFC 7422",
        always(stage("home.udp_quota", flows=3)),
        # No relay is reached over IPv4, and no neutral one would be. Signal's has IPv6, which has no NAT.
        expected=same(INSUFFICIENT, *(target for target in OVER_UDP if target != "signal/call")),
        at="home",
    ),
    Entry(
        "line.social-bundle",
        "The plan's data is used up, and a bundle goes on that carries WhatsApp and nothing else.",
        "zero-rated bundles; endpoints-and-dpi C.5 no. 16",
        bundle,
        # No neutral service answers: there is no link to judge, and no service is dialled.
        expected=same(INSUFFICIENT, *ALL),
        accesses=CELLULAR,
    ),
    Entry(
        "line.changes",
        "The device moves from WiFi or cable to a mobile network in the middle of the cycle.",
        "the issue; reference/lab.md section 6 (detect again after the run)",
        always(),
        expected=same(INSUFFICIENT, *ALL),
        accesses=("wifi", "adsl"),
        settings={"changes_after": 3.0, "changes_to": "wwan0"},
    ),
    Entry(
        "line.short-nat",
        "The carrier's NAT forgets a UDP mapping after 20 s.",
        "the issue; endpoints-and-dpi C.5 no. 2",
        always(),
        settings={"nat_timeout": 20.0},
    ),
    Entry(
        "line.hasty-nat",
        "A NAT forgets a UDP mapping after 5 s, far below what RFC 4787 asks for.",
        "RFC 4787 section 4.3 (REQ-5)",
        drawn(lambda random: stage("link.delay", seconds=random.uniform(0.05, 0.3))),
        {"seconds": "0.05–0.3 each way, beside it"},
        at="link",
        settings={"nat_timeout": 5.0},
    ),
    Entry(
        "line.broken-ipv6",
        "There is IPv6, with addresses and a route, and nothing comes back over it.",
        "the issue; endpoints-and-dpi C.5 no. 4; ooni's rule ipv6_broken_probe",
        always(stage("link.family", family=6)),
        at="link",
    ),
    Entry(
        "line.broken-ipv4",
        "IPv4 does not come through; IPv6 does. Who is known by an IPv4 address alone is not reached.",
        "the mirror image of broken IPv6",
        always(stage("link.family", family=4)),
        expected=same(INSUFFICIENT, *BY_ADDRESS),
        at="link",
        settings={"resolvers": ("operator6",)},
    ),
    Entry(
        "line.nat64",
        "A mobile network without IPv4: DNS64 gives addresses of the translator's, and what is known by an IPv4 "
        "address is not tried.",
        "the issue; RFC 6146, RFC 6147; endpoints-and-dpi C.5 no. 4",
        nat64,
        expected=same(INSUFFICIENT, *BY_ADDRESS),
        accesses=CELLULAR,
        settings={"families": (6,), "resolvers": ("operator6",)},
    ),
    Entry(
        "line.pmtu-black-hole",
        "Long packets disappear without a word, so that no TLS server's first flight arrives, of anybody's.",
        "the issue; RFC 2923; endpoints-and-dpi C.5 no. 15 and C.4 T22, guard",
        drawn(lambda random: stage("link.mtu", bytes=random.randint(1280, 1420), icmp=False)),
        {"bytes": "1280–1420"},
        same(INSUFFICIENT, *BY_TLS),
        at="link",
    ),
    Entry(
        "line.walled-garden",
        "The bill is unpaid or the quota used up: the operator's resolver leads every name to one address of its own.",
        "hotspots and prepaid plans; proxies at home that make addresses up (198.18.0.0/15, 28.0.0.0/8)",
        walled_garden,
        {"address": f"one of {', '.join(GARDENS)}"},
        # Neutral names are led there too: it means nobody (design, section 4). Literal addresses pass.
        expected=same(LOCAL_RESOLVER, *BY_NAME),
    ),
    Entry(
        "line.slow-resolver",
        "The operator's resolver takes its time with every name.",
        "the issue",
        drawn(
            lambda random: stage(
                "link.delay", seconds=random.uniform(1, 3), protocol="udp", ports=(53,), direction="down"
            )
        ),
        {"seconds": "1–3"},
        settings={"scale": 1.0},
    ),
    Entry(
        "line.resolver-down",
        "The operator's resolver answers no question at all; others can be asked.",
        "the issue; endpoints-and-dpi C.4 T01, guard",
        always(stage("dns.silent", names=EVERY_NAME, resolvers=RESOLVERS)),
        # It fails neutral names too: not aimed at anybody (design, section 4).
        expected=same(LOCAL_RESOLVER, *BY_NAME),
    ),
    Entry(
        "line.resolver-fails",
        "The operator's resolver fails for every name, or refuses to serve this line.",
        "endpoints-and-dpi C.4 T01, guard; OONI #2325 dns_server_misbehaving",
        failing,
        {"rcode": "one of SERVFAIL | REFUSED"},
        same(LOCAL_RESOLVER, *BY_NAME),
    ),
)
