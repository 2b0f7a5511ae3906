"""Controls in time: what they say about one endpoint or one name when a line failed there.

Of each control network counts what it saw nearest in time to the failure, on either side of it: a service that went
out of order an hour ago answered before, and one that was mended answers after. A success from before the failure says
that the service was there then; only a newer one says that it still was. So a line that fails in the first minutes of
an outage waits for the next control, and is judged again once it has come. A control's cycle and a line's that are
nearer to one another than two cycles ever are count as one time, until the control's next one says otherwise.

An address dialled on a probe's behalf counts only when it answers: a cache inside an operator answers nobody outside.
Families stand apart: a control without IPv6 says nothing about IPv6 addresses.

An anycast address that answers a control may answer it from another site than this line's. Whether an address is
anycast cannot be told here; so its answer abroad only says that it is a service's at all, and what then accuses is told
from the line's own catchment: other bytes to the same site, the operator's own routers, or other operators' lines in
the same country (probe.judge.attempt.routing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from enum import StrEnum

from msgspec import Struct

from probe.addresses import family_of
from probe.attempts import is_of
from probe.failure import ANSWERED, PERMISSION_DENIED, TIMEOUT, is_own, unmatched
from probe.grades import is_positive
from probe.judge.evidence import Evidence
from probe.judge.refusals import is_answered_unreadably, is_refused
from probe.model import Attempt, ControlMeasurement, Endpoint, Link, Network, Observation, Outage, Via

CYCLE_MS = 10 * 60_000  # the least between two cycles: what is nearer than that is of one time


class Control(StrEnum):
    ALIVE = (
        "alive"  # nearest in time it answered more networks than not, and one of them when the line failed, or since
    )
    AWAITED = "awaited"  # the same, and nobody has tried since the line failed
    DISAGREE = "disagree"  # it answered, and in at least as many networks it did not
    DOWN = "down"  # nearest in time it answered nobody, in at least two networks
    UNKNOWN = "unknown"


class FailureSpan(Struct, frozen=True):
    """When a line failed: the starts of the first and of the last round that say so."""

    first_ms: int
    last_ms: int

    def apart_ms(self, at_ms: int) -> int:
        return max(self.first_ms - at_ms, at_ms - self.last_ms, 0)


class Look(Struct, frozen=True):
    """One control's cycle: whether it got through, and when."""

    network: Network
    at_ms: int
    through: bool


class EndpointView(Struct, frozen=True, kw_only=True):
    """What controls saw at one endpoint in one family, summed up once."""

    control: Control
    tried: bool  # by any control, in this family
    reached: frozenset[str]  # addresses that answered as the service, in some network nearest in time
    leaves: frozenset[str]  # hashes of the certificates that were shown there, good or not


def failure_span(evidence: Evidence) -> FailureSpan:
    """In corrected time; both rounds ran by the same clock, within the time of one cycle."""
    measurement, earlier = evidence.measurement, evidence.earlier
    at_ms = evidence.started_ms
    if at_ms is None:
        at_ms = measurement.started_ms + (measurement.clock_offset_ms or 0)
    before_ms = measurement.started_ms - earlier.started_ms if earlier else 0
    return FailureSpan(at_ms - min(max(before_ms, 0), CYCLE_MS), at_ms)


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
    asked = _heard(host, control)
    return bool(asked) and all(each.failure for each in asked)


def _heard(host: str, control: ControlMeasurement) -> list[Observation]:
    """What a control was told of a name, where it listened."""
    asked = [each.observation for each in control.measurement.resolutions if each.host == host]
    return [each for each in asked if not is_own(each.failure)]


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
    return standing(_looks(usable(controls), lambda control: _resolved(host, control)), failed)


def _resolved(host: str, control: ControlMeasurement) -> bool | None:
    asked = _heard(host, control)
    return any(each.failure is None for each in asked) if asked else None


def addresses_given(host: str, controls: Iterable[ControlMeasurement]) -> set[str]:
    """The addresses that controls' resolvers gave for a name."""
    return {
        address
        for control in usable(controls)
        for resolution in control.measurement.resolutions
        if resolution.host == host and resolution.observation.dns
        for address in resolution.observation.dns.answers
    }


def report_outage(outage: Outage | None, controls: Iterable[ControlMeasurement]) -> bool:
    """Whether some control was told by the service's own status name that it is out of order."""
    return outage is not None and outage.address in addresses_given(outage.name, controls)


# --- In time ------------------------------------------------------------------------------------------------------


def standing(looks: Sequence[Look], failed: FailureSpan) -> Control:
    """No single network can make `down`; as many that failed as got through disagree."""
    near = nearest(looks, failed)
    through = {look.network for look in near if look.through}
    failing = len(near) - len(through)
    if not through:
        return Control.DOWN if failing >= 2 else Control.UNKNOWN
    if failing >= len(through):
        return Control.DISAGREE
    return Control.ALIVE if _is_there_still(looks, through, failed) else Control.AWAITED


def _is_there_still(looks: Iterable[Look], through: Set[Network], failed: FailureSpan) -> bool:
    """One of the networks that got through did so since the line failed, or just before and has not tried since."""
    newest = nearest([look for look in looks if look.at_ms >= failed.first_ms], failed)
    silent = through - {look.network for look in newest}
    just_before = {look.network for look in looks if look.through and 0 <= failed.first_ms - look.at_ms < CYCLE_MS}
    return bool(silent & just_before) or any(look.through and look.network in through for look in newest)


def nearest(looks: Iterable[Look], failed: FailureSpan) -> list[Look]:
    """One of each network; of two that are as near, the one that failed."""
    chosen: dict[Network, Look] = {}
    for look in sorted(looks, key=lambda each: (failed.apart_ms(each.at_ms), each.through)):
        chosen.setdefault(look.network, look)
    return list(chosen.values())


def _looks(controls: Iterable[ControlMeasurement], ask: Callable[[ControlMeasurement], bool | None]) -> list[Look]:
    """One for each cycle of each control that tried: its two rounds are one look, and one that got through counts."""
    answers = [(control, ask(control)) for control in controls]
    cycles: dict[tuple[object, ...], list[Look]] = {}
    for control, through in sorted(answers, key=lambda each: started_ms(each[0])):
        if through is not None:
            look = Look(control.network, started_ms(control), through)
            rounds = cycles.setdefault((control.key, control.measurement.cycle, control.network), [])
            if rounds and look.at_ms - rounds[-1].at_ms < CYCLE_MS:
                rounds[-1] = look if look.through and not rounds[-1].through else rounds[-1]
            else:
                rounds.append(look)
    return [look for rounds in cycles.values() for look in rounds]


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
