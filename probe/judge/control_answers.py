"""What one control's measurement says: whether it got through at an endpoint, whether it resolved a name.

An address dialled on a probe's behalf counts only when it answers: a cache inside an operator answers nobody outside.
Families stand apart: a control without IPv6 says nothing about IPv6 addresses.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from probe.addresses import family_of, is_address, is_private
from probe.attempts import is_of
from probe.failure import ANSWERED, PERMISSION_DENIED, TIMEOUT, is_own, unmatched
from probe.grades import is_positive
from probe.judge.refusals import is_answered_unreadably, is_refused
from probe.model import Attempt, ControlMeasurement, Endpoint, Link, Observation, Via


class Tried(Struct, frozen=True):
    """One attempt of a control's at an endpoint."""

    attempt: Attempt
    positive: bool  # the service answered as itself
    failed: bool  # and that may be the service's doing


def is_usable(control: ControlMeasurement) -> bool:
    """A control whose own link was down, or whose cycle is void, says nothing."""
    return control.measurement.link.up and control.measurement.link.void is None


def started_ms(control: ControlMeasurement) -> int:
    """As the collector placed it; without one, by the control's own clock."""
    if control.started_ms is not None:
        return control.started_ms
    return control.measurement.started_ms + (control.measurement.clock_offset_ms or 0)


# --- An endpoint --------------------------------------------------------------------------------------------------


def tried_at(endpoint: Endpoint, control: ControlMeasurement) -> list[Tried]:
    return [
        Tried(attempt, is_positive(attempt, endpoint), _is_the_services(attempt, control))
        for attempt in control.measurement.attempts
        if is_of(attempt, endpoint)
    ]


def got_through(tried: Iterable[Tried], family: int | None, *, has_no_name: bool) -> bool | None:
    """None when it did not try in this family, or could not; `family` None: in either."""
    attempts = [each for each in tried if _is_in(family, each.attempt)]
    if any(each.positive for each in attempts):
        return True
    failed = any(each.failed and each.attempt.via is not Via.ALSO for each in attempts)
    return False if failed or has_no_name else None


def got_through_at(tried: Iterable[Tried], address: str) -> bool | None:
    """At this one address, whoever named it; None when it did not try there, or could not."""
    attempts = [each for each in tried if each.attempt.address == address]
    if any(each.positive for each in attempts):
        return True
    return False if any(each.failed for each in attempts) else None


def leaf_of(observation: Observation | None) -> str | None:
    """The hash of the certificate that was shown in this step, if one was."""
    facts = observation and (observation.noise or observation.tls)
    return facts.leaf_sha256 if facts else None


def issuer_of(observation: Observation | None) -> str | None:
    """The hash of the issuer's name, of the certificate that was shown in this step over TLS, DTLS or QUIC.

    Inside Noise the key is pinned: a chain of the same issuer that does not verify is a forgery.
    """
    facts = observation.tls if observation is not None else None
    return facts.issuer_sha256 if facts else None


def certificate_of(observation: Observation) -> frozenset[str]:
    """Hashes of a certificate, and of the name of who issued it."""
    facts = observation.noise or observation.tls
    return frozenset(each for each in (facts.leaf_sha256, facts.issuer_sha256) if each) if facts else frozenset()


def _is_in(family: int | None, attempt: Attempt) -> bool:
    return family is None or attempt.address is None or family_of(attempt.address) == family


def _is_the_services(attempt: Attempt, control: ControlMeasurement) -> bool:
    """A failure that may be the service's: neither the control's own, nor of a family that it lacks.

    A refusal in the protocol's own words is an answer, and so is one that cannot be read: it makes no service alive,
    and none down. Nor does a timeout beside datagrams that answered nothing.
    """
    last = attempt.observations[-1] if attempt.observations else None
    if attempt.not_attempted is not None or last is None:
        return False
    if is_own(last.failure) or last.failure == PERMISSION_DENIED or (last.failure == TIMEOUT and unmatched(last)):
        return False
    return (
        not is_refused(attempt) and not is_answered_unreadably(attempt) and _carries(control.measurement.link, attempt)
    )


def _carries(link: Link, attempt: Attempt) -> bool:
    """A control's link is shown to carry the attempt's family by a neutral service of that family."""
    if attempt.address is None or not link.neutrals:
        return True
    family = family_of(attempt.address)
    return any(each.family == family and each.failure in ANSWERED for each in link.neutrals)


# --- A name -------------------------------------------------------------------------------------------------------


def heard(host: str, control: ControlMeasurement) -> tuple[Observation, ...]:
    """What it was told of a name, where it listened."""
    asked = (each.observation for each in control.measurement.resolutions if each.host == host)
    return tuple(each for each in asked if not is_own(each.failure))


def resolved(said: Iterable[Observation]) -> bool:
    """Whether the name led anywhere, of what was heard of it."""
    return any(each.failure is None for each in said)


def has_no_name(host: str, control: ControlMeasurement) -> bool:
    asked = heard(host, control)
    return bool(asked) and not resolved(asked)


def public_answers(said: Observation, family: int) -> list[str]:
    """Without codes of DNS, and what stands for an address of the asker's own."""
    answers = said.dns.answers if said.dns else ()
    return [each for each in answers if is_address(each) and family_of(each) == family and not is_private(each)]
