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
)
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import bytes_received, fails, hello_acknowledged, in_a_session, refused_by_icmp
from probe.judge.evidence import Rule
from probe.model import State, Step

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
        fails(Step.TLS, *BROKEN_OFF),
        State.LIKELY_BLOCKED,
        "tls.sni.reset",
        "the connection is broken off once the service's name was sent",
        "TCP connects; RST or FIN after the ClientHello; neutral TLS passes.",
    ),
    Rule(
        "tls_hello_dropped",
        lambda case: fails(Step.TLS, TIMEOUT)(case) and not bytes_received(case) and not hello_acknowledged(case),
        State.LIKELY_BLOCKED,
        "tls.sni.drop",
        "nothing answers once the service's name was sent, twice",
        "TCP connects; the ClientHello stays unanswered; neutral TLS passes.",
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
        "http_reset",
        lambda case: not in_a_session(case) and fails(Step.HTTP, *BROKEN_OFF)(case),
        State.LIKELY_BLOCKED,
        "http.reset",
        "the connection is broken off once the web page was asked for",
        "TCP connects; RST or FIN after the request, at an address that answers it elsewhere; neutral HTTP passes.",
    ),
)
