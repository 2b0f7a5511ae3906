"""Grades in order, and which of them an endpoint's genuine answer has."""

from __future__ import annotations

from collections.abc import Iterable

from probe.addresses import is_private
from probe.model import Attempt, Endpoint, Grade
from probe.protocols import CERTIFIED, FACTS_ONLY, OVER_TLS, PROTOCOLS

STRENGTH = {Grade.UNKNOWN: 0, Grade.TRANSPORT: 1, Grade.BOUND: 2, Grade.MARKED: 3, Grade.CRYPTO: 4}


def expected_grade(endpoint: Endpoint) -> Grade:
    """The grade of the genuine service's answer, given what the targets file knows of it."""
    protocol = PROTOCOLS.get(endpoint.handshake)
    own = Grade.MARKED if endpoint.expect.realm else protocol.best if protocol else Grade.TRANSPORT
    if endpoint.expect.keys and protocol and protocol.keyed:
        own = protocol.keyed
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
    return dialled.handshake in CERTIFIED or dialled.transport in OVER_TLS


def stronger(grade: Grade, other: Grade | None) -> Grade:
    """The better of two proofs of the same answer; None is no proof."""
    return grade if other is None or STRENGTH[grade] >= STRENGTH[other] else other


def best(grades: Iterable[Grade | None]) -> Grade | None:
    """The strongest of these; None when there is none."""
    return max((grade for grade in grades if grade), key=STRENGTH.__getitem__, default=None)
