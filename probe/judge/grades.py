"""Grades in order, and which of them an endpoint's genuine answer has."""

from __future__ import annotations

from collections.abc import Iterable

from probe.addresses import is_private
from probe.model import Attempt, Endpoint, Grade, Transport

STRENGTH = {Grade.UNKNOWN: 0, Grade.TRANSPORT: 1, Grade.BOUND: 2, Grade.MARKED: 3, Grade.CRYPTO: 4}
BEST = {
    "tcp": Grade.TRANSPORT,
    "http": Grade.TRANSPORT,
    "dns": Grade.BOUND,
    "tls": Grade.BOUND,
    "quic": Grade.BOUND,
    "dtls": Grade.BOUND,
    "dtls-browser": Grade.BOUND,
    "dtls-hello": Grade.TRANSPORT,
    "stun": Grade.BOUND,
    "stun-4571": Grade.BOUND,
    "turn": Grade.BOUND,
    "turn-4571": Grade.BOUND,
    "turn-google": Grade.BOUND,
    "msturn": Grade.BOUND,
    "xmpp": Grade.BOUND,
    "discord": Grade.MARKED,
    "sip": Grade.BOUND,
    "sip-register": Grade.BOUND,
    "sip-echo": Grade.BOUND,
    "zoom": Grade.MARKED,
    "webex": Grade.TRANSPORT,
    "viber": Grade.TRANSPORT,
    "threema": Grade.TRANSPORT,
    "reflector": Grade.BOUND,
    "noise": Grade.BOUND,
    "noise-routed": Grade.BOUND,
    "mtproto-abridged": Grade.BOUND,
    "mtproto-intermediate": Grade.BOUND,
    "mtproto-obfuscated": Grade.BOUND,
}

# What the genuine service proves where the targets file gives its keys.
KEYED = {
    "noise": Grade.CRYPTO,
    "noise-routed": Grade.CRYPTO,
    "threema": Grade.CRYPTO,
    "mtproto-abridged": Grade.MARKED,
    "mtproto-intermediate": Grade.MARKED,
    "mtproto-obfuscated": Grade.MARKED,
}

# What any answer is only a fact of: it makes no path complete, and its absence accuses nobody.
FACTS_ONLY = frozenset({"reflector"})

CERTIFIED = frozenset({"tls", "quic"})  # handshakes that end with a verified certificate
CERTIFIED_TRANSPORTS = frozenset({Transport.TLS, Transport.WSS, Transport.HTTPS})


def expected_grade(endpoint: Endpoint) -> Grade:
    """What the genuine service's answer proves, given what the targets file knows of it."""
    own = Grade.MARKED if endpoint.expect.realm else BEST.get(endpoint.handshake, Grade.TRANSPORT)
    if endpoint.expect.keys:
        own = KEYED.get(endpoint.handshake, own)
    return stronger(own, _certificate(endpoint))


def _certificate(endpoint: Endpoint) -> Grade | None:
    """What the certificate proves, where there is one."""
    if endpoint.ca:
        return Grade.CRYPTO
    if not shows_certificate(endpoint):
        return None
    return Grade.BOUND


def is_positive(attempt: Attempt, endpoint: Endpoint) -> bool:
    """The service answered as itself. From a private address only a verified certificate or key says so."""
    if attempt.grade is None or attempt.address is None or attempt.handshake in FACTS_ONLY:
        return False
    if is_private(attempt.address) and not _is_verified(attempt):
        return False
    return STRENGTH[attempt.grade] >= STRENGTH[expected_grade(endpoint)]


def _is_verified(attempt: Attempt) -> bool:
    return shows_certificate(attempt) or attempt.grade is Grade.CRYPTO


def shows_certificate(dialled: Attempt | Endpoint) -> bool:
    """A certificate is presented and verified on the way."""
    return dialled.handshake in CERTIFIED or dialled.transport in CERTIFIED_TRANSPORTS


def stronger(grade: Grade, other: Grade | None) -> Grade:
    """The better of two proofs of the same answer; None is no proof."""
    return grade if other is None or STRENGTH[grade] >= STRENGTH[other] else other


def best(grades: Iterable[Grade | None]) -> Grade | None:
    """The strongest of these; None when there is none."""
    return max((grade for grade in grades if grade), key=STRENGTH.__getitem__, default=None)
