"""What is done to a call that has begun. All of it waits for call flows; the relays' first answers must stay clean."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import CLEAN_CALL, ENDURANCE, FLOW, SIP, everywhere, same, stage

CALL = "whatsapp/call"
CLEAN = same(CLEAN_CALL, "telegram/call", "viber/call")


def rtp(random: Random) -> Sequence[Stage]:
    return [stage("rtp.drop", after=random.randint(3, 25))]


def after_packets(random: Random) -> Sequence[Stage]:
    return [stage("flow.cutoff.packets", n=random.randint(25, 400), protocol="udp")]


def tcp_after_packets(random: Random) -> Sequence[Stage]:
    addresses = everywhere(plan.WHATSAPP_CHAT, plan.WHATSAPP_CHAT_2)
    return [stage("flow.cutoff.packets", n=random.randint(24, 40), protocol="tcp", addresses=addresses)]


def after_seconds(random: Random) -> Sequence[Stage]:
    return [stage("flow.cutoff.time", seconds=random.uniform(10.0, 60.0), protocol="udp")]


def throttled(random: Random) -> Sequence[Stage]:
    addresses = everywhere(*plan.VIBER_RELAYS)
    return [stage("flow.throttle", rate=random.uniform(1500.0, 3500.0), protocol="udp", addresses=addresses)]


def thinned(random: Random) -> Sequence[Stage]:
    addresses, fraction = everywhere(*plan.TELEGRAM_RELAYS), random.uniform(0.05, 0.25)
    return [stage("flow.loss", fraction=fraction, direction="both", protocol="udp", addresses=addresses)]


def one_way(random: Random) -> Sequence[Stage]:
    addresses, fraction = everywhere(*plan.TELEGRAM_RELAYS), random.uniform(0.1, 0.4)
    direction = random.choice(("up", "down"))
    return [stage("flow.loss", fraction=fraction, direction=direction, protocol="udp", addresses=addresses)]


def dtls(random: Random) -> Sequence[Stage]:
    return [stage("dtls.drop")]


def sip(random: Random) -> Sequence[Stage]:
    return [stage("sip.drop", ports=random.choice((None, (5060,))))]


ENTRIES = (
    Entry(
        "rtp.drop",
        "Packets that look like RTP are dropped once an engine is sure of them.",
        "endpoints-and-dpi C.4 T25, B.1 (three packets in a row)",
        rtp,
        {"after": "3–25"},
        CLEAN | same(Expected("blocked", "rtp.drop", not_yet=FLOW), CALL),
    ),
    Entry(
        "flow.cutoff.packets",
        "UDP flows die after some packets.",
        "endpoints-and-dpi C.4 T18 (TSPU, Snowflake #422)",
        after_packets,
        {"n": "25–400"},
        CLEAN | same(Expected("blocked", "flow.cutoff.packets", not_yet=ENDURANCE), CALL),
    ),
    Entry(
        "flow.cutoff.tcp",
        "TCP connections to WhatsApp's chat freeze after some 20 kB.",
        "endpoints-and-dpi C.4 T18 (net4people/bbs#490)",
        tcp_after_packets,
        {"n": "24–40"},
        same(Expected("blocked", "flow.cutoff.packets", not_yet=ENDURANCE), "whatsapp/chat"),
    ),
    Entry(
        "flow.cutoff.time",
        "UDP flows die after some seconds.",
        "endpoints-and-dpi C.4 T19",
        after_seconds,
        {"seconds": "10–60 s"},
        CLEAN | same(Expected("blocked", "flow.cutoff.time", not_yet=ENDURANCE), CALL),
    ),
    Entry(
        "flow.throttle",
        "UDP to Viber's relays is policed below what speech needs.",
        "endpoints-and-dpi C.4 T16 (Twitter in Russia 2021), C.3",
        throttled,
        {"rate": "1500–3500 bytes/s"},
        same(Expected("degraded", "flow.throttle", not_yet=ENDURANCE), "viber/call"),
    ),
    Entry(
        "flow.loss",
        "A part of the packets from and to Telegram's relays is dropped at random.",
        "endpoints-and-dpi C.4 T15 (Russia, August 2025)",
        thinned,
        {"fraction": "0.05–0.25"},
        same(Expected("degraded", "flow.loss", not_yet=ENDURANCE), "telegram/call"),
    ),
    Entry(
        "flow.oneway",
        "A part of the packets to Telegram's relays, or from them, is dropped at random; the other way is clean.",
        "endpoints-and-dpi C.4 T14 (youtubeUnblock#361)",
        one_way,
        {"fraction": "0.1–0.4", "direction": "one of up | down"},
        same(Expected("degraded", "flow.oneway", not_yet=ENDURANCE), "telegram/call"),
    ),
    Entry(
        "dtls.drop",
        "DTLS handshakes are dropped, on any port.",
        "endpoints-and-dpi C.4 T24 (Snowflake #97, #603)",
        dtls,
        expected=CLEAN | same(Expected("blocked", "dtls.drop", not_yet=FLOW), CALL),
    ),
    Entry(
        "sip.drop",
        "SIP in clear is dropped, on its port or on any.",
        "endpoints-and-dpi C.4 T33",
        sip,
        # Whether its bytes are meant only an echo of ours tells, and a home router's SIP helper is not excluded.
        expected=CLEAN | same(Expected("impaired"), SIP),
    ),
)
