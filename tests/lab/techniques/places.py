"""Bans that hold on some accesses, for some operators or in some places only, and those who are spared by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    CALLS,
    CLEAN_CALL,
    MESSAGES,
    OK,
    RELAY_NUMBERS,
    everywhere,
    nothing,
    only_v4,
    same,
    stage,
)
from tests.lab.techniques.ip import DROPPED, WAY, drop
from tests.lab.techniques.udp import SILENT_RELAY

CELLULAR, FIXED = ("3g", "4g"), ("wifi", "adsl")
SPARED: Mapping[str, Expected] = {**same(CLEAN_CALL, *CALLS), **same(OK, *MESSAGES)}


def relays(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(*RELAY_NUMBERS), "udp")]


def viber(random: Random) -> Sequence[Stage]:
    return [
        drop(random, everywhere(*plan.VIBER_RELAYS), "udp"),
        drop(random, everywhere(plan.VIBER_CHAT, plan.VIBER_WEB), "tcp"),
    ]


def viber_inside(random: Random) -> Sequence[Stage]:
    return [drop(random, only_v4(*plan.VIBER_RELAYS), "udp"), drop(random, only_v4(plan.VIBER_CHAT), "tcp")]


def signal_refused(random: Random) -> Sequence[Stage]:
    code = random.choice((1, 10, 13))
    return [stage("ip.reject", addresses=everywhere(plan.SIGNAL_CHAT, plan.SIGNAL_RELAY), code=code)]


ENTRIES = (
    Entry(
        "access.cellular",
        "Relays are dropped on 3G and 4G; messages work.",
        "endpoints-and-dpi C.4 T35, C.1 (Morocco, January 2016)",
        relays,
        WAY,
        same(SILENT_RELAY, *CALLS) | same(OK, *MESSAGES),
        accesses=CELLULAR,
    ),
    Entry(
        "access.fixed-spared",
        "The same operators' fixed lines at that time: nothing stands in their way.",
        "endpoints-and-dpi C.1; peers 6.1 (January 2016: 3G and 4G only)",
        nothing,
        expected=SPARED,
        accesses=FIXED,
    ),
    Entry(
        "operator.iam",
        "One operator alone drops Viber: its relays and its servers.",
        "peers 6.1 (Maroc Telecom, July and August 2014)",
        viber,
        WAY,
        same(SILENT_RELAY, "viber/call") | same(DROPPED, "viber/chat", "viber/web"),
        settings={"operators": ("iam",)},
    ),
    Entry(
        "operator.others",
        "The other operators' lines at that time: nothing stands in their way.",
        "peers 6.1 (2014: Inwi, Méditel fine)",
        nothing,
        expected=SPARED,
        settings={"operators": ("orange", "inwi")},
    ),
    Entry(
        "operator.rejects",
        "One operator's router rejects Signal by ICMP.",
        "endpoints-and-dpi C.4 T41, C.1 (different vendors per operator)",
        signal_refused,
        {"code": "one of 1 | 10 | 13"},
        same(Expected("likely_blocked", "ip.reject"), "signal/chat", "signal/call"),
        settings={"operators": ("inwi",)},
    ),
    Entry(
        "carrier.private-routers",
        "A box between a mobile operator's gateway and its first public router drops Viber's chat and relays.",
        "mobile operators number their inner routers from 10.0.0.0/8 and 100.64.0.0/10",
        viber_inside,
        WAY,
        # It dies before the first public hop, behind two routers with private addresses: a home has one, a campus or
        # an operator more. Until the device itself tells that it hangs on a mobile network, nobody is named.
        same(Expected("impaired"), "viber/chat", "viber/call"),
        at="carrier",
        accesses=CELLULAR,
        settings={"families": (4,)},
    ),
    Entry(
        "venue.exempt",
        "A conference's network during the ban: its lines are spared.",
        "peers 6.1 and 6.3 (COP22's international zone, November 2016)",
        nothing,
        expected=SPARED,
        accesses=("wifi",),
    ),
)
