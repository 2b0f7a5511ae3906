"""The volunteer's device: its clock, and a VPN that carries what it sends."""

from __future__ import annotations

from tests.lab import plan
from tests.lab.impairments.words import ALL, IMPAIRED, INSUFFICIENT, OPEN, in_place_of
from tests.lab.model import Entry
from tests.lab.techniques.aims import always, same, stage

HOUR_MS = 3_600_000
DECADE_MS = 87_660 * HOUR_MS
CLOCKS = {
    "an hour ahead": HOUR_MS,
    "an hour behind": -HOUR_MS,
    "ten years ahead": DECADE_MS,
    "ten years behind": -DECADE_MS,
}


def wrong_clock(words: str, skew_ms: int) -> Entry:
    """Neutral HTTP says the time, and what is judged is judged by it (design, section 3)."""
    return Entry(
        f"device.clock-{words.replace(' ', '-')}",
        f"The device's clock is {words}.",
        "the issue; endpoints-and-dpi C.5 no. 10; ooni section 2.3 (clock ±3600 s)",
        always(),
        settings={"clock_skew_ms": skew_ms},
    )


ENTRIES = (
    Entry(
        "device.freezes",
        "The phone's system freezes the program for some seconds while it waits for answers.",
        "Android's freezer and Doze; a paused virtual machine",
        always(),
        # What came meanwhile was not read: a cycle that was suspended concludes nothing (design, section 3).
        expected=same(INSUFFICIENT, *ALL),
        settings={"freezes": (1.5, 14.0)},
    ),
    Entry(
        "device.clock-steps",
        "The device's clock is set, an hour ahead, while it measures.",
        "a phone that finds its network's time; NTP's first step",
        always(),
        expected=same(INSUFFICIENT, *ALL),
        settings={"clock_steps": (1.5, HOUR_MS)},
    ),
    Entry(
        "device.out-of-files",
        "The device gives the program few file descriptors, so that sockets cannot be had.",
        "RLIMIT_NOFILE; EMFILE at old phones and at crowded servers",
        always(),
        # Our own failing is never the service's: what could not be tried is not attempted.
        expected=OPEN,
        settings={"files": 48},
    ),
    Entry(
        "device.old-trust",
        "The device's authorities are years old; Viber's site shows everybody a certificate of a younger one.",
        "the end of a cross-signature, Let's Encrypt 2021; trust stores that are not brought up to date",
        always(),
        expected=same(IMPAIRED, "viber/web"),
        settings={"trust": "old"},
    ),
    Entry(
        "device.old-trust-other-edge",
        "The same, and the edge that serves this country shows another certificate of that authority.",
        "CDNs have a certificate for each edge; style.md, trap 5",
        always(*in_place_of(plan.VIBER_WEB, plan.OTHER_EDGE)),
        # Another leaf by the issuer that controls saw is no forgery (design, section 4).
        expected=same(IMPAIRED, "viber/web"),
        at="world",
        settings={"trust": "old", "spares_controls": True},
    ),
    *(wrong_clock(words, skew_ms) for words, skew_ms in CLOCKS.items()),
    Entry(
        "device.clock-unmeasured",
        "The device's clock is ten years behind, and nobody says the time: plain HTTP is closed.",
        "endpoints-and-dpi C.5 no. 10; a device with a flat battery behind a strict firewall",
        always(stage("ip.drop", ports=(80,), protocol="tcp")),
        # Every certificate is invalid at the device's time, neutral ones too: the clock voids the cycle.
        expected=same(INSUFFICIENT, *ALL),
        at="home",
        settings={"clock_skew_ms": -DECADE_MS},
    ),
    Entry(
        "device.vpn",
        "A VPN carries the traffic: what is measured is not the line.",
        "the issue; endpoints-and-dpi C.5 no. 11; ooni 4.5 probeVpnOn",
        always(),
        expected=same(INSUFFICIENT, *ALL),
        settings={"device": "tun0", "egress": "elsewhere"},
    ),
    Entry(
        "device.wireguard",
        "A VPN by WireGuard, which has a kind of device of its own.",
        "the issue; reference/lab.md section 6",
        always(),
        expected=same(INSUFFICIENT, *ALL),
        settings={"device": "wg0", "egress": "elsewhere"},
    ),
)
