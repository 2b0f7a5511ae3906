"""STUN and TURN by their bytes: the cookie, one attribute, replies alone, the request that opens a call."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.lab import plan
from tests.lab.model import Entry, Expected, Stage
from tests.lab.techniques.aims import (
    CALLS,
    CLEAN_CALL,
    FLOW,
    OK,
    SWAP,
    TEAMS,
    TEAMS_BINDING,
    always,
    everywhere,
    same,
    stage,
)

REALM, WHATSAPP_ATTRIBUTE = 0x0014, 0x4000
APP_PORTS = (1400, 40003)  # where no neutral service speaks STUN
ALLOCATE_DROPPED = Expected("likely_blocked", "turn.allocate.drop")
TEAMS_ALLOCATE = same(Expected("likely_blocked", "turn.allocate.drop", not_yet=TEAMS_BINDING), TEAMS)
COOKIE_DROPPED = Expected("blocked", "stun.cookie.drop", not_yet=FLOW)  # said of the imitation to our helper
STUN_DEAD = same(Expected("impaired"), *CALLS, TEAMS)  # neutral STUN dies with it, and neutral QUIC does not


def one_service(random: Random) -> Sequence[Stage]:
    return [stage("turn.allocate.drop", addresses=everywhere(*plan.TELEGRAM_RELAYS))]


ENTRIES = (
    Entry(
        "stun.cookie.drop",
        "Every datagram with STUN's cookie is dropped, on any port.",
        "endpoints-and-dpi C.4 T10 (Russia 2025)",
        always(stage("stun.cookie.drop")),
        # Nothing may be said of relays but that all STUN is dead; twins at a helper would tell.
        expected=STUN_DEAD | same(COOKIE_DROPPED, "whatsapp/call"),
    ),
    Entry(
        "stun.cookie.drop.3478",
        "Datagrams with STUN's cookie are dropped on port 3478.",
        "endpoints-and-dpi C.4 T10 on one port",
        always(stage("stun.cookie.drop", ports=(3478,))),
        # Neutral STUN on that port dies as well. That other bytes pass there, only a helper can show.
        expected=same(CLEAN_CALL, "viber/call")
        | same(Expected("impaired", "stun.cookie.drop", not_yet=FLOW), "signal/call", TEAMS),
    ),
    Entry(
        "stun.cookie.drop.app",
        "Datagrams with STUN's cookie are dropped on the ports of Telegram's and Messenger's relays.",
        "endpoints-and-dpi C.4 T10; Flowseal#4580 (port 1400)",
        always(stage("stun.cookie.drop", ports=APP_PORTS)),
        expected=same(Expected("likely_blocked", "stun.cookie.drop", not_yet=FLOW), "telegram/call", "messenger/call"),
    ),
    Entry(
        "stun.attribute.realm",
        "STUN messages whose REALM is Viber's are dropped: the relay's refusal never arrives.",
        "endpoints-and-dpi C.4 T12, B.1 (nDPI labels by REALM)",
        always(stage("stun.attribute.drop", type=REALM, value=b"viber.com")),
        expected=same(Expected("likely_blocked", "stun.attribute.drop", not_yet=SWAP), "viber/call"),
    ),
    Entry(
        "stun.attribute.whatsapp",
        "STUN messages with WhatsApp's attribute 0x4000 are dropped, on any port.",
        "endpoints-and-dpi C.4 T12, B.1",
        always(stage("stun.attribute.drop", type=WHATSAPP_ATTRIBUTE)),
        expected=same(Expected("blocked", "stun.attribute.drop", not_yet=FLOW), "whatsapp/call")
        | same(OK, "whatsapp/chat"),
    ),
    Entry(
        "stun.reply.drop",
        "STUN requests pass and every STUN reply is dropped.",
        "reference/lab.md section 1 (response only)",
        always(stage("stun.reply.drop")),
        expected=STUN_DEAD | same(Expected("blocked", "stun.reply.drop", not_yet=FLOW), "whatsapp/call"),
    ),
    Entry(
        "stun.reply.drop.relays",
        "STUN requests to Viber's relays pass and their replies are dropped.",
        "endpoints-and-dpi C.4 T14 (server to client)",
        always(stage("stun.reply.drop", addresses=everywhere(*plan.VIBER_RELAYS))),
        # From here it is a relay that stays silent. What reached it only a helper of ours could count.
        expected=same(Expected("likely_blocked", "stun.reply.drop", not_yet=FLOW), "viber/call"),
    ),
    Entry(
        "turn.allocate.drop",
        "Requests for an allocation are dropped, on any port to anyone; other STUN passes.",
        "reference/lab.md section 1 (Allocate only); endpoints-and-dpi A.0",
        always(stage("turn.allocate.drop")),
        expected=same(ALLOCATE_DROPPED, *CALLS) | TEAMS_ALLOCATE,
    ),
    Entry(
        "turn.allocate.drop.one",
        "Requests for an allocation are dropped on the way to Telegram's relays.",
        "endpoints-and-dpi C.2 (Russia 2026: Allocates out, nothing in)",
        one_service,
        expected=same(ALLOCATE_DROPPED, "telegram/call") | same(CLEAN_CALL, "viber/call"),
    ),
)
