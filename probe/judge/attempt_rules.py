"""The rules of an attempt: innocent explanations first, accusations last."""

from __future__ import annotations

from collections.abc import Callable

from probe.failure import (
    BROKEN_OFF,
    CERTIFICATE_FAILURES,
    HOST_UNREACHABLE,
    NETWORK_UNREACHABLE,
    PERMISSION_DENIED,
    PROHIBITED,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS_AUTHORITY,
    TLS_CERTIFICATE,
    TLS_FAILED,
    TLS_HOSTNAME,
    UNEXPECTED_REPLY,
    UNEXPECTED_STATUS,
)
from probe.judge.attempts import AttemptCase
from probe.judge.controls import Control
from probe.judge.grades import CERTIFIED, CERTIFIED_TRANSPORTS, FACTS_ONLY
from probe.judge.location import Place
from probe.judge.rule import ADD_A_CONTROL, Rule
from probe.model import Operation, State, Step, Transport
from probe.silence import is_unanswered


def _fails(step: Step, *failures: str) -> Callable[[AttemptCase], bool]:
    return lambda case: case.step is step and case.failure in failures


def _silent(case: AttemptCase) -> bool:
    return case.failure == TIMEOUT


def _is_unanswered(case: AttemptCase) -> bool:
    return case.last is not None and is_unanswered(case.last)


def _bytes_received(case: AttemptCase) -> int:
    return case.last.bytes_received if case.last else 0


def _hello_acknowledged(case: AttemptCase) -> bool:
    return bool(case.last and case.last.tls and case.last.tls.hello_acknowledged)


# What apps say in protocols of their own, once a connection stands.
PAYLOAD_STEPS = frozenset(
    [Step.HTTP, Step.WEBSOCKET, Step.STUN, Step.TURN, Step.NOISE, Step.MTPROTO, Step.XMPP, Step.SIP, Step.HELLO]
)
UDP_STEPS = frozenset({Step.STUN, Step.TURN, Step.HELLO})
TLS_READERS_STEPS = PAYLOAD_STEPS | {Step.TLS}  # at which whoever reads TLS breaks off


def _payload_fails(*failures: str) -> Callable[[AttemptCase], bool]:
    return lambda case: case.step in PAYLOAD_STEPS and not _is_udp(case) and case.failure in failures


def _payload_unanswered(case: AttemptCase) -> bool:
    """Not half an answer, which may be junk; inside TLS there are bytes of TLS's own."""
    nothing_came = not _bytes_received(case) or _in_a_session(case)
    return _payload_fails(TIMEOUT)(case) and nothing_came


def _sip_in_clear_fails(case: AttemptCase) -> bool:
    """Where a home router's SIP helper could read it; what is silent was so twice, by the rules before."""
    in_clear = case.attempt.transport in (Transport.UDP, Transport.TCP)
    return in_clear and _fails(Step.SIP, TIMEOUT, *BROKEN_OFF)(case)


def _of_another(case: AttemptCase) -> bool:
    return case.failure in (TLS_AUTHORITY, TLS_HOSTNAME)


def _self_made(case: AttemptCase) -> bool:
    """No service shows such a certificate in TLS; inside Noise its own chain may come to begin at another root."""
    return case.failure == TLS_AUTHORITY and case.step is not Step.NOISE


def _is_let_in(case: AttemptCase) -> bool:
    """The service took the ClientHello, began to answer it, or answers the same in other bytes: it keeps nobody out."""
    took_it = case.step is Step.TLS and (_hello_acknowledged(case) or _bytes_received(case) > 0)
    return took_it or case.dialect_passed or case.other_name_passed


def _is_udp(case: AttemptCase) -> bool:
    return case.attempt.transport is Transport.UDP


def _in_a_session(case: AttemptCase) -> bool:
    """The certificate was verified first: whoever answers is the service."""
    return case.attempt.transport in CERTIFIED_TRANSPORTS or case.attempt.handshake in CERTIFIED


def _began(case: AttemptCase) -> bool:
    """The server's first message of DTLS came."""
    facts = case.last.dtls if case.last else None
    return facts is not None and (facts.hello_verify or facts.server_hello)


def _shows_blockpage(case: AttemptCase) -> bool:
    """Inside a verified session a page is the service's, whatever it mentions."""
    page = case.last.http if case.last else None
    in_clear = case.attempt.transport not in CERTIFIED_TRANSPORTS
    return in_clear and page is not None and bool(page.fingerprint)


def _relay_refuses(case: AttemptCase) -> bool:
    """Over UDP only what carries our transaction id is read at all; in a stream anything may come."""
    understood = _is_udp(case) or (case.last is not None and case.last.operation is Operation.DECODE)
    return understood and _fails(Step.TURN, UNEXPECTED_REPLY)(case)


def _refused_by_icmp(case: AttemptCase) -> tuple[str, ...]:
    """Over UDP a refusal is an ICMP error; over TCP it is a reset."""
    return (REFUSED,) if _is_udp(case) else ()


ATTEMPT_RULES: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "not_attempted",
        lambda case: case.attempt.not_attempted is not None or case.last is None,
        State.INSUFFICIENT,
        None,
        "not tried",
        "What was not tried has not failed; it is left out where anything else was tried.",
    ),
    Rule(
        "fact_only",
        lambda case: case.attempt.handshake in FACTS_ONLY,
        State.INSUFFICIENT,
        None,
        "how this endpoint answers strangers is not known: a fact, from which nothing is concluded",
        "Neither does its answer make anything measurable, nor does its silence accuse; it is left out.",
    ),
    Rule(
        "sip_rewritten",
        lambda case: bool(case.last and case.last.sip and case.last.sip.altered),
        State.IMPAIRED,
        "sip.rewrite",
        "call signalling (SIP) does not arrive as it was sent; a home router does that as well as an operator",
        "Our own server said what reached it. Before `complete`: it did answer.",
    ),
    Rule(
        "blockpage",
        _shows_blockpage,
        State.BLOCKED,
        "http.blockpage",
        "a known block page answered",
        "A fingerprint with a source in the targets file settles it alone, also with the status that was expected.",
    ),
    Rule(
        "complete",
        lambda case: case.complete,
        State.OK,
        None,
        "no interference seen",
        "The service answered as itself, at the grade that its endpoint can have.",
    ),
    Rule(
        "uncalibrated",
        lambda case: not case.calibrated,
        State.INSUFFICIENT,
        None,
        "how this endpoint answers is not proven: no control got its answer in the last 24 hours",
        "An inferred handshake may fail everywhere.",
    ),
    Rule(
        "other_mark",
        lambda case: case.failure is None,
        State.INSUFFICIENT,
        None,
        "something answered, but without the mark that the service is known to send",
        "An impostor, or a service that changed: neither a success nor an accusation.",
    ),
    Rule(
        "family_unusable",
        lambda case: not case.family_usable,
        State.INSUFFICIENT,
        None,
        "this link's IPv4 or IPv6 does not work for neutral services either",
        "Broken IPv6 at the volunteer's looks like a ban of every IPv6 address.",
    ),
    Rule(
        "local_firewall",
        lambda case: case.failure == PERMISSION_DENIED,
        State.IMPAIRED,
        "local.firewall",
        "a firewall on this device refuses it",
        "The kernel said so before anything left the device.",
    ),
    Rule(
        "retired",
        lambda case: case.legacy and (case.control is Control.DOWN or _is_unanswered(case)),
        State.INSUFFICIENT,
        None,
        "the service has closed: that nothing answers says nothing about this line",
        "Its name still shows a ban that was never taken back, by a forged answer, a block page or a reset.",
    ),
    Rule(
        "down",
        lambda case: case.control is Control.DOWN,
        State.DOWN,
        None,
        "it does not answer elsewhere either",
        "At least two controls in different networks failed, and none got through.",
    ),
    Rule(
        "clock_unmeasured",
        lambda case: case.failure == TLS_CERTIFICATE and not case.clock_measured,
        State.INSUFFICIENT,
        None,
        "the certificate is not valid at this device's time, and that time could not be checked",
        "A device that is years off finds every certificate invalid.",
    ),
    Rule(
        "tls_altered_for_all",
        lambda case: case.failure in CERTIFICATE_FAILURES and case.neutral_altered,
        State.IMPAIRED,
        "local.tls",
        "certificates of neutral services are replaced on this link too",
        "An antivirus or a company's proxy.",
    ),
    Rule(
        "same_certificate_elsewhere",
        lambda case: case.failure in CERTIFICATE_FAILURES and case.same_leaf_elsewhere,
        State.IMPAIRED,
        None,
        "the service shows the same certificate elsewhere: the fault is its own",
        "Expired, misconfigured, or signed by an authority that we do not know yet.",
    ),
    Rule(
        "no_control",
        lambda case: case.control is Control.UNKNOWN,
        State.INSUFFICIENT,
        None,
        "it failed here, and whether it works elsewhere is not known; " + ADD_A_CONTROL,
        "Nobody measured it elsewhere in the same hour, or those who did disagree.",
    ),
    Rule(
        "tls_read_at_home",
        lambda case: case.place is Place.HOME and case.failure in CERTIFICATE_FAILURES,
        State.IMPAIRED,
        "local.tls",
        "who shows another certificate stands before the first public router, as a home's or an office's proxy does",
        "An antivirus or a company's proxy that spares the neutral services: the connection opens with a small TTL.",
    ),
    Rule(
        "stopped_at_home",
        lambda case: case.place is Place.HOME,
        State.IMPAIRED,
        "local.firewall",
        "it is stopped before the first public router, as a home's or an office's firewall does",
        "The same packet with a small TTL, beside a neutral one that passes there; design, section 4.",
    ),
    Rule(
        "certificate_expired",
        lambda case: case.failure == TLS_CERTIFICATE,
        State.IMPAIRED,
        None,
        "a certificate of the service's is out of date here: the fault may well be its own",
        "Its chain ends in a root that we trust: nobody but the service had it issued.",
    ),
    Rule(
        "tls_mitm",
        lambda case: _self_made(case) or (_of_another(case) and case.answered_elsewhere),
        State.BLOCKED,
        "tls.mitm",
        "somebody else's certificate is presented in the service's name",
        "Signed by nobody whom we trust, or for another name, or by another root than the one that the service has had "
        "pinned, at an address that is the service's elsewhere.",
    ),
    Rule(
        "outage_reported",
        lambda case: case.outage_reported,
        State.IMPAIRED,
        None,
        "the service itself reports an outage in this hour",
        "As a control was told; what this line is told does not count, for whoever forged it could excuse a ban.",
    ),
    Rule(
        "controls_disagree",
        lambda case: case.controls_disagree,
        State.IMPAIRED,
        None,
        "elsewhere it works for some and not for others: a fault of the service is not excluded",
        "A control that got through shows that it is alive, and as many that did not show that it is unsteady.",
    ),
    Rule(
        "service_refusal",
        _relay_refuses,
        State.IMPAIRED,
        "service.refusal",
        "the relay answered, and refused in an unexpected way",
        "The reply carries our transaction id; a refusal by the service is no interference.",
    ),
    Rule(
        "session_refusal",
        lambda case: _in_a_session(case) and case.failure == UNEXPECTED_STATUS,
        State.IMPAIRED,
        "service.refusal",
        "the service itself answered, inside a verified session, otherwise than it is known to",
        "403 and 451 among others: who holds the service's certificate is the service.",
    ),
    Rule(
        "session_broken_off",
        lambda case: _in_a_session(case) and case.step in PAYLOAD_STEPS and case.failure in BROKEN_OFF,
        State.IMPAIRED,
        None,
        "it is broken off inside a verified session, by the service or by somebody who cannot read what is said there",
        "Servers hang up on whom they do not serve; nobody else knows what was asked.",
    ),
    Rule(
        "refused_by_target",
        lambda case: case.last is not None and case.last.icmp is not None and case.last.icmp.from_target,
        State.IMPAIRED,
        "service.refusal",
        "the service's own address refused it by ICMP",
        "An ICMP error from the target itself shows that the path is open.",
    ),
    Rule(
        "regional_fault_not_excluded",
        lambda case: not case.answered_elsewhere,
        State.IMPAIRED,
        None,
        "this address was not reached from elsewhere: a fault of the service in this region is not excluded",
        "design, section 4: before `likely_blocked`, the failing address itself must have answered somebody.",
    ),
    Rule(
        "port_dead_for_neutrals",
        lambda case: case.neutral_port_dead and _is_udp(case),
        State.IMPAIRED,
        "udp.port.drop",
        "neutral services on this port do not answer either, on other ports they do",
        "A home router or a workplace does this as well as an operator.",
    ),
    Rule(
        "tls_read_for_all",
        lambda case: case.step in TLS_READERS_STEPS and not _is_udp(case) and case.neutral_altered,
        State.IMPAIRED,
        "local.tls",
        "somebody reads all TLS on this link, neutral services' too, and broke this connection off",
        "A company's inspection with application control; and what is no TLS, on TLS's port, is not understood.",
    ),
    Rule(
        "neutral_failed",
        lambda case: not case.neutral_passed,
        State.INSUFFICIENT,
        None,
        "no neutral service of the same kind answered on this link, so there is nothing to compare with",
        "What fails for everybody is not aimed at the service.",
    ),
    Rule(
        "silence_once",
        lambda case: _is_unanswered(case) and not case.failed_twice,
        State.INSUFFICIENT,
        None,
        "it was not answered, once: a second look is needed",
        "A timeout alone is at most `insufficient` in one round; an ICMP error, which a failing line sends, too.",
    ),
    Rule(
        "broken_off_once",
        lambda case: case.failure in BROKEN_OFF | {REFUSED} and not case.failed_twice,
        State.INSUFFICIENT,
        None,
        "it was refused or broken off, once: a second look is needed",
        "A server that is too busy, or restarts, does that to whoever comes.",
    ),
    Rule(
        "refused_at_the_service",
        lambda case: case.place is Place.SERVICE,
        State.IMPAIRED,
        "service.refusal",
        "it is broken off from exactly as far away as the service is, beyond this network",
        "What is said first draws a reset only with a TTL that takes it to where the connection is accepted.",
    ),
    Rule(
        "refused_beyond",
        lambda case: case.place is Place.BEYOND,
        State.IMPAIRED,
        None,
        "it is refused from beyond this network: by the service, or on the way in another country",
        "A router of another country's network has seen the packet before anybody refused it.",
    ),
    Rule(
        "left_unanswered",
        lambda case: case.place is Place.LEFT and not case.neighbour_reached and not _is_let_in(case),
        State.IMPAIRED,
        None,
        "it leaves this network towards the service, and nothing comes back: whose doing that is cannot be told",
        "A service that keeps a country out looks like replies that are dropped on their way in, unless another "
        "network of the country reaches it.",
    ),
    Rule(
        "ip_reject",
        lambda case: case.failure in (HOST_UNREACHABLE, NETWORK_UNREACHABLE, PROHIBITED, *_refused_by_icmp(case)),
        State.LIKELY_BLOCKED,
        "ip.reject",
        "a device on the way rejects packets to an address that answers elsewhere, twice",
        "ICMP unreachable, not from the target.",
    ),
    Rule(
        "ip_reset",
        _fails(Step.TCP, REFUSED, RESET),
        State.LIKELY_BLOCKED,
        "ip.reset",
        "connections to an address that answers elsewhere are reset at once",
        "RST in answer to the SYN.",
    ),
    Rule(
        "residual",
        lambda case: _fails(Step.TCP, TIMEOUT)(case) and case.opened_before,
        State.LIKELY_BLOCKED,
        "residual",
        "once the service's name was sent there, not even a connection opens any more",
        "Round 1: TCP connects and TLS stays silent; round 2: the SYN to the same address stays unanswered.",
    ),
    Rule(
        "ip_drop",
        _fails(Step.TCP, TIMEOUT),
        State.LIKELY_BLOCKED,
        "ip.drop",
        "connections to an address that answers elsewhere stay unanswered, twice",
        "SYN and its retransmissions, in two rounds.",
    ),
    Rule(
        "tls_reset",
        _fails(Step.TLS, *BROKEN_OFF),
        State.LIKELY_BLOCKED,
        "tls.sni.reset",
        "the connection is broken off once the service's name was sent",
        "TCP connects; RST or FIN after the ClientHello; neutral TLS passes.",
    ),
    Rule(
        "tls_hello_dropped",
        lambda case: _fails(Step.TLS, TIMEOUT)(case) and not _bytes_received(case) and not _hello_acknowledged(case),
        State.LIKELY_BLOCKED,
        "tls.sni.drop",
        "nothing answers once the service's name was sent, twice",
        "TCP connects; the ClientHello stays unanswered; neutral TLS passes.",
    ),
    Rule(
        "tls_reply_dropped",
        _fails(Step.TLS, TIMEOUT),
        State.LIKELY_BLOCKED,
        "tls.reply.drop",
        "the service's answer to the TLS hello is cut off, twice",
        "Part of the server's flight came and the rest did not, or its TCP acknowledged the hello and nothing came.",
    ),
    Rule(
        "tls_refused",
        _fails(Step.TLS, TLS_FAILED),
        State.IMPAIRED,
        None,
        "the TLS handshake was refused with an alert or a malformed reply",
        "An alert can come from either; the facts keep which.",
    ),
    Rule(
        "http_reset",
        lambda case: not _in_a_session(case) and _fails(Step.HTTP, *BROKEN_OFF)(case),
        State.LIKELY_BLOCKED,
        "http.reset",
        "the connection is broken off once the web page was asked for",
        "TCP connects; RST or FIN after the request, at an address that answers it elsewhere; neutral HTTP passes.",
    ),
    Rule(
        "sip_dropped",
        lambda case: _sip_in_clear_fails(case) and case.twin_passed,
        State.IMPAIRED,
        "sip.drop",
        "call signalling (SIP) gets no answer, and the same bytes inverted do; a home router may be what drops it",
        "Our own server, the same address and port, twice. It says what is dropped, and not where.",
    ),
    Rule(
        "sip_unanswered",
        _sip_in_clear_fails,
        State.IMPAIRED,
        None,
        "a SIP server that answers elsewhere does not answer SIP in clear: a home router may be what drops it",
        "Neither the bytes, the port nor the address can be named, and routers' SIP helpers are often broken.",
    ),
    Rule(
        "payload_recognised_reset",
        lambda case: _payload_fails(*BROKEN_OFF)(case) and case.dialect_passed and case.broken_off_twice,
        State.BLOCKED,
        "tcp.payload.reset",
        "the connection is broken off, twice, when the app says it in one form, and not when it does in another",
        "One thing was changed, the bytes of the same request to the same address: a paired comparison.",
    ),
    Rule(
        "payload_recognised_dropped",
        lambda case: _payload_unanswered(case) and case.dialect_passed,
        State.BLOCKED,
        "tcp.payload.drop",
        "what the app says in one form stays unanswered, twice, and is answered when it says the same in another",
        "One thing was changed, the bytes of the same request to the same address: a paired comparison.",
    ),
    Rule(
        "payload_reset",
        _payload_fails(*BROKEN_OFF),
        State.LIKELY_BLOCKED,
        "tcp.payload.reset",
        "the connection opens, and is broken off once the app speaks its own protocol",
        "TCP connects; RST or FIN after the first bytes, at an address that answers them elsewhere; neutrals pass.",
    ),
    Rule(
        "allocate_dropped",
        lambda case: _fails(Step.TURN, TIMEOUT)(case) and case.binding_passed,
        State.LIKELY_BLOCKED,
        "turn.allocate.drop",
        "the relay answers plain STUN and not the request that opens a call, twice",
        "Same address and port, another method.",
    ),
    Rule(
        "payload_dropped",
        _payload_unanswered,
        State.LIKELY_BLOCKED,
        "tcp.payload.drop",
        "the connection opens, and what the app says on it stays unanswered, twice",
        "TCP connects; the first bytes of the app's own protocol stay unanswered; neutral TLS or HTTP passes.",
    ),
    Rule(
        "dtls_hello_dropped",
        lambda case: _fails(Step.DTLS, TIMEOUT)(case) and case.other_hello_passed,
        State.LIKELY_BLOCKED,
        "dtls.drop",
        "the same address answers another program's DTLS hello, and not this one, twice",
        "Two shapes of hello, one address, in one round.",
    ),
    Rule(
        "dtls_dropped",
        lambda case: _fails(Step.DTLS, TIMEOUT)(case) and (case.udp_passed or _began(case)),
        State.LIKELY_BLOCKED,
        "dtls.drop",
        "an address that completes DTLS elsewhere answers UDP here and does not complete DTLS, twice",
        "Another protocol over UDP passes there, or the server's first message came and the rest did not.",
    ),
    Rule(
        "dtls_endpoint_dropped",
        _fails(Step.DTLS, TIMEOUT),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "an address that answers DTLS elsewhere stays silent, twice, while neutral relays answer",
        "Nothing tells whether it is DTLS, UDP or the address that is dropped.",
    ),
    Rule(
        "quic_name_dropped",
        lambda case: _fails(Step.QUIC, TIMEOUT)(case) and case.other_name_passed,
        State.LIKELY_BLOCKED,
        "quic.sni.drop",
        "the same address answers QUIC with a neutral name, and not with the service's, twice",
        "Two names, one address, in one round; a server that knows only its own names still answers the other.",
    ),
    Rule(
        "quic_dropped",
        lambda case: _fails(Step.QUIC, TIMEOUT)(case) and case.tcp_passed,
        State.LIKELY_BLOCKED,
        "quic.drop",
        "an address that answers QUIC elsewhere and TCP here does not answer QUIC here, twice",
        "Initials in two rounds; TCP to the same address connects, neutral QUIC passes.",
    ),
    Rule(
        "quic_endpoint_dropped",
        _fails(Step.QUIC, TIMEOUT),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "an address that answers QUIC elsewhere stays silent, twice, while neutral ones answer",
        "Nothing tells whether it is QUIC, UDP or the address that is dropped.",
    ),
    Rule(
        "udp_endpoint_dropped",
        lambda case: case.step in UDP_STEPS and _is_udp(case) and _silent(case),
        State.LIKELY_BLOCKED,
        "udp.endpoint.drop",
        "a relay that answers elsewhere stays silent, twice, while neutral ones answer",
        "Seven requests in 5.5 s, in two rounds.",
    ),
    Rule(
        "payload_answered_by_another",
        _payload_fails(UNEXPECTED_REPLY),
        State.IMPAIRED,
        None,
        "the connection opens, and what answers on it does not speak the app's protocol",
        "A proxy that takes every connection, here or at the operator's, or a service that changed.",
    ),
    Rule(
        "unexplained",
        lambda case: True,
        State.INSUFFICIENT,
        None,
        "it failed in a way that proves nothing",
        "Last: what no rule above explains accuses nobody.",
    ),
)
