"""What is said of a connection that nothing excuses: of its address, of the name in its TLS hello, of a plain page."""

from __future__ import annotations

from probe.failure import (
    BROKEN_OFF,
    HOST_UNREACHABLE,
    NETWORK_UNREACHABLE,
    PROHIBITED,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS_FAILED,
    UNEXPECTED_STATUS,
)
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import fails, in_a_session, passes_beside, refused_by_icmp, tls_unanswered
from probe.judge.evidence import Rule
from probe.model import State, Step
from probe.protocols import OTHER_NAME

TCP_TLS: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "ip_reject",
        lambda case: case.failure in (HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED, *refused_by_icmp(case)),
        State.LIKELY_BLOCKED,
        "ip.reject",
        "a device on the way rejects packets to an address that answers elsewhere, twice",
        "ICMP unreachable, not from the target.",
    ),
    Rule(
        "ip_reset",
        fails(Step.TCP, REFUSED, RESET),
        State.LIKELY_BLOCKED,
        "ip.reset",
        "connections to an address that answers elsewhere are reset at once",
        "RST in answer to the SYN.",
    ),
    Rule(
        "residual",
        lambda case: fails(Step.TCP, TIMEOUT)(case) and case.opened_before,
        State.LIKELY_BLOCKED,
        "residual",
        "once the service's name was sent there, not even a connection opens any more",
        "Round 1: TCP connects and TLS stays silent; round 2: the SYN to the same address stays unanswered.",
    ),
    Rule(
        "ip_drop",
        fails(Step.TCP, TIMEOUT),
        State.LIKELY_BLOCKED,
        "ip.drop",
        "connections to an address that answers elsewhere stay unanswered, twice",
        "SYN and its retransmissions, in two rounds.",
    ),
    Rule(
        "tls_reset",
        lambda case: fails(Step.TLS, *BROKEN_OFF)(case) and passes_beside(case, OTHER_NAME),
        State.LIKELY_BLOCKED,
        "tls.sni.reset",
        "the connection is broken off once the service's name was sent, twice, and another name is answered there",
        "TCP connects; RST or FIN after the ClientHello; at the same address and port a hello that differs in the name "
        "alone is answered.",
    ),
    Rule(
        "tls_broken_off",
        fails(Step.TLS, *BROKEN_OFF),
        State.LIKELY_BLOCKED,
        "tcp.payload.reset",
        "the connection opens, and is broken off once TLS begins, twice; whether for the name was not shown",
        "No other name was tried there, or it fared no better.",
    ),
    Rule(
        "tls_hello_dropped",
        lambda case: tls_unanswered(case) and passes_beside(case, OTHER_NAME),
        State.LIKELY_BLOCKED,
        "tls.sni.drop",
        "nothing answers once the service's name was sent, twice, and another name is answered there",
        "TCP connects; the ClientHello stays unanswered; at the same address and port a hello that differs in the name "
        "alone is answered.",
    ),
    Rule(
        "tls_unanswered",
        tls_unanswered,
        State.LIKELY_BLOCKED,
        "tcp.payload.drop",
        "the connection opens, and no answer comes to TLS, twice; whether for the name was not shown",
        "No other name was tried there, or it fared no better: a box nearer than the service may open every connection "
        "in its place (a SYN proxy), and what is dropped is the address, or whatever follows the SYN.",
    ),
    Rule(
        "tls_reply_dropped",
        fails(Step.TLS, TIMEOUT),
        State.LIKELY_BLOCKED,
        "tls.reply.drop",
        "the service's answer to the TLS hello is cut off, twice",
        "Part of the server's flight came and the rest did not, or its TCP acknowledged the hello and nothing came.",
    ),
    Rule(
        "tls_refused",
        fails(Step.TLS, TLS_FAILED),
        State.IMPAIRED,
        None,
        "the TLS handshake was refused with an alert or a malformed reply",
        "An alert can come from either; the facts keep which.",
    ),
    Rule(
        "page_refused",
        lambda case: not in_a_session(case) and fails(Step.HTTP, UNEXPECTED_STATUS)(case),
        State.IMPAIRED,
        None,
        "in clear another page comes than elsewhere, by its status: the service's, or of somebody on the way",
        "451 and 403 among others: whoever reads the question can answer it, and no fingerprint says who did.",
    ),
    Rule(
        "http_reset",
        lambda case: not in_a_session(case) and fails(Step.HTTP, *BROKEN_OFF)(case),
        State.LIKELY_BLOCKED,
        "http.reset",
        "the connection is broken off once the web page was asked for",
        "TCP connects; RST or FIN after the request, at an address that answers it elsewhere; neutral HTTP passes.",
    ),
)
