"""Cases of attempts: what bears on one attempt, worked out once, so that a rule reads as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from probe.addresses import family_of, prefix_of
from probe.attempts import BARE_ACCEPT, is_answered, is_of
from probe.failure import BROKEN_OFF, CERTIFICATE_FAILURES, is_own, is_transient
from probe.grades import is_positive
from probe.judge import location
from probe.judge.attempt import certificates, dialogues, ports, rounds
from probe.judge.control_answers import issuer_of, leaf_of
from probe.judge.evidence import NOBODY, Evidence, Neighbours, failure_span
from probe.judge.in_time import Control
from probe.judge.location import FailureLocation
from probe.judge.name.resolvers import own_resolutions
from probe.judge.name.view import Names
from probe.model import (
    Attempt,
    Endpoint,
    Measurement,
    Network,
    Neutral,
    Observation,
    Step,
    Target,
    Transport,
    Via,
)
from probe.protocols import comparable_neutrals

DNS_PORT = 53
DATAGRAMS = comparable_neutrals(Step.STUN, Transport.UDP)
NEIGHBOURS_FLOOR = 2  # established lines of other operators; no single line can turn a failure into an accusation


class AttemptCase(Struct, frozen=True, kw_only=True):
    """One attempt with one address, and what bears on it."""

    attempt: Attempt
    endpoint: Endpoint
    legacy: bool  # of a service that has closed
    last: Observation | None  # the step at which it ended
    complete: bool  # the service answered as itself
    control: Control  # in the attempt's own family, nearest in time
    family_controlled: bool  # a control tried it in this family, or none did in either
    outage_reported: bool  # by the service itself, to a control
    calibrated: bool
    answered_elsewhere: bool  # this very address answered a control, or another network of the country
    same_leaf_elsewhere: bool  # a control was shown the same certificate
    same_issuer_elsewhere: bool  # a control got through with another certificate of the same issuer
    trust_store_old: bool  # the roots may be older than the authority; also where their date is not known
    before: tuple[Attempt, ...]  # round 1 at the same endpoint, in the same family
    failed_twice: bool  # in round 1 nothing was got at this endpoint either
    opened_before: bool  # in round 1 the TCP connection to this address was accepted
    family_usable: bool
    neutral_passed: bool
    ports_closed: bool  # over TCP neutrals passed on the web's ports alone, and this is another one; or the reverse
    neutral_port_dead: bool  # neutrals on the same port failed, others of the kind passed
    udp_dead: bool  # every neutral service over UDP failed but DNS, and neutral TLS passed
    udp_beyond_home: bool  # a datagram that was no DNS was seen by a router at or beyond the first public hop
    stun_dead: bool  # every neutral STUN server failed, on several ports or hosts, and other UDP than DNS passed
    neutral_altered: bool  # a neutral name's certificate was replaced too
    answered_beside: frozenset[str]  # handshakes answered at the same address and port, over the same transport
    dialect_passed: bool  # the same request in other bytes was answered properly at the same address and port
    dialect_passed_before: bool  # in round 1 too
    equal_passed: bool  # a neutral over the same carrier finished a handshake of as many flights
    loss_seen: bool  # neutrals had to say something again, or failed, in this round or the one before
    broken_off_twice: bool  # in round 1 the connection to this address was broken off at the same step
    tcp_passed: bool  # a TCP connection to the same address was accepted
    udp_passed: bool  # anything over UDP at the same address was answered
    clock_measured: bool
    location: FailureLocation | None  # where on the path it dies, if that is known
    dies_beside_a_neighbour: bool  # in the line's own network, where another packet to its prefix goes on
    other_transport_passed: bool  # the same address and port answered over another transport
    neighbours: Neighbours  # lines of other operators in the country, at this very address
    prefix_reached: bool  # this line reached another address of the same announced prefix or AS in this cycle

    @property
    def failure(self) -> str | None:
        return self.last.failure if self.last else None

    @property
    def step(self) -> Step | None:
        return self.last.step if self.last else None


def attempt_cases(evidence: Evidence, target: Target, names: Names) -> list[AttemptCase]:
    """A case for each attempt that stands for a path that an app would take."""
    measurement = evidence.measurement
    false = names.false_leads()
    return [
        _attempt_case(evidence, target, attempt, endpoint)
        for attempt in _app_attempts(measurement)
        for endpoint in target.endpoints
        if is_of(attempt, endpoint) and (attempt.host, attempt.address) not in false
    ]


def _app_attempts(measurement: Measurement) -> list[Attempt]:
    """Those that an app would have made: at addresses that the link's own resolver gave, where it was asked."""
    asked = {each.host for each in own_resolutions(measurement)}
    return [
        each
        for each in measurement.attempts
        if each.via is not Via.ALSO and not (each.via is Via.INDEPENDENT and each.host in asked)
    ]


def _attempt_case(evidence: Evidence, target: Target, attempt: Attempt, endpoint: Endpoint) -> AttemptCase:
    last = attempt.observations[-1] if attempt.observations else None
    neutrals = _neutrals(evidence.measurement, attempt, last)
    neighbours = evidence.neighbours.get(attempt.address or "", NOBODY)
    controls, failed = evidence.controls, failure_span(evidence)
    family = family_of(attempt.address) if attempt.address else None
    return AttemptCase(
        attempt=attempt,
        endpoint=endpoint,
        legacy=target.legacy,
        last=last,
        complete=is_positive(attempt, endpoint) and not _is_bare_accept(evidence.measurement, attempt),
        control=controls.of_endpoint(endpoint, failed, family),
        family_controlled=controls.tried(endpoint, family) or not controls.tried(endpoint),
        outage_reported=controls.report_outage(target.outage, failed),
        calibrated=not endpoint.uncalibrated or evidence.calibrating.reached(endpoint),
        answered_elsewhere=neighbours.reached >= NEIGHBOURS_FLOOR
        or controls.answered_at(endpoint, attempt.address, failed),
        same_leaf_elsewhere=controls.were_shown(endpoint, leaf_of(last)),
        same_issuer_elsewhere=controls.got_through_by(endpoint, issuer_of(last)),
        trust_store_old=certificates.may_be_too_old(evidence.measurement),
        before=rounds.before(evidence, attempt),
        failed_twice=evidence.earlier is not None and _had_failed(evidence.earlier, evidence.measurement, attempt),
        opened_before=evidence.earlier is not None and _had_opened(evidence.earlier, attempt),
        family_usable=_family_usable(evidence.measurement, attempt),
        neutral_passed=any(each.failure is None for each in neutrals),
        ports_closed=ports.are_closed(_comparable(evidence.measurement, attempt, last), attempt),
        neutral_port_dead=_port_dead(neutrals, attempt.port),
        udp_dead=_is_udp_dead(evidence.measurement, attempt),
        udp_beyond_home=location.passes_home_over_udp(evidence, attempt),
        stun_dead=_is_stun_dead(evidence.measurement, attempt),
        neutral_altered=any(each.failure in CERTIFICATE_FAILURES for each in evidence.measurement.link.neutrals),
        answered_beside=_answered_beside(evidence.measurement, attempt),
        dialect_passed=rounds.passed_in_a_dialect(evidence.measurement, attempt, endpoint),
        dialect_passed_before=rounds.passed_in_a_dialect(evidence.earlier, attempt, endpoint),
        equal_passed=dialogues.equal_passed(evidence.measurement, attempt),
        loss_seen=dialogues.loss_seen(evidence, attempt, _neutrals),
        broken_off_twice=evidence.earlier is not None and _was_broken_off(evidence.earlier, attempt),
        tcp_passed=any(_connected(each, attempt.address) for each in evidence.measurement.attempts),
        udp_passed=any(_answers_udp(each, attempt.address) for each in evidence.measurement.attempts),
        clock_measured=evidence.measurement.clock_offset_ms is not None,
        location=location.of_attempt(evidence, attempt, last),
        dies_beside_a_neighbour=location.dies_beside_a_neighbour(evidence, attempt, last),
        other_transport_passed=any(_is_other_transport_beside(each, attempt) for each in evidence.measurement.attempts),
        neighbours=neighbours,
        prefix_reached=_is_prefix_reached(evidence, attempt.address),
    )


def _answered_beside(measurement: Measurement, attempt: Attempt) -> frozenset[str]:
    """Other handshakes, experiments too. One path never stands for another over another transport."""
    place = attempt.address, attempt.port, attempt.transport
    others = (each for each in measurement.attempts if each.handshake != attempt.handshake)
    answered = (each for each in others if each.grade is not None)
    return frozenset(each.handshake for each in answered if (each.address, each.port, each.transport) == place)


def _connected(other: Attempt, address: str | None) -> bool:
    opened = any(each.step is Step.TCP and each.failure is None for each in other.observations)
    return other.address == address and opened


def _is_other_transport_beside(other: Attempt, attempt: Attempt) -> bool:
    same = (other.address, other.port) == (attempt.address, attempt.port)
    return same and other.transport is not attempt.transport and other.grade is not None


def _is_prefix_reached(evidence: Evidence, address: str | None) -> bool:
    own = {each.address for each in evidence.measurement.attempts if each.grade is not None and each.address}
    others = (own | evidence.reached) - {address}
    return address is not None and any(_are_together(address, other, evidence) for other in others)


def _are_together(address: str, other: str, evidence: Evidence) -> bool:
    """In one announced prefix, of which the longest are a /24 and a /48, or in one AS, where that is known."""
    prefix, others = prefix_of(address), prefix_of(other)
    asn = evidence.networks.get(prefix, Network()).asn
    return prefix == others or (asn != 0 and asn == evidence.networks.get(others, Network()).asn)


def _answers_udp(other: Attempt, address: str | None) -> bool:
    return other.address == address and other.transport is Transport.UDP and other.grade is not None


def _neutrals(measurement: Measurement, attempt: Attempt, last: Observation | None) -> list[Neutral]:
    """Those that the attempt is compared with: over TCP on like ports, where there are any."""
    return ports.alike(_comparable(measurement, attempt, last), attempt)


def _comparable(measurement: Measurement, attempt: Attempt, last: Observation | None) -> list[Neutral]:
    """The neutral attempts of the same kind and family; one whose certificate was replaced still connected."""
    kinds = comparable_neutrals(last.step, attempt.transport) if last else frozenset()
    family = family_of(attempt.address) if attempt.address else None
    kind = [each for each in _listened_to(measurement) if each.handshake in kinds and each.family == family]
    return [each for each in kind if each.handshake != "http" or each.transport is Transport.TCP]  # a page in clear


def _listened_to(measurement: Measurement) -> list[Neutral]:
    return [each for each in measurement.link.neutrals if not is_own(each.failure)]


def _port_dead(neutrals: Sequence[Neutral], port: int) -> bool:
    same = [each for each in neutrals if each.port == port]
    return bool(same) and all(each.failure for each in same) and any(each.failure is None for each in neutrals)


def _is_udp_dead(measurement: Measurement, attempt: Attempt) -> bool:
    """In neither family a neutral passes over UDP, STUN or not, while TLS does in this one.

    One silent server is that server's fault; and where nothing but STUN was asked, only STUN is known to be dead.
    """
    every = _neutral_udp(measurement)
    others = any(each.handshake not in DATAGRAMS for each in every)
    tls = any(
        each.handshake == "tls" and each.failure is None for each in _in_family(_listened_to(measurement), attempt)
    )
    return tls and others and bool(_in_family(every, attempt)) and _are_dead(every)


def _is_stun_dead(measurement: Measurement, attempt: Attempt) -> bool:
    every = _neutral_udp(measurement)
    stun = [each for each in every if each.handshake in DATAGRAMS]
    others = [each for each in _in_family(every, attempt) if each.handshake not in DATAGRAMS]
    return any(each.failure is None for each in others) and bool(_in_family(stun, attempt)) and _are_dead(stun)


def _neutral_udp(measurement: Measurement) -> list[Neutral]:
    """But DNS, which a network that stops all other UDP lets pass."""
    return [each for each in _listened_to(measurement) if each.transport is Transport.UDP and each.port != DNS_PORT]


def _in_family(neutrals: Iterable[Neutral], attempt: Attempt) -> list[Neutral]:
    family = family_of(attempt.address) if attempt.address else None
    return [each for each in neutrals if each.family == family]


def _are_dead(neutrals: Sequence[Neutral]) -> bool:
    return len(neutrals) >= 2 and all(each.failure for each in neutrals)


def _family_usable(measurement: Measurement, attempt: Attempt) -> bool:
    if attempt.address is None:
        return True
    neutrals = [each for each in _listened_to(measurement) if each.family == family_of(attempt.address)]
    return not neutrals or any(map(is_answered, neutrals))


def _is_bare_accept(measurement: Measurement, attempt: Attempt) -> bool:
    """A connection was accepted, and there is doubt by whom.

    Behind no neutral one stood whom it was for, or a resolver led there that is wrong about neutral names.
    """
    neutrals = [each for each in _listened_to(measurement) if each.handshake == "tls"]
    same = [each for each in neutrals if attempt.address and each.family == family_of(attempt.address)]
    unproved = bool(same) and not any(each.failure is None for each in same)
    misled = attempt.via is Via.SYSTEM and any(each.truthful is False for each in measurement.link.resolvers)
    return attempt.handshake == BARE_ACCEPT and (unproved or misled)


def _endpoint_of(attempt: Attempt) -> tuple[str, int, Transport, str]:
    """One host and port may be dialled over several transports, and each of them is a path of its own."""
    return attempt.host, attempt.port, attempt.transport, attempt.handshake


def _had_failed(earlier: Measurement, measurement: Measurement, attempt: Attempt) -> bool:
    """Round 1 was not answered, or broken off, at this endpoint too, at each address that it tried in this family.

    Where another address of the pool passes now as well, this one's own fate in round 1 is what repeats.
    """
    tried = [each for each in _pool(earlier, attempt) if each.observations]
    if any(each.grade for each in _pool(measurement, attempt)):
        tried = [each for each in tried if each.address == attempt.address]
    return bool(tried) and all(is_transient(each.observations[-1]) for each in tried)


def _pool(measurement: Measurement, attempt: Attempt) -> list[Attempt]:
    """The attempts at the addresses of the same endpoint, in the same family."""
    same = [each for each in _app_attempts(measurement) if _endpoint_of(each) == _endpoint_of(attempt)]
    family = attempt.address and family_of(attempt.address)
    return [each for each in same if each.address and family_of(each.address) == family]


def _was_broken_off(earlier: Measurement, attempt: Attempt) -> bool:
    return any(
        each.observations[-1].step is attempt.observations[-1].step and each.observations[-1].failure in BROKEN_OFF
        for each in earlier.attempts
        if (each.address, *_endpoint_of(each)) == (attempt.address, *_endpoint_of(attempt))
        and each.observations
        and attempt.observations
    )


def _had_opened(earlier: Measurement, attempt: Attempt) -> bool:
    return any(
        observation.step is Step.TCP and observation.failure is None
        for each in earlier.attempts
        if (each.address, *_endpoint_of(each)) == (attempt.address, *_endpoint_of(attempt))
        for observation in each.observations
    )
