"""Cases of attempts: what bears on one attempt, worked out when asked, so that a rule reads as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from msgspec import Struct

from probe.addresses import family_of, prefix_of
from probe.attempts import BARE_ACCEPT, is_answered, is_of
from probe.failure import BROKEN_OFF, CERTIFICATE_FAILURES, is_own, is_transient
from probe.grades import is_positive
from probe.judge import location
from probe.judge.attempt import certificates, dialogues, ports, rounds
from probe.judge.control_answers import issuer_of, leaf_of
from probe.judge.evidence import NEIGHBOURS_FLOOR, NOBODY, Evidence, Neighbours, failure_span
from probe.judge.in_time import Control, FailureSpan
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


class AttemptCase(Struct, frozen=True, kw_only=True, dict=True):
    """One attempt with one address, and what bears on it, each worked out when a rule first asks.

    So the first rule that matches is also all that a verdict rests on: what was not asked cannot change it.
    """

    evidence: Evidence
    target: Target
    attempt: Attempt
    endpoint: Endpoint

    # --- The attempt itself

    @property
    def legacy(self) -> bool:
        """Of a service that has closed."""
        return self.target.legacy

    @cached_property
    def last(self) -> Observation | None:
        """The step at which it ended."""
        return self.attempt.observations[-1] if self.attempt.observations else None

    @property
    def failure(self) -> str | None:
        return self.last.failure if self.last else None

    @property
    def step(self) -> Step | None:
        return self.last.step if self.last else None

    @cached_property
    def family(self) -> int | None:
        return family_of(self.attempt.address) if self.attempt.address else None

    @cached_property
    def complete(self) -> bool:
        """The service answered as itself."""
        return is_positive(self.attempt, self.endpoint) and not _is_bare_accept(self._measurement, self.attempt)

    # --- Elsewhere

    @cached_property
    def control(self) -> Control:
        """In the attempt's own family, nearest in time."""
        return self.evidence.controls.of_endpoint(self.endpoint, self._span, self.family)

    @cached_property
    def family_controlled(self) -> bool:
        """A control tried it in this family, or none did in either."""
        controls = self.evidence.controls
        return controls.tried(self.endpoint, self.family) or not controls.tried(self.endpoint)

    @cached_property
    def outage_reported(self) -> bool:
        """By the service itself, to a control."""
        return self.evidence.controls.report_outage(self.target.outage, self._span)

    @cached_property
    def calibrated(self) -> bool:
        return not self.endpoint.uncalibrated or self.evidence.calibrating.reached(self.endpoint)

    @cached_property
    def answered_elsewhere(self) -> bool:
        """This very address answered a control, or another network of the country."""
        answered = self.evidence.controls.answered_at(self.endpoint, self.attempt.address, self._span)
        return answered or self.neighbours.reached >= NEIGHBOURS_FLOOR

    @cached_property
    def same_leaf_elsewhere(self) -> bool:
        """A control was shown the same certificate."""
        return self.evidence.controls.were_shown(self.endpoint, leaf_of(self.last))

    @cached_property
    def same_issuer_elsewhere(self) -> bool:
        """A control got through with another certificate of the same issuer."""
        return self.evidence.controls.got_through_by(self.endpoint, issuer_of(self.last))

    @cached_property
    def neighbours(self) -> Neighbours:
        """Lines of other operators in the country, at this very address."""
        return self.evidence.neighbours.get(self.attempt.address or "", NOBODY)

    @cached_property
    def prefix_reached(self) -> bool:
        """This line reached another address of the same announced prefix or AS in this cycle."""
        return _is_prefix_reached(self.evidence, self.attempt.address)

    # --- In round 1

    @cached_property
    def before(self) -> tuple[Attempt, ...]:
        """At the same endpoint, in the same family."""
        return rounds.before(self.evidence, self.attempt)

    @cached_property
    def failed_twice(self) -> bool:
        """In round 1 nothing was got at this endpoint either."""
        earlier = self.evidence.earlier
        return earlier is not None and _had_failed(earlier, self._measurement, self.attempt)

    @cached_property
    def opened_before(self) -> bool:
        """In round 1 the TCP connection to this address was accepted."""
        earlier = self.evidence.earlier
        return earlier is not None and _had_opened(earlier, self.attempt)

    @cached_property
    def dialect_passed_before(self) -> bool:
        return rounds.passed_in_a_dialect(self.evidence.earlier, self.attempt, self.endpoint)

    @cached_property
    def broken_off_twice(self) -> bool:
        """In round 1 the connection to this address was broken off at the same step."""
        earlier = self.evidence.earlier
        return earlier is not None and _was_broken_off(earlier, self.attempt)

    # --- On this link

    @cached_property
    def trust_store_old(self) -> bool:
        """The roots may be older than the authority; also where their date is not known."""
        return certificates.may_be_too_old(self._measurement)

    @cached_property
    def family_usable(self) -> bool:
        return _family_usable(self._measurement, self.attempt)

    @cached_property
    def neutral_passed(self) -> bool:
        return any(each.failure is None for each in self._neutrals)

    @cached_property
    def ports_closed(self) -> bool:
        """Over TCP neutrals passed on the web's ports alone, and this is another one; or the reverse."""
        return ports.are_closed(_comparable(self._measurement, self.attempt, self.last), self.attempt)

    @cached_property
    def neutral_port_dead(self) -> bool:
        """Neutrals on the same port failed, others of the kind passed."""
        return _port_dead(self._neutrals, self.attempt.port)

    @cached_property
    def udp_dead(self) -> bool:
        """Every neutral service over UDP failed but DNS, and neutral TLS passed."""
        return _is_udp_dead(self._measurement, self.attempt)

    @cached_property
    def udp_beyond_home(self) -> bool:
        """A datagram that was no DNS was seen by a router at or beyond the first public hop."""
        return location.passes_home_over_udp(self.evidence, self.attempt)

    @cached_property
    def stun_dead(self) -> bool:
        """Every neutral STUN server failed, on several ports or hosts, and other UDP than DNS passed."""
        return _is_stun_dead(self._measurement, self.attempt)

    @cached_property
    def neutral_altered(self) -> bool:
        """A neutral name's certificate was replaced too."""
        return any(each.failure in CERTIFICATE_FAILURES for each in self._measurement.link.neutrals)

    @cached_property
    def equal_passed(self) -> bool:
        """A neutral over the same carrier finished a handshake of as many flights."""
        return dialogues.equal_passed(self._measurement, self.attempt)

    @cached_property
    def loss_seen(self) -> bool:
        """Neutrals had to say something again, or failed, in this round or the one before."""
        return dialogues.loss_seen(self.evidence, self.attempt, _neutrals)

    @property
    def clock_measured(self) -> bool:
        return self._measurement.clock_offset_ms is not None

    # --- At the same address

    @cached_property
    def answered_beside(self) -> frozenset[str]:
        """Handshakes answered at the same address and port, over the same transport."""
        return _answered_beside(self._measurement, self.attempt)

    @cached_property
    def dialect_passed(self) -> bool:
        """The same request in other bytes was answered properly at the same address and port."""
        return rounds.passed_in_a_dialect(self._measurement, self.attempt, self.endpoint)

    @cached_property
    def tcp_passed(self) -> bool:
        """A TCP connection to the same address was accepted."""
        return any(_connected(each, self.attempt.address) for each in self._measurement.attempts)

    @cached_property
    def udp_passed(self) -> bool:
        """Anything over UDP at the same address was answered."""
        return any(_answers_udp(each, self.attempt.address) for each in self._measurement.attempts)

    @cached_property
    def other_transport_passed(self) -> bool:
        """The same address and port answered over another transport."""
        return any(_is_other_transport_beside(each, self.attempt) for each in self._measurement.attempts)

    # --- On the path

    @cached_property
    def location(self) -> FailureLocation | None:
        """Where on the path it dies, if that is known."""
        return location.of_attempt(self.evidence, self.attempt, self.last)

    @cached_property
    def dies_beside_a_neighbour(self) -> bool:
        """In the line's own network, where another packet to its prefix goes on."""
        return location.dies_beside_a_neighbour(self.evidence, self.attempt, self.last)

    @property
    def _measurement(self) -> Measurement:
        return self.evidence.measurement

    @cached_property
    def _span(self) -> FailureSpan:
        return failure_span(self.evidence)

    @cached_property
    def _neutrals(self) -> list[Neutral]:
        return _neutrals(self._measurement, self.attempt, self.last)


def attempt_cases(evidence: Evidence, target: Target, names: Names) -> list[AttemptCase]:
    """A case for each attempt that stands for a path that an app would take."""
    measurement = evidence.measurement
    false = names.false_leads()
    return [
        AttemptCase(evidence=evidence, target=target, attempt=attempt, endpoint=endpoint)
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
    others = {*own, *evidence.reached} - {address}
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
