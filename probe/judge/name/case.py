"""Cases of name resolution: one per host, family and resolver of the link's own that failed or forged.

Who said it is who is accused: what one resolver says is never laid to another. Trouble in one family that an app would
not notice is no case; a lie in one family is one, whatever the other does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property

from msgspec import Struct
from msgspec.structs import replace

from probe.failure import NXDOMAIN, SERVFAIL
from probe.grades import is_positive
from probe.judge import location
from probe.judge.evidence import Evidence, failure_span
from probe.judge.in_time import Control
from probe.judge.location import FailureLocation
from probe.judge.name.resolvers import (
    Owner,
    ResolverId,
    Said,
    owner_of,
    serves_enough_lines,
    truthful,
)
from probe.judge.name.view import DENIALS, LIES, Given, Names, Place, Trouble, names_of
from probe.model import Target


class NameCase(Struct, frozen=True, kw_only=True, dict=True):
    """One host in one family, which one of the link's own resolvers failed or forged; worked out when a rule asks."""

    evidence: Evidence
    target: Target
    names: Names
    said: Said
    trouble: Trouble
    earlier: Callable[[], Names | None]  # of round 1, worked out once for all cases

    @property
    def host(self) -> str:
        return self.said.host

    @property
    def family(self) -> int:
        return self.said.family

    @property
    def resolver(self) -> ResolverId:
        return self.said.resolver

    @property
    def legacy(self) -> bool:
        """Of a service that has closed."""
        return self.target.legacy

    @cached_property
    def raced(self) -> bool:
        """The first of two different replies to one query was the wrong one."""
        return self.names.is_raced(self.said)

    @cached_property
    def told_otherwise(self) -> bool:
        """An independent resolver's name was used for a lie that it contradicts in TLS."""
        return self.names.contradicts_itself(self._place)

    @cached_property
    def others_lied_to(self) -> bool:
        """Whoever asked an independent resolver in the clear met a lie as well."""
        return self.names.others_are_lied_to(self._place)

    @cached_property
    def twice(self) -> bool:
        """The same trouble in round 1, with this resolver."""
        earlier = self.earlier()
        return earlier is not None and _was_before(self.said, self.trouble, self.raced, earlier)

    @cached_property
    def exists(self) -> bool:
        """Somebody else resolves it, nearest in time."""
        return bool(self._given.now)

    @cached_property
    def control(self) -> Control:
        """Of the name."""
        return self.evidence.controls.of_name(self.host, failure_span(self.evidence))

    @cached_property
    def disputed(self) -> bool:
        """In as many of the controls' networks it does not resolve as it does, or a resolver denies it in TLS."""
        disagree = self.control is Control.DISAGREE
        return disagree or _is_denied_elsewhere(self.evidence, self.names, self.host, self.control)

    @cached_property
    def proved(self) -> bool:
        """An address given elsewhere completed a handshake from this line, or the service lives for controls."""
        return _proved(self.evidence, self.target, self.host, self._given)

    @cached_property
    def fails_elsewhere(self) -> bool:
        """Others' resolvers fail for it as well: its zone may be broken."""
        return _fails_elsewhere(self.evidence, self.names, self.host)

    @cached_property
    def other_family(self) -> bool:
        """This resolver leads on in the other family, and the service was met there."""
        return _is_met_in_the_other_family(self.said, self.names)

    @cached_property
    def owner(self) -> Owner:
        return owner_of(self.resolver, self.evidence)

    @cached_property
    def enough_lines(self) -> bool:
        """Use this resolver, as far as that was counted."""
        return serves_enough_lines(self.resolver, self.evidence)

    @cached_property
    def truthful(self) -> bool | None:
        """This resolver, about neutral names."""
        return _truthful(self.evidence, self.resolver)

    @cached_property
    def location(self) -> FailureLocation | None:
        """Where the answer comes from, or the question dies."""
        return location.of_name(self.evidence, self.host)

    @property
    def _place(self) -> Place:
        return self.host, self.family

    @property
    def _given(self) -> Given:
        return self.names.given[self._place]

    @property
    def injected(self) -> bool:
        """Somebody on the way answered in a resolver's name."""
        return self.raced or (self.told_otherwise and self.trouble in LIES)

    @property
    def on_the_network(self) -> bool:
        """Who answered stands in this network: before its own resolver, or where a sweep shows it.

        Where nobody knows the network, the link is all that is spoken of: a lie in an independent resolver's name as
        well shows that it stands on the way to both.
        """
        near = self.owner is Owner.NETWORK or self.location is FailureLocation.INSIDE
        return near or (self.owner is Owner.UNKNOWN and self.others_lied_to)


def name_cases(evidence: Evidence, target: Target, names: Names) -> list[NameCase]:
    """A case for each answer of the link's own resolvers that kept an app from the service."""
    dialled = {endpoint.host for endpoint in target.endpoints}
    earlier = cache(lambda: _names_before(evidence, target, names))
    return [
        NameCase(evidence=evidence, target=target, names=names, said=said, trouble=trouble, earlier=earlier)
        for said in dict.fromkeys(names.own)
        if said.host in dialled and (trouble := _noticed(said, names)) is not None
    ]


def _names_before(evidence: Evidence, target: Target, names: Names) -> Names | None:
    """Of the first round. What proved to be a lie in the second was one in the first."""
    if evidence.earlier is None:
        return None
    before = names_of(replace(evidence, measurement=evidence.earlier, earlier=None), target)
    return replace(before, forged=before.forged | names.forged, astray=before.astray | names.astray)


def _noticed(said: Said, names: Names) -> Trouble | None:
    """What is wrong with it, where it is a lie, or kept the app from a name that nothing else led on from.

    Many resolvers withhold, or deny, one family from everybody; an app takes the other then. Where nobody leads
    anywhere there is one case for the host, whatever its families would have been.
    """
    trouble = names.trouble(said)
    if trouble is None or (trouble is Trouble.ASTRAY and not names.is_a_lie(said)):
        return None
    if trouble in (Trouble.FORGED, Trouble.ASTRAY) or names.is_raced(said):
        return trouble
    families = _answers_by_family(said, names)
    if any(names.trouble(each) in (None, Trouble.ASTRAY) for each in families):
        return None
    given = [each.family for each in families if names.given[said.host, each.family].now]
    return trouble if said.family in (given or [min(each.family for each in families)]) else None


def _answers_by_family(said: Said, names: Names) -> list[Said]:
    """What the same resolver said about the same host, this among it."""
    return [each for each in names.own if (each.host, each.resolver) == (said.host, said.resolver)]


def _was_before(said: Said, trouble: Trouble, raced: bool, earlier: Names) -> bool:
    """The same resolver did the same to the same question: to race it is another thing than to deny it."""
    asked = [each for each in earlier.own if _question(each) == _question(said)]
    return any(earlier.is_raced(each) if raced else earlier.trouble(each) is trouble for each in asked)


def _question(said: Said) -> tuple[str, int, ResolverId]:
    return said.host, said.family, said.resolver


def _proved(evidence: Evidence, target: Target, host: str, given: Given) -> bool:
    endpoints = [endpoint for endpoint in target.endpoints if endpoint.host == host]
    failed = failure_span(evidence)
    if any(evidence.controls.of_endpoint(each, failed) is Control.ALIVE for each in endpoints):
        return True
    return any(
        attempt.host == host and is_positive(attempt, endpoint) and attempt.address in given.by_anybody
        for attempt in evidence.measurement.attempts
        for endpoint in endpoints
    )


def _is_denied_elsewhere(evidence: Evidence, names: Names, host: str, control: Control) -> bool:
    """By an independent resolver itself, in TLS; or by a control, where none resolves it."""
    if any(each.in_tls and each.observation.failure == NXDOMAIN for each in names.others if each.host == host):
        return True
    resolved = control not in (Control.DOWN, Control.UNKNOWN)
    return not resolved and not DENIALS.isdisjoint(_failures_at_controls(evidence, host))


def _failures_at_controls(evidence: Evidence, host: str) -> set[str]:
    return evidence.controls.failures_of_name(host, failure_span(evidence))


def _fails_elsewhere(evidence: Evidence, names: Names, host: str) -> bool:
    """SERVFAIL is what resolvers that validate say of a zone whose signatures are broken; others resolve it.

    An independent one that fails in the clear and resolves it in TLS did not say that itself.
    """
    about = [each for each in names.others if each.host == host]
    resolve = {each.resolver.name for each in about if each.in_tls and each.observation.failure is None}
    here = {each.observation.failure for each in about if each.in_tls or each.resolver.name not in resolve}
    return SERVFAIL in here | _failures_at_controls(evidence, host)


def _is_met_in_the_other_family(said: Said, names: Names) -> bool:
    other = [each for each in _answers_by_family(said, names) if each.family != said.family]
    return any(names.given[each.host, each.family].met & {*each.facts.answers} for each in other)


def _truthful(evidence: Evidence, resolver: ResolverId) -> bool | None:
    """In both rounds, as far as both were looked at: a resolver that was down in one was silent to everybody."""
    rounds = [evidence.measurement, *([evidence.earlier] if evidence.earlier else [])]
    said = [truthful(resolver, each) for each in rounds]
    return False if False in said else said[0]
