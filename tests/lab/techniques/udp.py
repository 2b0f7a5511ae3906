"""UDP by address, by port, whole, or unless it is recognised: how calls are stopped without looking at them much.

Where neutral STUN dies as well, no relay is accused (design, section 4: failing baseline UDP voids comparisons over
UDP). That all UDP is dead, or all STUN, is told all the same: `impaired`, and several lines make a cell. Where it dies
on that port and passes on others: `impaired`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    CALLS,
    CLEAN_CALL,
    FLOW,
    MESSAGES,
    OK,
    OWN_PORT,
    RELAY_NUMBERS,
    SIP,
    TEAMS,
    UNTOLD,
    always,
    everywhere,
    same,
    stage,
)
from tests.lab.techniques.ip import CAUSE_UNCLEAR, WAY, WAYS, drop

SILENT_RELAY = Expected("likely_blocked", "udp.endpoint.drop")
PORT_DEAD_FOR_ALL = Expected("impaired", "udp.port.drop")
APP_PORT = Expected("likely_blocked", "udp.port.drop", not_yet=OWN_PORT)


def viber(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(*plan.VIBER_RELAYS), "udp")]


def imo(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(plan.IMO_RELAY), "udp")]


def all_relays(random: Random) -> Sequence[Stage]:
    return [drop(random, everywhere(*RELAY_NUMBERS), "udp")]


def named_relay(random: Random) -> Sequence[Stage]:
    return [stage("ip.drop", addresses=everywhere(plan.SIGNAL_RELAY), direction=random.choice(WAYS))]


ALL_UDP = Expected("impaired", "udp.all.drop")
ALLOCATE_BYTES = 28  # of an Allocate without credentials
ALL_BUT_QUIC = Expected("impaired")


def everything(random: Random) -> Sequence[Stage]:
    return [stage("udp.all.drop", except_ports=random.choice(((53,), (53, 123))))]


ENTRIES = (
    Entry(
        "udp.endpoint.drop",
        "UDP to Viber's relays disappears, on every port.",
        "endpoints-and-dpi C.4 T06 and T13",
        viber,
        WAY,
        same(SILENT_RELAY, "viber/call") | same(OK, "viber/chat"),
    ),
    Entry(
        "udp.endpoint.drop.replies",
        "What Viber's relays send disappears; what is sent to them does not.",
        "endpoints-and-dpi C.4 T14 (server to client)",
        always(stage("ip.drop", addresses=everywhere(*plan.VIBER_RELAYS), protocol="udp", direction="down")),
        expected=same(CAUSE_UNCLEAR, "viber/call"),
    ),
    Entry(
        "udp.endpoint.drop.all",
        "UDP to every service's relays disappears; messages work.",
        "endpoints-and-dpi C.4 T13 (Russia 2026)",
        all_relays,
        WAY,
        same(SILENT_RELAY, *CALLS) | same(OK, *MESSAGES),
    ),
    Entry(
        "udp.endpoint.drop.named",
        "Everything to Signal's relay, which is known by name, disappears.",
        "endpoints-and-dpi C.4 T06",
        named_relay,
        WAY,
        same(SILENT_RELAY, "signal/call"),
    ),
    Entry(
        "udp.all.drop",
        "No UDP passes but DNS, and sometimes time.",
        "endpoints-and-dpi C.4 T08",
        everything,
        # Neutral UDP dies too: that is told, and every comparison of a relay's is void.
        expected=same(ALL_UDP, *CALLS, TEAMS, SIP),
    ),
    Entry(
        "udp.all.drop.but-443",
        "No UDP passes but DNS and what goes to port 443.",
        "endpoints-and-dpi C.4 T08",
        always(stage("udp.all.drop", except_ports=(53, 443))),
        # Neutral QUIC passes and no neutral STUN does; Viber's relays answer on 443 as well. SIP has no neutral left.
        expected=same(ALL_BUT_QUIC, "telegram/call", "signal/call", "messenger/call", TEAMS)
        | same(CLEAN_CALL, "viber/call")
        | same(UNTOLD, SIP),
    ),
    Entry(
        "udp.port.drop.3478",
        "UDP to port 3478 disappears, whoever is meant; other ports pass.",
        "endpoints-and-dpi C.4 T07",
        always(stage("udp.port.drop", ports=(3478,))),
        # Viber's relays answer on 443 as well. (Signal's was `insufficient` while the lab had no neutral relay on
        # another port over IPv6.)
        expected=same(PORT_DEAD_FOR_ALL, "signal/call", TEAMS) | same(CLEAN_CALL, "viber/call"),
    ),
    Entry(
        "udp.port.drop.3478.v4",
        "The same on a line without IPv6.",
        "endpoints-and-dpi C.4 T07",
        always(stage("udp.port.drop", ports=(3478,))),
        expected=same(PORT_DEAD_FOR_ALL, "signal/call", TEAMS) | same(CLEAN_CALL, "viber/call"),
        settings={"families": (4,)},
    ),
    Entry(
        "udp.port.drop.viber",
        "UDP to ports 443 and 3478 disappears, whoever is meant: all of Viber's.",
        "endpoints-and-dpi C.4 T07",
        always(stage("udp.port.drop", ports=(443, 3478))),
        # On 443 no neutral speaks STUN; the weakest of its paths stands for the target.
        expected=same(PORT_DEAD_FOR_ALL, "viber/call", "signal/call", TEAMS),
    ),
    Entry(
        "udp.port.drop.app",
        "UDP to the ports of Telegram's and Messenger's relays disappears, where no neutral service listens.",
        "endpoints-and-dpi C.4 T07; Flowseal#4580 (port 1400)",
        always(stage("udp.port.drop", ports=(1400, 40003))),
        # Whether the port or the relay is meant only somebody of ours on that port can tell.
        expected=same(APP_PORT, "telegram/call", "messenger/call"),
    ),
    Entry(
        "udp.unknown.drop",
        "UDP that is neither DNS, STUN, QUIC nor NTP by its bytes is dropped: relays answer, calls die.",
        "endpoints-and-dpi C.4 T09 (Russia 2025, net4people/bbs#546)",
        always(stage("udp.unknown.drop")),
        expected=same(CLEAN_CALL, "viber/call")
        | same(Expected("blocked", "udp.unknown.drop", not_yet=FLOW), "whatsapp/call")
        | same(Expected("impaired"), SIP),  # a home router's SIP helper is not excluded
    ),
    Entry(
        "udp.length.drop",
        "Datagrams to Viber's relays that are as long as an Allocate disappear, whatever they say.",
        "a second simulated country (a pair that changed method and length at once)",
        always(stage("udp.length.drop", addresses=everywhere(*plan.VIBER_RELAYS), bytes=ALLOCATE_BYTES)),
        # A Binding of that length is left unanswered as well: nothing shows that the method matters.
        expected=same(SILENT_RELAY, "viber/call"),
    ),
    Entry(
        "udp.endpoint.drop.beside-tcp",
        "UDP to imo's relay disappears; over TCP the same address and port answer.",
        "a second simulated country (UDP dead, TCP alive at one relay read like a clean line)",
        imo,
        WAY,
        # What goes over one transport says nothing of the other. Calls are left to the slower one.
        same(Expected("degraded", "forced_fallback"), "imo/call") | same(CLEAN_CALL, "viber/call"),
        settings={"services": ("imo",)},
    ),
)
