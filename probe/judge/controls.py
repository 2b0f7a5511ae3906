"""What controls say about one endpoint or one name: alive, down, or unknown."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from probe.judge.grades import is_positive
from probe.model import Attempt, ControlMeasurement, Endpoint, Network, Via


class Control(StrEnum):
    ALIVE = "alive"  # at least one control got the positive answer
    DOWN = "down"  # at least two, in different networks, failed, and none got it
    UNKNOWN = "unknown"


def of_endpoint(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> Control:
    """Whether the service itself is there, at this endpoint."""
    failed: set[Network] = set()
    for control in usable(controls):
        if any(is_positive(attempt, endpoint) for attempt in attempts_at(endpoint, control)):
            return Control.ALIVE
        if _tried(endpoint, control):
            failed.add(control.network)
    return Control.DOWN if len(failed) >= 2 else Control.UNKNOWN


def of_name(host: str, controls: Iterable[ControlMeasurement]) -> Control:
    """Whether the name exists."""
    failed: set[Network] = set()
    for control in usable(controls):
        resolutions = [each.observation for each in control.measurement.resolutions if each.host == host]
        if any(each.failure is None for each in resolutions):
            return Control.ALIVE
        if resolutions:
            failed.add(control.network)
    return Control.DOWN if len(failed) >= 2 else Control.UNKNOWN


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


def leaves_seen(endpoint: Endpoint, controls: Iterable[ControlMeasurement]) -> set[str]:
    """Hashes of the certificates that controls were shown at this endpoint, good or not."""
    return {
        observation.tls.leaf_sha256
        for control in usable(controls)
        for attempt in attempts_at(endpoint, control)
        for observation in attempt.observations
        if observation.tls and observation.tls.leaf_sha256
    }


def usable(controls: Iterable[ControlMeasurement]) -> list[ControlMeasurement]:
    """A control whose own link was down, or whose cycle is void, says nothing."""
    return [each for each in controls if each.measurement.link.up and each.measurement.link.void is None]


def attempts_at(endpoint: Endpoint, control: ControlMeasurement) -> list[Attempt]:
    return [attempt for attempt in control.measurement.attempts if is_of(attempt, endpoint)]


def is_of(attempt: Attempt, endpoint: Endpoint) -> bool:
    """The attempt was made at this endpoint, at whatever address."""
    return (attempt.host, attempt.port, attempt.transport, attempt.handshake) == (
        endpoint.host,
        endpoint.port,
        endpoint.transport,
        endpoint.handshake,
    )


def _tried(endpoint: Endpoint, control: ControlMeasurement) -> bool:
    """A failure at an address that other probes named does not count: it may never have been the service's."""
    attempts = [
        each for each in attempts_at(endpoint, control) if each.not_attempted is None and each.via is not Via.ALSO
    ]
    resolutions = [each for each in control.measurement.resolutions if each.host == endpoint.host]
    return bool(attempts) or (bool(resolutions) and all(each.observation.failure for each in resolutions))
