"""Allow-lists of destinations and of protocols, and penalties that outlast what triggered them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    CALLS,
    FLOW,
    MESSAGES,
    MESSENGER,
    OTHER_WORDS,
    OWN_WORDS,
    RESOLVERS,
    SIP,
    SITES,
    TEAMS,
    UNLISTED,
    UNTOLD,
    always,
    everywhere,
    same,
    stage,
)

NEUTRALS = (plan.RESOLVER, plan.PORTAL_CHECK, plan.NEUTRAL_WEB, plan.NEUTRAL_STUN, plan.NEUTRAL_STUN_2)
SECOND_NETWORK = tuple(form.format(number) for number in NEUTRALS for form in (plan.OTHER_V4, plan.OTHER_V6))
KNOWN_SITES = (*RESOLVERS, *everywhere(*NEUTRALS), *SECOND_NETWORK)
NOT_ON_THE_LIST = Expected("likely_blocked", "allowlist.destination", not_yet=UNLISTED)
PENALTY = (30.0, 180.0)
PENALTY_RANGE = {"seconds": "30–180 s"}
EVERY_SERVICE = (*MESSAGES, *SITES, *CALLS, TEAMS, SIP)


def first_words(random: Random) -> Sequence[Stage]:
    ports, seconds = random.choice((None, (80, 443, 5060, 5222, 5242))), random.uniform(*PENALTY)
    return [stage("allowlist.protocol", ports=ports, seconds=seconds)]


def punished_name(random: Random) -> Sequence[Stage]:
    return [stage("residual", names=MESSENGER, seconds=random.uniform(60.0, 180.0))]


def punished_relay(random: Random) -> Sequence[Stage]:
    return [stage("residual", allocate=True, seconds=random.uniform(*PENALTY))]


ENTRIES = (
    Entry(
        "allowlist.destination",
        "Only places on a list pass; the neutral ones are on it, the services are not.",
        "endpoints-and-dpi C.4 T37 (Russian mobile networks, net4people/bbs#579)",
        always(stage("allowlist.destination", addresses=KNOWN_SITES)),
        # A list is told from a ban by a place that nobody would have put on either.
        expected=same(NOT_ON_THE_LIST, *EVERY_SERVICE),
    ),
    Entry(
        "allowlist.domestic",
        "Only the country's own places pass: of what we dial, the operator's resolver alone.",
        "endpoints-and-dpi C.4 T37 and T46",
        always(stage("allowlist.destination", addresses=RESOLVERS)),
        # No baseline target completes a handshake, so nothing is dialled (design, section 3).
        expected=same(UNTOLD, *EVERY_SERVICE),
    ),
    Entry(
        "allowlist.protocol",
        "TCP that does not begin as TLS, HTTP or DNS is dead for a while, and unknown UDP is dropped.",
        "endpoints-and-dpi C.4 T26 (Iran 2020), C.2",
        first_words,
        PENALTY_RANGE,
        # An opened connection says nothing yet: the chats' own first words are what is not on the list. From here they
        # get no answer (`tcp.payload.drop`); that nobody else's would, only a helper of ours could tell.
        same(Expected("blocked", "allowlist.protocol", not_yet=OTHER_WORDS), *OWN_WORDS)
        | same(Expected("blocked", "allowlist.protocol", not_yet=FLOW), "whatsapp/call")
        | same(Expected("impaired"), SIP),  # a home router's SIP helper is not excluded
    ),
    Entry(
        "residual.name",
        "After a ClientHello that names Messenger nothing passes to that address, for a while.",
        "endpoints-and-dpi C.4 T20 (GFW two minutes, Iran one)",
        punished_name,
        {"seconds": "60–180 s"},
        # First TCP opens and TLS stays silent; later not even TCP opens: the visit is punished.
        same(Expected("likely_blocked", "residual"), "messenger/chat"),
    ),
    Entry(
        "residual.relay",
        "After a request for an allocation nothing passes to that relay, for a while.",
        "endpoints-and-dpi C.4 T11 and T20",
        punished_relay,
        PENALTY_RANGE,
        # Plain STUN, asked later, is silent as well: that it would have been answered before, nobody asked.
        same(Expected("likely_blocked", "residual", not_yet=FLOW), *CALLS, TEAMS),
    ),
)
