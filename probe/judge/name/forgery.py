"""Addresses that a resolver gave and that are not the service's: forged, or led astray to.

Forged: no public service can have it, or somebody else answers there. Led astray: it is merely dead, which a regional
fault of the service, or a cache of the operator's, may be as well: that accuses nobody by itself, and is a lie only
where the answer was seen to be false in another way, too (probe.judge.name.view).
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.addresses import is_address, is_private, prefix_of
from probe.attempts import is_of
from probe.failure import CERTIFICATE_FAILURES, TLS_AUTHORITY, TLS_HOSTNAME, UNEXPECTED_REPLY
from probe.grades import is_positive
from probe.judge.control_answers import certificate_of
from probe.judge.evidence import Evidence
from probe.judge.operators import is_known, same_operator
from probe.model import Attempt, Measurement, Network, Observation, Target, Via

SELF = "self"  # one of the volunteer's own addresses


def met(measurement: Measurement, target: Target, host: str) -> frozenset[str]:
    """Addresses at which the service itself answered this line; who merely accepts a connection may be anybody."""
    return frozenset(
        each.address
        for each in measurement.attempts
        for one in target.endpoints
        if each.host == host and each.address and each.handshake != "tcp"
        if is_of(each, one) and is_positive(each, one)
    )


def is_suspect(measurement: Measurement, host: str, address: str) -> bool:
    """No public service has it, or something failed there. Of any other address, nothing that others say is asked."""
    if address == SELF or is_private(address):
        return True
    there = (each for each in measurement.attempts if (each.host, each.address) == (host, address))
    return any(last.failure is not None for last in _ends(there))


def is_forged(
    evidence: Evidence, target: Target, host: str, address: str, genuine: frozenset[str], agreed: bool
) -> bool:
    """`genuine`: what others give instead. `agreed`: an independent resolver, asked from here, gives this one too.

    Where one agrees, only a certificate that no public authority signed tells it: an edge of a CDN that is set up
    wrongly presents another customer's, genuine one; so may a server that was asked for one only as an experiment.
    """
    measurement = evidence.measurement
    attempts = [each for each in measurement.attempts if (each.host, each.address) == (host, address)]
    here = met(measurement, target, host)
    if address in here:
        return False
    if address == SELF or is_private(address):
        return True
    if not agreed and any(_is_a_web_servers(last) for last in _ends(attempts)) and here:
        return True
    if any(each.failure in CERTIFICATE_FAILURES for each in measurement.link.neutrals):
        return False  # whoever replaces neutral names' certificates replaces them at every address
    if any(_is_nobodys(each, evidence, target) for each in attempts):
        return True
    return not agreed and any(_is_anothers(each, evidence, target, genuine) for each in attempts)


def leads_astray(evidence: Evidence, target: Target, host: str, address: str, genuine: frozenset[str]) -> bool:
    """It was tried from here, nothing of the service's was met there, and nobody's cache is known to be there."""
    if address == SELF or is_private(address):
        return True
    attempts = [each for each in evidence.measurement.attempts if (each.host, each.address) == (host, address)]
    failed = [last for last in _ends(attempts) if last.failure is not None]
    here = met(evidence.measurement, target, host)
    return bool(failed) and address not in here and not _may_be_a_cache(evidence, address, genuine)


def _may_be_a_cache(evidence: Evidence, address: str, genuine: Iterable[str]) -> bool:
    """It lies in the operator's own network, or where the genuine ones do: then it may be an edge of the service."""
    there = _network(evidence, address)
    return same_operator(there, evidence.network) or any(
        same_operator(there, _network(evidence, each)) for each in genuine
    )


def _is_nobodys(attempt: Attempt, evidence: Evidence, target: Target) -> bool:
    """A certificate that no public authority signed, and that no control was shown."""
    if not _failed_with(attempt, TLS_AUTHORITY) or _is_shown_elsewhere(attempt, evidence, target):
        return False
    if any(is_of(attempt, one) for one in target.endpoints):
        return True
    others = [each for each in evidence.measurement.attempts if each.host == attempt.host]
    return not any(_failed_with(each, TLS_AUTHORITY) for each in others if each.via is not Via.SYSTEM)


def _is_anothers(attempt: Attempt, evidence: Evidence, target: Target, genuine: frozenset[str]) -> bool:
    """Another's genuine certificate, where neither the operator nor the service is known to have anything.

    An operator's cache of a CDN, and an edge of the CDN itself, show another customer's when they are set up wrongly.
    """
    if not _failed_with(attempt, TLS_HOSTNAME) or not any(is_of(attempt, one) for one in target.endpoints):
        return False
    address = attempt.address or ""
    placed = is_known(evidence.network) and is_known(_network(evidence, address))
    known = any(is_known(_network(evidence, each)) for each in genuine)
    return placed and known and not _may_be_a_cache(evidence, address, genuine)


def _is_shown_elsewhere(attempt: Attempt, evidence: Evidence, target: Target) -> bool:
    """Controls were shown the same certificate there, or one by the same issuer, whom our own list may not know yet."""
    shown = attempt.observations[-1]
    endpoints = [one for one in target.endpoints if one.host == attempt.host]
    return any(evidence.controls.met_any(one, certificate_of(shown)) for one in endpoints)


def _network(evidence: Evidence, address: str) -> Network:
    return evidence.networks.get(prefix_of(address), Network()) if is_address(address) else Network()


def _ends(attempts: Iterable[Attempt]) -> list[Observation]:
    return [each.observations[-1] for each in attempts if each.observations]


def _failed_with(attempt: Attempt, failure: str) -> bool:
    return any(last.failure == failure for last in _ends([attempt]))


def _is_a_web_servers(observation: Observation) -> bool:
    """HTTP, in answer to a messenger's own protocol."""
    return observation.failure == UNEXPECTED_REPLY and observation.http is not None
