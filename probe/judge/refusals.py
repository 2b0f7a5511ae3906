"""A service's own no, in the words of its own protocol: an answer, and never silence, nor interference that is shown.

In clear, whoever reads the question can say no in the service's name; so at a line a refusal excuses no more than
`impaired` says. A control that was refused was answered: it makes no service alive, and none down.
"""

from __future__ import annotations

from collections.abc import Callable

from probe.failure import HTTP_FAILED, TLS_FAILED, UNEXPECTED_REPLY, UNEXPECTED_STATUS
from probe.grades import shows_certificate
from probe.model import Attempt, Observation, Operation, Step, Transport

# By step, what shows that a failure is a refusal in the protocol's own words.
WORDS: dict[Step, Callable[[Observation], object]] = {
    Step.MTPROTO: lambda seen: seen.mtproto and seen.mtproto.refused is not None,  # -404, -429, … of its transport
    Step.XMPP: lambda seen: seen.xmpp and seen.xmpp.error,  # see-other-host, host-unknown, …
    Step.TURN: lambda seen: (seen.stun and seen.stun.error_code) or seen.operation is Operation.DECODE,  # 400, 438, …
    Step.SIP: lambda seen: seen.sip and seen.sip.status,
    Step.QUIC: lambda seen: seen.quic and seen.quic.close_code is not None,  # an alert of TLS among them
    Step.TLS: lambda seen: seen.tls and seen.tls.alert,
    Step.DTLS: lambda seen: seen.tls and seen.tls.alert,
}
SECURED = frozenset({Step.TCP, Step.TLS, Step.QUIC})  # steps before the certificate is verified
NO = frozenset({UNEXPECTED_REPLY, TLS_FAILED})
INSIDE = frozenset({UNEXPECTED_REPLY, UNEXPECTED_STATUS, HTTP_FAILED})


def is_refused(attempt: Attempt) -> bool:
    return is_refused_in_words(attempt) or is_refused_inside(attempt)


def is_refused_in_words(attempt: Attempt) -> bool:
    """It ended with a no that its protocol knows."""
    last = attempt.observations[-1] if attempt.observations else None
    if last is None or last.failure not in NO:
        return False
    if attempt.transport is Transport.UDP and last.step is Step.TURN:
        return True  # nothing is read there but what carries our transaction id
    said = WORDS.get(last.step)
    return said is not None and bool(said(last))


def is_answered_unreadably(attempt: Attempt) -> bool:
    """Over UDP nothing is read but what carries our transaction: what made no sense there was an answer."""
    last = attempt.observations[-1] if attempt.observations else None
    return last is not None and last.failure == UNEXPECTED_REPLY and attempt.transport is Transport.UDP


def is_refused_inside(attempt: Attempt) -> bool:
    """Behind a certificate that was verified, it ended with anything but the expected answer: so says the service."""
    last = attempt.observations[-1] if attempt.observations else None
    return last is not None and last.failure in INSIDE and last.step not in SECURED and shows_certificate(attempt)
