"""What is said of an app's own protocol that nothing excuses, over TCP and over UDP."""

from __future__ import annotations

from probe.failure import BROKEN_OFF, TIMEOUT, UNEXPECTED_REPLY
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import (
    UDP_STEPS,
    began,
    dialect_passed_twice,
    fails,
    is_udp,
    passes_beside,
    payload_fails,
    payload_unanswered,
    silent,
    sip_in_clear_fails,
)
from probe.judge.evidence import Rule
from probe.model import State, Step
from probe.protocols import PADDED_BINDINGS

APP_PROTOCOLS: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "sip_dropped",
        lambda case: sip_in_clear_fails(case) and passes_beside(case, "sip-twin"),
        State.IMPAIRED,
        "sip.drop",
        "call signalling (SIP) gets no answer, and the same bytes inverted do; a home router may be what drops it",
        "Our own server, the same address and port, twice. It says what is dropped, and not by whom, also where a "
        "sweep sees it far beyond the home: a router's SIP helper may spoil what it lets pass, and nobody answer that.",
    ),
    Rule(
        "sip_unanswered",
        sip_in_clear_fails,
        State.IMPAIRED,
        None,
        "a SIP server that answers elsewhere does not answer SIP in clear: a home router may be what drops it",
        "Neither the bytes, the port nor the address can be named, and routers' SIP helpers are often broken, over TCP "
        "as over UDP: they spoil what they let pass, so that no sweep clears them.",
    ),
    Rule(
        "payload_recognised_reset",
        lambda case: payload_fails(*BROKEN_OFF)(case) and dialect_passed_twice(case) and case.broken_off_twice,
        State.BLOCKED,
        "tcp.payload.reset",
        "the connection is broken off when the app says it in one form, and not when it does in another, both twice",
        "One thing was changed, the bytes of the same request to the same address: a paired comparison.",
    ),
    Rule(
        "payload_recognised_dropped",
        lambda case: payload_unanswered(case) and dialect_passed_twice(case),
        State.BLOCKED,
        "tcp.payload.drop",
        "what the app says in one form stays unanswered, and is answered when it says the same in another, both twice",
        "One thing was changed, the bytes of the same request to the same address: a paired comparison.",
    ),
    Rule(
        "payload_reset",
        payload_fails(*BROKEN_OFF),
        State.LIKELY_BLOCKED,
        "tcp.payload.reset",
        "the connection opens, and is broken off once the app speaks its own protocol",
        "TCP connects; RST or FIN after the first bytes, at an address that answers them elsewhere; neutrals pass.",
    ),
    Rule(
        "allocate_dropped",
        lambda case: fails(Step.TURN, TIMEOUT)(case) and passes_beside(case, *PADDED_BINDINGS),
        State.LIKELY_BLOCKED,
        "turn.allocate.drop",
        "the relay answers plain STUN, and not a request of the same size that opens a call, twice",
        "Same address, port and size, another method; a shorter Binding would differ in two things, and name neither.",
    ),
    Rule(
        "payload_dropped",
        payload_unanswered,
        State.LIKELY_BLOCKED,
        "tcp.payload.drop",
        "the connection opens, and what the app says on it stays unanswered, twice",
        "TCP connects; the first bytes of the app's own protocol stay unanswered; neutral TLS or HTTP passes.",
    ),
    Rule(
        "dtls_hello_dropped",
        lambda case: (
            fails(Step.DTLS, TIMEOUT)(case) and not began(case) and passes_beside(case, "dtls", "dtls-browser")
        ),
        State.LIKELY_BLOCKED,
        "dtls.drop",
        "the same address answers another program's DTLS hello, and not this one, twice",
        "Two shapes of hello, one address, in one round; a hello that was answered was not dropped.",
    ),
    Rule(
        "dtls_dropped",
        lambda case: fails(Step.DTLS, TIMEOUT)(case) and (case.udp_passed or began(case)),
        State.LIKELY_BLOCKED,
        "dtls.drop",
        "an address that completes DTLS elsewhere answers UDP here and does not complete DTLS, twice",
        "Another protocol over UDP passes there, or the server's first message came and the rest did not.",
    ),
    Rule(
        "dtls_endpoint_dropped",
        fails(Step.DTLS, TIMEOUT),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "an address that answers DTLS elsewhere stays silent, twice, while neutral relays answer",
        "Nothing tells whether it is DTLS, UDP or the address that is dropped.",
    ),
    Rule(
        "quic_name_dropped",
        lambda case: fails(Step.QUIC, TIMEOUT)(case) and not began(case) and passes_beside(case, "quic-other-name"),
        State.LIKELY_BLOCKED,
        "quic.sni.drop",
        "the same address answers QUIC with a neutral name, and not with the service's, twice",
        "Two names, one address, in one round; a server that knows only its own names still answers the other.",
    ),
    Rule(
        "quic_dropped",
        lambda case: fails(Step.QUIC, TIMEOUT)(case) and case.tcp_passed,
        State.LIKELY_BLOCKED,
        "quic.drop",
        "an address that answers QUIC elsewhere and TCP here does not answer QUIC here, twice",
        "Initials in two rounds; TCP to the same address connects, neutral QUIC passes.",
    ),
    Rule(
        "quic_endpoint_dropped",
        fails(Step.QUIC, TIMEOUT),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "an address that answers QUIC elsewhere stays silent, twice, while neutral ones answer",
        "Nothing tells whether it is QUIC, UDP or the address that is dropped.",
    ),
    Rule(
        "udp_endpoint_dropped",
        lambda case: case.step in UDP_STEPS and is_udp(case) and silent(case),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "a relay that answers elsewhere stays silent, twice, while neutral ones answer",
        "Seven requests in 5.5 s, in two rounds.",
    ),
    Rule(
        "payload_answered_by_another",
        payload_fails(UNEXPECTED_REPLY),
        State.IMPAIRED,
        None,
        "the connection opens, and what answers on it does not speak the app's protocol",
        "A proxy that takes every connection, here or at the operator's, or a service that changed.",
    ),
)
