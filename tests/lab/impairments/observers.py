"""Those who look on fail: our collector, and the controls. It is a finding about them, never about a network."""

from __future__ import annotations

from tests.lab import plan
from tests.lab.impairments.mild import v6_of_one_service_dead
from tests.lab.impairments.words import DOWN, IMPAIRED, INSUFFICIENT
from tests.lab.model import Entry, Stage
from tests.lab.techniques.aims import always, everywhere, same, stage

AMISS = ("signal/chat", "viber/chat", "telegram/call", "messenger/chat")


def amiss() -> tuple[Stage, ...]:
    """Services that are out of order: in one way each, so that every kind of rule is asked for its controls."""
    silent = everywhere(plan.SIGNAL_CHAT, *plan.TELEGRAM_RELAYS)
    return (
        stage("ip.drop", addresses=silent),
        stage("ip.reset", addresses=everywhere(plan.VIBER_CHAT)),
        stage("dns.answer", names=("edge.messenger.example",), rcode="NXDOMAIN"),
    )


ENTRIES = (
    Entry(
        "observers.collector-down",
        "Our collector cannot be reached; everything else can.",
        "the issue; design, section 3 (a censor would block them first)",
        always(),
        settings={"collector": "dead"},
        mild=True,
    ),
    Entry(
        "observers.no-controls",
        "Nobody measures elsewhere, and services are down.",
        "OONI controlFailure…; ooni section 2.2",
        always(*amiss()),
        # Whether it works elsewhere is not known, and that caps what may be said.
        expected=same(INSUFFICIENT, *AMISS),
        at="world",
        settings={"controls": "none"},
    ),
    Entry(
        "observers.controls-dead",
        "The controls have lost their own links, and services are down.",
        "the issue; OONI controlFailureWithSuccessfulHTTPSWebsite",
        always(*amiss()),
        expected=same(INSUFFICIENT, *AMISS),
        at="world",
        settings={"controls": "dead"},
    ),
    Entry(
        "observers.one-control",
        "One control is left, and services are down: no single control can say so.",
        "the issue; design, section 4 (no single control can make `down`)",
        always(*amiss()),
        expected=same(INSUFFICIENT, *AMISS),
        at="world",
        settings={"controls": "one"},
    ),
    Entry(
        "observers.first-hour-of-an-outage",
        "Services go out of order for everybody: controls got through forty minutes ago, and fail ten minutes later.",
        "every worldwide outage; design, section 4 (controls in time)",
        always(*amiss()),
        # What counts is what a control saw nearest in time, and nobody gets through.
        expected=same(DOWN, *AMISS),
        at="world",
        settings={"controls": "died"},
    ),
    Entry(
        "observers.controls-are-late",
        "Services have gone out of order, and no control has measured since: all got through forty minutes before.",
        "the first minutes of an outage; design, section 4 (an older success waits for a newer control)",
        always(*amiss()),
        expected=same(INSUFFICIENT, *AMISS),
        at="world",
        settings={"controls": "stale"},
    ),
    Entry(
        "observers.controls-disagree",
        "Services have failed for a part of the world: for this line and for one control, not for the other.",
        "the issue; endpoints-and-dpi C.4 T05, guard (cloud outage); T37, guard (cable cut)",
        always(*amiss()),
        # Another network without interference fails at the very same place: a regional fault is not excluded.
        expected=same(IMPAIRED, *AMISS),
        at="world",
        settings={"controls": "disagree", "spares_controls": True},
    ),
    Entry(
        "observers.no-controls-clean",
        "Nobody measures elsewhere, and nothing is wrong.",
        "OONI controlFailureWithSuccessfulHTTPSWebsite: accessible without control",
        always(),
        settings={"controls": "none"},
        mild=True,
    ),
    Entry(
        "observers.controls-without-ipv6",
        "No control has IPv6, and over it one service is out of order everywhere; over IPv4 it works.",
        "most hosters' cheapest machines; the review of the probe (families of controls)",
        v6_of_one_service_dead,
        {"service": "one of three sites"},
        at="world",
        settings={"controls": "without-ipv6"},
        mild=True,
    ),
)
