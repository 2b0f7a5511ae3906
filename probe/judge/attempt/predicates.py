"""The words of which the rules of an attempt are made: each is about one case."""

from __future__ import annotations

from collections.abc import Callable

from probe import failure
from probe.failure import ANOTHERS_CERTIFICATE, BROKEN_OFF, REFUSED, TIMEOUT, TLS_AUTHORITY
from probe.judge.attempt.case import AttemptCase
from probe.judge.evidence import NEIGHBOURS_FLOOR
from probe.model import Attempt, Step, Transport
from probe.protocols import CERTIFIED, OVER_TLS, PAYLOAD_STEPS


def fails(step: Step, *failures: str) -> Callable[[AttemptCase], bool]:
    return lambda case: case.step is step and case.failure in failures


def silent(case: AttemptCase) -> bool:
    return case.failure == TIMEOUT


def hears_strangers(case: AttemptCase) -> bool:
    """Silent, but for what answers nothing that was asked, in either round."""
    seen = [each.observations[-1] for each in (case.attempt, *case.before) if each.observations]
    return silent(case) and any(failure.unmatched(each) for each in seen)


def is_unanswered(case: AttemptCase) -> bool:
    return case.last is not None and failure.is_unanswered(case.last)


def bytes_received(case: AttemptCase) -> int:
    return case.last.bytes_received if case.last else 0


def hello_acknowledged(case: AttemptCase) -> bool:
    return bool(case.last and case.last.tls and case.last.tls.hello_acknowledged)


UDP_STEPS = frozenset({Step.STUN, Step.TURN, Step.HELLO})
READABLE_STEPS = PAYLOAD_STEPS | {Step.TLS}  # at which whoever reads TLS breaks off


def tls_unanswered(case: AttemptCase) -> bool:
    """Nothing came, not even that the hello arrived."""
    return fails(Step.TLS, TIMEOUT)(case) and not bytes_received(case) and not hello_acknowledged(case)


def payload_fails(*failures: str) -> Callable[[AttemptCase], bool]:
    return lambda case: case.step in PAYLOAD_STEPS and not is_udp(case) and case.failure in failures


def payload_unanswered(case: AttemptCase) -> bool:
    """Not half an answer, which may be junk; inside TLS there are bytes of TLS's own."""
    nothing_came = not bytes_received(case) or in_a_session(case)
    return payload_fails(TIMEOUT)(case) and nothing_came


def sip_in_clear_fails(case: AttemptCase) -> bool:
    """Where a home router's SIP helper could read it; what is silent was so twice, by the rules before."""
    in_clear = case.attempt.transport in (Transport.UDP, Transport.TCP)
    return in_clear and fails(Step.SIP, TIMEOUT, *BROKEN_OFF)(case)


def of_another(case: AttemptCase) -> bool:
    return case.failure in ANOTHERS_CERTIFICATE


def self_made(case: AttemptCase) -> bool:
    """No service shows such a certificate in TLS; inside Noise its own chain may come to begin at another root."""
    return case.failure == TLS_AUTHORITY and case.step is not Step.NOISE


def contradicted(case: AttemptCase) -> bool:
    """The certificate names an authority whose key has not signed it: no edge of the service's has one like that."""
    return bool(case.last and case.last.tls and case.last.tls.contradicted)


def is_strangers(case: AttemptCase) -> bool:
    """A certificate that is not the service's, as far as one round tells."""
    return self_made(case) or (of_another(case) and case.answered_elsewhere)


def shown_before(case: AttemptCase) -> bool:
    """In round 1 somebody showed another's certificate there, too."""
    return any(each.observations and each.observations[-1].failure in ANOTHERS_CERTIFICATE for each in case.before)


def passes_beside(case: AttemptCase, *handshakes: str) -> bool:
    """One of these, at the same address and port and over the same transport, was answered."""
    return not case.answered_beside.isdisjoint(handshakes)


def dialect_passed_twice(case: AttemptCase) -> bool:
    return case.dialect_passed and case.dialect_passed_before


def is_let_in(case: AttemptCase) -> bool:
    """The service took the ClientHello, began to answer it, or answers the same in other bytes: it keeps nobody out."""
    took_it = case.step is Step.TLS and (hello_acknowledged(case) or bytes_received(case) > 0)
    return took_it or case.dialect_passed or passes_beside(case, "quic-other-name", "tls-other-name")


def follows_the_bytes(case: AttemptCase) -> bool:
    """The same address and port answers other bytes, or another name, over this very line: only those make it fail."""
    return case.dialect_passed or not case.answered_beside <= {"tcp"}  # a connection that opens proves nothing


def others_reach_it(case: AttemptCase) -> bool:
    """Lines of another operator in the country: whoever is silent here keeps out nobody of this country."""
    return case.neighbours.reached >= NEIGHBOURS_FLOOR


def is_udp(case: AttemptCase) -> bool:
    return case.attempt.transport is Transport.UDP


def dies_over_udp(case: AttemptCase) -> bool:
    """It was not answered over UDP, twice."""
    return is_udp(case) and is_unanswered(case) and case.failed_twice


def speaks_stun(case: AttemptCase) -> bool:
    return case.step in (Step.STUN, Step.TURN)


def in_a_session(case: AttemptCase) -> bool:
    """The certificate was verified first: whoever answers is the service."""
    return case.attempt.transport in OVER_TLS or case.attempt.handshake in CERTIFIED


def began(case: AttemptCase) -> bool:
    """The other end had answered, and the handshake still had to be finished."""
    last = case.last
    if last is None or last.failure not in BROKEN_OFF | {TIMEOUT}:
        return False
    over_udp = bool(last.dtls and (last.dtls.hello_verify or last.dtls.server_hello))
    over_udp |= bool(last.quic and (last.quic.initial or last.quic.retry))
    over_tcp = case.step is Step.TLS and (last.bytes_received > 0 or hello_acknowledged(case))
    return over_udp or over_tcp or (case.step in PAYLOAD_STEPS and in_a_session(case))


def shows_blockpage(case: AttemptCase) -> bool:
    return is_blockpage(case.attempt)


def is_blockpage(attempt: Attempt) -> bool:
    """Inside a verified session a page is the service's, whatever it mentions."""
    page = attempt.observations[-1].http if attempt.observations else None
    in_clear = attempt.transport not in OVER_TLS
    return in_clear and page is not None and bool(page.fingerprint)


def blockpage_before(case: AttemptCase) -> bool:
    return any(map(is_blockpage, case.before))


def refused_under_its_address(case: AttemptCase) -> bool:
    """An ICMP error whose sender says that it is the service."""
    return case.last is not None and case.last.icmp is not None and case.last.icmp.from_target


def refused_by_icmp(case: AttemptCase) -> tuple[str, ...]:
    """Over UDP a refusal is an ICMP error; over TCP it is a reset."""
    return (REFUSED,) if is_udp(case) else ()
