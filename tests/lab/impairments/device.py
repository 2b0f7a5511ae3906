"""The volunteer's device: its clock, and a VPN that carries what it sends."""

from __future__ import annotations

from tests.lab.impairments.words import ALL, INSUFFICIENT
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
