"""How far the device's clock is off, by the dates of neutral answers. Pure: findings in, an offset out.

A Date is as old as the page: a cache says by Age how long it kept it, and one that says Via alone does not say. Anyone
on the path can write a plain page, but not one inside a verified TLS session; so where there are dates of both kinds,
those inside TLS count alone. One wrong date among several moves nothing: most must agree. And at the true time some
neutral certificate is valid: dates at which each one is out of date are not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from msgspec import Struct

from probe.failure import TIMEOUT, TLS_CERTIFICATE
from probe.grades import shows_certificate
from probe.measuring.measurer import Findings
from probe.model import Attempt, Grade, HttpFacts, Observation, Transport

HALF_SECOND_MS = 500  # HTTP dates are cut to the second
AGREE_MS = 10_000  # dates that differ by less tell the same time
VERIFIED = frozenset({Grade.BOUND, Grade.MARKED, Grade.CRYPTO})


class SeenDate(Struct, frozen=True):
    """True time − the device's, as one answer tells it."""

    offset_ms: float
    verified: bool  # it came inside TLS, from whom the certificate names


def clock_offset_ms(findings: Iterable[Findings]) -> int | None:
    """True time − the device's; None where no date is to be believed."""
    every = list(findings)
    dates = list(_dates(every))
    verified = [each.offset_ms for each in dates if each.verified]
    if not verified and _is_contradicted(every):
        return None
    return agreed(verified or [each.offset_ms for each in dates])


def agreed(offsets: Sequence[float]) -> int | None:
    """The median, if most agree with it. Where they do not, the device's own clock is one more witness."""
    for witnesses in (offsets, (*offsets, 0.0)):
        middle = median(witnesses or [0.0])
        beside = [each for each in witnesses if abs(each - middle) <= AGREE_MS]
        if offsets and len(beside) * 2 > len(witnesses):
            return round(middle)
    return None


def _is_contradicted(findings: Iterable[Findings]) -> bool:
    """Neutral certificates were verified at the time that plain pages told, and all were out of date."""
    attempts = [attempt for found in findings for attempt in found.attempts if shows_certificate(attempt)]
    ends = [attempt.observations[-1].failure for attempt in attempts if attempt.observations]
    return TLS_CERTIFICATE in ends and set(ends) <= {TLS_CERTIFICATE, TIMEOUT}


def _dates(findings: Iterable[Findings]) -> Iterator[SeenDate]:
    for found in findings:
        for attempt in found.attempts:
            for observation in attempt.observations:
                date_ms = _date_ms(observation)
                if date_ms is not None:
                    offset = date_ms + HALF_SECOND_MS - _device_ms(found, observation)
                    yield SeenDate(offset, _is_verified(attempt))


def _date_ms(observation: Observation) -> int | None:
    """The time at which the server answered, not the one at which the page was made."""
    facts = observation.http
    if observation.failure is not None or facts is None or facts.date_ms is None or _is_of_unknown_age(facts):
        return None
    return facts.date_ms + (facts.age_s or 0) * 1000


def _is_of_unknown_age(facts: HttpFacts) -> bool:
    return facts.passed_on and facts.age_s is None


def _is_verified(attempt: Attempt) -> bool:
    return attempt.transport is not Transport.TCP and attempt.grade in VERIFIED


def _device_ms(found: Findings, observation: Observation) -> float:
    return found.started_ms + (observation.started_us + observation.took_us) / 1000
