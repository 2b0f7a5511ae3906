"""Controls: what they say about one endpoint or one name when a line failed there.

Of each control network counts what it saw nearest in time (probe.judge.in_time). What is known of a service for good,
an address or a certificate of its own, counts whenever it was seen.

An address dialled on a probe's behalf counts only when it answers: a cache inside an operator answers nobody outside.
Families stand apart: a control without IPv6 says nothing about IPv6 addresses.

An anycast address that answers a control may answer it from another site than this line's. Whether an address is
anycast cannot be told here; so its answer abroad only says that it is a service's at all, and what then accuses is told
from the line's own catchment: other bytes to the same site, the operator's own routers, or other operators' lines in
the same country (probe.judge.attempt.routing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from probe.addresses import family_of
from probe.attempts import is_of
from probe.failure import ANSWERED, PERMISSION_DENIED, TIMEOUT, is_own, unmatched
from probe.grades import is_positive
from probe.judge.in_time import Control, FailureSpan, Look, nearest, one_of_each_cycle, since, standing
from probe.judge.refusals import is_answered_unreadably, is_refused
from probe.model import Attempt, ControlMeasurement, Endpoint, Link, Measurement, Observation, Outage, Via


class EndpointView(Struct, frozen=True, kw_only=True):
    """What controls saw at one endpoint in one family, summed up once."""

    control: Control
    tried: bool  # by any control, in this family
    reached: frozenset[str]  # addresses that answered as the service, in some network nearest in time
    leaves: frozenset[str]  # hashes of the certificates that were shown there, good or not


def started_ms(control: ControlMeasurement) -> int:
    """As the collector placed it; without one, by the control's own clock."""
    if control.started_ms is not None:
        return control.started_ms
    return control.measurement.started_ms + (control.measurement.clock_offset_ms or 0)


# --- An endpoint --------------------------------------------------------------------------------------------------


def view(
    endpoint: Endpoint, family: int | None, controls: Iterable[ControlMeasurement], failed: FailureSpan
) -> EndpointView:
    """`family` None: an address that is not known may be of either."""
    seen = usable(controls)
    looks = _looks(seen, lambda control: _reached(endpoint, family, control))
    return EndpointView(
        control=standing(looks, failed),
        tried=bool(looks),
        reached=frozenset(
            address
            for address in _addresses(endpoint, family, seen)
            if any(look.through for look in nearest(_looks(seen, _answers_at(endpoint, address)), failed))
        ),
        leaves=frozenset(_leaves(endpoint, seen)),
    )


def of_endpoint(endpoint: Endpoint, controls: Iterable[ControlMeasurement], failed: FailureSpan) -> Control:
    """Whether the service itself is there, at this endpoint, in either family."""
    return standing(_looks(usable(controls), lambda control: _reached(endpoint, None, control)), failed)


def addresses_reached(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> set[str]:
    """The addresses at which a control got the endpoint's positive answer, whenever it was."""
    return {
        attempt.address
        for control in usable(controls)
        for attempt in attempts_at(endpoint, control)
        if attempt.address and is_positive(attempt, endpoint)
    }


def _reached(endpoint: Endpoint, family: int | None, control: ControlMeasurement) -> bool | None:
    """None when it did not try, or could not."""
    attempts = [each for each in attempts_at(endpoint, control) if _is_in(family, each)]
    if any(is_positive(attempt, endpoint) for attempt in attempts):
        return True
    failed = [each for each in attempts if each.via is not Via.ALSO and _is_the_services(each, control)]
    return False if failed or _has_no_name(endpoint.host, control) else None


def _answers_at(endpoint: Endpoint, address: str) -> Callable[[ControlMeasurement], bool | None]:
    """At this one address, whoever named it."""

    def ask(control: ControlMeasurement) -> bool | None:
        attempts = [each for each in attempts_at(endpoint, control) if each.address == address]
        if any(is_positive(attempt, endpoint) for attempt in attempts):
            return True
        return False if any(_is_the_services(each, control) for each in attempts) else None

    return ask


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


def _has_no_name(host: str, control: ControlMeasurement) -> bool:
    asked = _heard(host, control.measurement)
    return bool(asked) and all(each.failure for each in asked)


def _addresses(endpoint: Endpoint, family: int | None, controls: Iterable[ControlMeasurement]) -> set[str]:
    every = addresses_reached(endpoint, controls)
    return {each for each in every if family is None or family_of(each) == family}


def _carries(link: Link, attempt: Attempt) -> bool:
    """A control's link is shown to carry the attempt's family by a neutral service of that family."""
    if attempt.address is None or not link.neutrals:
        return True
    family = family_of(attempt.address)
    return any(each.family == family and each.failure in ANSWERED for each in link.neutrals)


# --- A name -------------------------------------------------------------------------------------------------------


def of_name(host: str, controls: Iterable[ControlMeasurement], failed: FailureSpan) -> Control:
    """Whether the name exists: one that is given up is still remembered by some resolvers."""
    return standing(_of_name(host, controls), failed)


def addresses_given(host: str, controls: Iterable[ControlMeasurement]) -> set[str]:
    """The addresses that controls' resolvers gave for a name, whenever it was: they are the service's, or just were."""
    return _addresses_in(each for control in usable(controls) for each in _heard(host, control.measurement))


def addresses_still_given(host: str, controls: Iterable[ControlMeasurement], failed: FailureSpan) -> set[str]:
    """Those that some network was given nearest in time to the failure."""
    return _addresses_in(told(host, nearest(_of_name(host, controls), failed)))


def failures_of_name(host: str, controls: Iterable[ControlMeasurement], failed: FailureSpan) -> set[str]:
    """With which networks could not resolve a name, nearest in time, or first since the line could not."""
    looks = _of_name(host, controls)
    heard = told(host, (*nearest(looks, failed), *since(looks, failed)))
    return {each.failure for each in heard if each.failure is not None}


def report_outage(outage: Outage | None, controls: Iterable[ControlMeasurement], failed: FailureSpan) -> bool:
    """Whether some control was told by the service's own status name that it is out of order.

    Nearest in time, or first since the line failed: a status is set some minutes late.
    """
    if outage is None:
        return False
    looks = _of_name(outage.name, controls)
    return outage.address in _addresses_in(told(outage.name, (*nearest(looks, failed), *since(looks, failed))))


def told(host: str, looks: Iterable[Look]) -> list[Observation]:
    """What was heard of a name in these looks."""
    return [each for look in looks if look.measurement is not None for each in _heard(host, look.measurement)]


def _of_name(host: str, controls: Iterable[ControlMeasurement]) -> list[Look]:
    return _looks(usable(controls), lambda control: _resolved(host, control))


def _resolved(host: str, control: ControlMeasurement) -> bool | None:
    asked = _heard(host, control.measurement)
    return any(each.failure is None for each in asked) if asked else None


def _heard(host: str, measurement: Measurement) -> list[Observation]:
    """What a control was told of a name, where it listened."""
    asked = [each.observation for each in measurement.resolutions if each.host == host]
    return [each for each in asked if not is_own(each.failure)]


def _addresses_in(heard: Iterable[Observation]) -> set[str]:
    return {address for each in heard if each.dns for address in each.dns.answers}


# --- Looks --------------------------------------------------------------------------------------------------------


def _looks(controls: Iterable[ControlMeasurement], ask: Callable[[ControlMeasurement], bool | None]) -> list[Look]:
    """One for each cycle of each control that tried."""
    answers = [(control, ask(control)) for control in controls]
    return one_of_each_cycle(
        ((control.key, control.measurement.cycle), _look(control, through))
        for control, through in answers
        if through is not None
    )


def _look(control: ControlMeasurement, through: bool) -> Look:
    return Look(control.network, started_ms(control), through, control.measurement)


def usable(controls: Iterable[ControlMeasurement]) -> list[ControlMeasurement]:
    """A control whose own link was down, or whose cycle is void, says nothing."""
    return [each for each in controls if each.measurement.link.up and each.measurement.link.void is None]


# --- What was dialled ---------------------------------------------------------------------------------------------


def attempts_at(endpoint: Endpoint, control: ControlMeasurement) -> list[Attempt]:
    return [attempt for attempt in control.measurement.attempts if is_of(attempt, endpoint)]


def leaf_of(observation: Observation | None) -> str | None:
    """The hash of the certificate that was shown in this step, if one was."""
    facts = observation and (observation.noise or observation.tls)
    return facts.leaf_sha256 if facts else None


def _leaves(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> set[str]:
    leaves = {
        leaf_of(observation)
        for control in controls
        for attempt in attempts_at(endpoint, control)
        for observation in attempt.observations
    }
    return {leaf for leaf in leaves if leaf}
