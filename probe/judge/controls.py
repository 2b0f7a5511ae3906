"""What controls say about one endpoint or one name: alive, down, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from probe.attempts import is_of
from probe.grades import is_positive
from probe.model import Attempt, ControlMeasurement, Endpoint, Network, Observation, Outage, Via


class Control(StrEnum):
    ALIVE = "alive"  # at least one control got the positive answer
    DOWN = "down"  # at least two, in different networks, failed, and none got it
    UNKNOWN = "unknown"


def of_endpoint(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> Control:
    """Whether the service itself is there, at this endpoint."""
    return _standing(*_networks(controls, lambda control: _reached(endpoint, control)))


def of_name(host: str, controls: Iterable[ControlMeasurement]) -> Control:
    """Whether the name exists."""
    return _standing(*_networks(controls, lambda control: _resolved(host, control)))


def disagree_on_endpoint(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> bool:
    """Some got through, and in at least as many networks others did not: the service itself may be unsteady."""
    return _disagree(*_networks(controls, lambda control: _reached(endpoint, control)))


def disagree_on_name(host: str, controls: Iterable[ControlMeasurement]) -> bool:
    """The same of a name: one that was given up is still remembered by some resolvers."""
    return _disagree(*_networks(controls, lambda control: _resolved(host, control)))


def _networks(
    controls: Iterable[ControlMeasurement], ask: Callable[[ControlMeasurement], bool | None]
) -> tuple[set[Network], set[Network]]:
    """The networks whose controls got through, and those in which none did."""
    answers = [(control.network, ask(control)) for control in usable(controls)]
    through = {network for network, answer in answers if answer}
    return through, {network for network, answer in answers if answer is False} - through


def _standing(through: set[Network], failed: set[Network]) -> Control:
    if through:
        return Control.ALIVE
    return Control.DOWN if len(failed) >= 2 else Control.UNKNOWN


def _disagree(through: set[Network], failed: set[Network]) -> bool:
    return 0 < len(through) <= len(failed)


def _reached(endpoint: Endpoint, control: ControlMeasurement) -> bool | None:
    """None when it did not try."""
    if any(is_positive(attempt, endpoint) for attempt in attempts_at(endpoint, control)):
        return True
    return False if _tried(endpoint, control) else None


def _resolved(host: str, control: ControlMeasurement) -> bool | None:
    asked = [each.observation for each in control.measurement.resolutions if each.host == host]
    return any(each.failure is None for each in asked) if asked else None


def addresses_reached(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> set[str]:
    """The addresses at which a control got the endpoint's positive answer."""
    return {
        attempt.address
        for control in usable(controls)
        for attempt in attempts_at(endpoint, control)
        if attempt.address and is_positive(attempt, endpoint)
    }


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


def leaves_seen(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> set[str]:
    """Hashes of the certificates that controls were shown at this endpoint, good or not."""
    leaves = {
        leaf_of(observation)
        for control in usable(controls)
        for attempt in attempts_at(endpoint, control)
        for observation in attempt.observations
    }
    return {leaf for leaf in leaves if leaf}


def leaf_of(observation: Observation | None) -> str | None:
    """The hash of the certificate that was shown in this step, if one was."""
    facts = observation and (observation.noise or observation.tls)
    return facts.leaf_sha256 if facts else None


def usable(controls: Iterable[ControlMeasurement]) -> list[ControlMeasurement]:
    """A control whose own link was down, or whose cycle is void, says nothing."""
    return [each for each in controls if each.measurement.link.up and each.measurement.link.void is None]


def attempts_at(endpoint: Endpoint, control: ControlMeasurement) -> list[Attempt]:
    return [attempt for attempt in control.measurement.attempts if is_of(attempt, endpoint)]


def _tried(endpoint: Endpoint, control: ControlMeasurement) -> bool:
    """A failure at an address that other probes named does not count: it may never have been the service's."""
    attempts = [
        each for each in attempts_at(endpoint, control) if each.not_attempted is None and each.via is not Via.ALSO
    ]
    resolutions = [each for each in control.measurement.resolutions if each.host == endpoint.host]
    return bool(attempts) or (bool(resolutions) and all(each.observation.failure for each in resolutions))
