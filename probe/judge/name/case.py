"""Cases of name resolution: one per host and family that the link's own resolvers failed or forged."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from probe.addresses import QTYPES, family_of, is_private
from probe.attempts import is_of
from probe.failure import (
    CERTIFICATE_FAILURES,
    NO_ANSWER,
    NXDOMAIN,
    TIMEOUT,
    TLS_AUTHORITY,
    TLS_HOSTNAME,
    UNEXPECTED_REPLY,
    is_in_clear,
)
from probe.grades import is_positive
from probe.judge import controls, location
from probe.judge.controls import Control
from probe.judge.evidence import Evidence
from probe.judge.location import FailureLocation
from probe.model import Attempt, Measurement, Observation, Resolution, Target, Via


class NameCase(Struct, frozen=True, kw_only=True):
    """One host in one family that the link's own resolvers failed or forged."""

    host: str
    family: int
    legacy: bool  # of a service that has closed
    outcome: str  # a df-007 string, or `forged`
    injected: bool  # the first of two different replies to one query was the wrong one
    exists: bool  # somebody else resolves it
    control: Control  # of the name
    proved: (
        bool  # an address given elsewhere completed a handshake from this line, or the service is alive for controls
    )
    own_resolver: bool  # at least one of the resolvers is the network's
    truthful: bool | None  # about neutral names
    silent_twice: bool
    at_home: bool  # what answered, or swallowed the question, stands at or before the first public hop


def name_cases(evidence: Evidence, target: Target) -> list[NameCase]:
    """A case for each host and family in which the link's own resolvers led nowhere while others lead somewhere.

    Where nobody leads anywhere there is one case for the host, whatever its families would have been.
    """
    dialled = {endpoint.host for endpoint in target.endpoints}
    hosts = dict.fromkeys(each.host for each in own_resolutions(evidence.measurement) if each.host in dialled)
    forged = forged_addresses(evidence, target)
    cases = (
        _name_case(evidence, target, host, family, forged)
        for host in hosts
        for family in _families_to_judge(evidence, host)
    )
    return [case for case in cases if case is not None]


def _families_to_judge(evidence: Evidence, host: str) -> list[int]:
    own = [each for each in own_resolutions(evidence.measurement) if each.host == host]
    asked = [family for family in QTYPES if any(_is_about(each, host, family) for each in own)]
    given = [family for family in asked if given_elsewhere(evidence, host, family)]
    answered = any(each.observation.failure is None for each in own)
    return given or ([] if answered else asked[:1])


def own_resolutions(measurement: Measurement) -> list[Resolution]:
    """What the link's own resolvers said: a resolver is checked by the self-check exactly if it is the link's own.

    A public one that the line uses as its own is asked in TLS as an independent one.
    """
    own = {each.resolver for each in measurement.link.resolvers}
    return [
        each
        for each in measurement.resolutions
        if each.observation.dns and each.observation.dns.resolver in own and is_in_clear(each)
    ]


def _name_case(
    evidence: Evidence, target: Target, host: str, family: int, forged: set[tuple[str, str | None]]
) -> NameCase | None:
    measurement = evidence.measurement
    own = [each for each in own_resolutions(measurement) if _is_about(each, host, family)]
    elsewhere = given_elsewhere(evidence, host, family)
    injected = any(_is_injected(each, forged) for each in own + _others(measurement, host, family))
    outcome = _outcome(own, forged, host)
    if outcome is None or (outcome == NO_ANSWER and not injected and _has_the_other_family(measurement, host)):
        return None
    return NameCase(
        host=host,
        family=family,
        legacy=target.legacy,
        outcome=outcome,
        injected=injected,
        exists=bool(elsewhere),
        control=controls.of_name(host, evidence.controls, controls.failure_span(evidence)),
        proved=_proved(evidence, target, host, elsewhere),
        own_resolver=any(_is_the_networks(each, evidence) for each in own),
        truthful=_truthful(measurement, own),
        silent_twice=evidence.earlier is not None and _name_was_silent(evidence.earlier, host, family),
        at_home=location.of_name(evidence, host) is FailureLocation.HOME,
    )


def _outcome(own: Sequence[Resolution], forged: set[tuple[str, str | None]], host: str) -> str | None:
    """None when at least one of the link's own resolvers led somewhere that was worth an attempt."""
    answers = [answer for each in own if each.observation.dns for answer in each.observation.dns.answers]
    if answers:
        return "forged" if all((host, answer) in forged for answer in answers) else None
    failures = [each.observation.failure for each in own if each.observation.failure]
    return next((each for each in failures if each == NXDOMAIN), failures[0]) if failures else None


def _has_the_other_family(measurement: Measurement, host: str) -> bool:
    """Many resolvers withhold IPv6 addresses from everybody: an empty answer in one family is no denial."""
    return any(each.host == host and each.observation.failure is None for each in own_resolutions(measurement))


def _is_about(resolution: Resolution, host: str, family: int) -> bool:
    facts = resolution.observation.dns
    return resolution.host == host and facts is not None and facts.qtype == QTYPES[family]


def _others(measurement: Measurement, host: str, family: int) -> list[Resolution]:
    own = own_resolutions(measurement)
    return [each for each in measurement.resolutions if each not in own and _is_about(each, host, family)]


def given_elsewhere(evidence: Evidence, host: str, family: int) -> set[str]:
    """Addresses that an independent resolver, a later reply, or controls gave for this name."""
    return _given_by_controls(evidence, host, family) | _given_here(evidence.measurement, host, family)


def _given_by_controls(evidence: Evidence, host: str, family: int) -> set[str]:
    return {each for each in controls.addresses_given(host, evidence.controls) if _is_public(each, family)}


def _given_here(measurement: Measurement, host: str, family: int) -> set[str]:
    """By an independent resolver or a later reply, over this very line.

    A hijacker of plain DNS speaks for both, so what was said in TLS, by a resolver that showed its certificate, is
    believed alone where there is any.
    """
    in_tls = _given_in_tls(measurement, host, family)
    if in_tls:
        return in_tls
    facts = [each.observation.dns for each in measurement.resolutions if each.host == host and each.observation.dns]
    others = [each.observation.dns for each in _others(measurement, host, family) if each.observation.dns]
    given = {address for each in facts for address in each.late} | {a for each in others for a in each.answers}
    return {each for each in given if _is_public(each, family)}


def _given_in_tls(measurement: Measurement, host: str, family: int) -> set[str]:
    asked = [each for each in _others(measurement, host, family) if not is_in_clear(each)]
    given = {address for each in asked if each.observation.dns for address in each.observation.dns.answers}
    return {each for each in given if _is_public(each, family)}


def _is_public(address: str, family: int) -> bool:
    try:
        return family_of(address) == family and not is_private(address)
    except ValueError:
        return False  # an rcode, or `self`


def _is_injected(resolution: Resolution, forged: set[tuple[str, str | None]]) -> bool:
    """One query, sent once, drew first a denial or an address that is not the service's, then a public one.

    A query that was sent again may fairly draw two replies, and two public answers may both be a CDN's.
    """
    facts = resolution.observation.dns
    if facts is None or not facts.late or facts.sends > 1:
        return False
    family = next(family for family, qtype in QTYPES.items() if qtype == facts.qtype)
    may_be_its_own = any(_is_public(each, family) and (resolution.host, each) not in forged for each in facts.answers)
    return not may_be_its_own and any(_is_public(each, family) for each in facts.late)


def forged_addresses(evidence: Evidence, target: Target) -> set[tuple[str, str | None]]:
    """(host, address) that the link's own resolver gave, that others contradict, and that is not the service's.

    Not the service's: an address that no public service can have, or one that presents a certificate that is not
    valid for the name. An address that merely stays silent may be a CDN's and is judged as an address.
    """
    return {
        (host, address)
        for host in {each.host for each in own_resolutions(evidence.measurement)}
        for family in QTYPES
        for address in _own_answers(evidence.measurement, host, family)
        if _is_contradicted(evidence, host, family, address) and _is_not_the_service(evidence, target, host, address)
    }


def _is_contradicted(evidence: Evidence, host: str, family: int, address: str) -> bool:
    """Controls give other addresses; without any control's, an independent resolver does."""
    genuine = _given_by_controls(evidence, host, family) or _given_here(evidence.measurement, host, family)
    return bool(genuine) and address not in genuine


def _own_answers(measurement: Measurement, host: str, family: int) -> list[str]:
    return [
        answer
        for each in own_resolutions(measurement)
        if _is_about(each, host, family) and each.observation.dns
        for answer in each.observation.dns.answers
    ]


def _is_not_the_service(evidence: Evidence, target: Target, host: str, address: str) -> bool:
    """Where an independent resolver agrees, only a certificate that no public authority signed tells it.

    An edge of a CDN that is set up wrongly presents another customer's, genuine one; so may a server that was asked
    for a certificate only as an experiment.
    """
    measurement = evidence.measurement
    attempts = [each for each in measurement.attempts if (each.host, each.address) == (host, address)]
    if any(is_positive(each, one) and each.handshake != "tcp" for each in attempts for one in target.endpoints):
        return False
    if address == "self" or is_private(address):
        return True
    agreed = address in _given_here(measurement, host, family_of(address))
    last = [each.observations[-1] for each in attempts if each.observations]
    if not agreed and any(_is_a_web_servers(each) for each in last) and _is_met_elsewhere(measurement, target, host):
        return True
    if any(each.failure in CERTIFICATE_FAILURES for each in measurement.link.neutrals):
        return False  # whoever replaces neutral names' certificates replaces them at every address
    return any(_shows_anothers_certificate(each, measurement, target, agreed) for each in attempts)


def _shows_anothers_certificate(attempt: Attempt, measurement: Measurement, target: Target, agreed: bool) -> bool:
    if not any(is_of(attempt, one) for one in target.endpoints):  # an experiment
        others = [each for each in measurement.attempts if each.host == attempt.host and each.via is not Via.SYSTEM]
        return _failed_with(attempt, TLS_AUTHORITY) and not any(_failed_with(each, TLS_AUTHORITY) for each in others)
    return _failed_with(attempt, TLS_AUTHORITY) or (_failed_with(attempt, TLS_HOSTNAME) and not agreed)


def _failed_with(attempt: Attempt, failure: str) -> bool:
    return bool(attempt.observations) and attempt.observations[-1].failure == failure


def _is_a_web_servers(observation: Observation) -> bool:
    """HTTP, in answer to a messenger's own protocol."""
    return observation.failure == UNEXPECTED_REPLY and observation.http is not None


def _is_met_elsewhere(measurement: Measurement, target: Target, host: str) -> bool:
    """From this very line, at another address: so nobody on the way answers for every address."""
    return any(
        each.host == host and each.handshake != "tcp" and is_positive(each, one)
        for each in measurement.attempts
        for one in target.endpoints
        if is_of(each, one)
    )


def _proved(evidence: Evidence, target: Target, host: str, elsewhere: set[str]) -> bool:
    endpoints = [endpoint for endpoint in target.endpoints if endpoint.host == host]
    failed = controls.failure_span(evidence)
    if any(controls.of_endpoint(endpoint, evidence.controls, failed) is Control.ALIVE for endpoint in endpoints):
        return True
    return any(
        attempt.host == host and attempt.address in elsewhere and is_positive(attempt, endpoint)
        for attempt in evidence.measurement.attempts
        for endpoint in endpoints
    )


def _is_the_networks(resolution: Resolution, evidence: Evidence) -> bool:
    """A public resolver without a well-known name is taken for the network's, unless it is known to lie in another."""
    facts = resolution.observation.dns
    if facts is None or facts.resolver != "isp":
        return False
    network = evidence.networks.get(facts.resolver_prefix or "")
    return network is None or network.asn == 0 or evidence.network.asn == 0 or network.asn == evidence.network.asn


def _truthful(measurement: Measurement, own: Sequence[Resolution]) -> bool | None:
    asked = {each.observation.dns.resolver for each in own if each.observation.dns}
    said = [each.truthful for each in measurement.link.resolvers if each.resolver in asked]
    return False if False in said else True if True in said else None


def _name_was_silent(earlier: Measurement, host: str, family: int) -> bool:
    asked = [each for each in own_resolutions(earlier) if _is_about(each, host, family)]
    return bool(asked) and all(each.observation.failure == TIMEOUT for each in asked)
