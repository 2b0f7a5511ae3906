"""Cases of name resolution: one per host, family and resolver of the link's own that failed or forged.

Who said it is who is accused: what one resolver says is never laid to another. Trouble in one family that an app would
not notice is no case; a lie in one family is one, whatever the other does.
"""

from __future__ import annotations

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
from probe.judge.name.view import DENIALS, LIES, Names, Trouble, names_of
from probe.model import Target


class NameCase(Struct, frozen=True, kw_only=True):
    """One host in one family, which one of the link's own resolvers failed or forged."""

    host: str
    family: int
    resolver: ResolverId
    legacy: bool  # of a service that has closed
    trouble: Trouble
    raced: bool  # the first of two different replies to one query was the wrong one
    told_otherwise: bool  # an independent resolver's name was used for a lie that it contradicts in TLS
    others_lied_to: bool  # whoever asked an independent resolver in the clear met a lie as well
    twice: bool  # the same trouble in round 1, with this resolver
    exists: bool  # somebody else resolves it, nearest in time
    control: Control  # of the name
    disputed: (
        bool  # in as many of the controls' networks it does not resolve as it does, or a resolver denies it in TLS
    )
    proved: bool  # an address given elsewhere completed a handshake from this line, or the service lives for controls
    fails_elsewhere: bool  # others' resolvers fail for it as well: its zone may be broken
    other_family: bool  # this resolver leads on in the other family, and the service was met there
    owner: Owner
    enough_lines: bool  # use this resolver, as far as that was counted
    truthful: bool | None  # this resolver, about neutral names
    location: FailureLocation | None  # where the answer comes from, or the question dies

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
    earlier = _names_before(evidence, target, names)
    dialled = {endpoint.host for endpoint in target.endpoints}
    return [
        _name_case(evidence, target, names, earlier, said)
        for said in dict.fromkeys(names.own)
        if said.host in dialled and _is_noticed(said, names)
    ]


def _names_before(evidence: Evidence, target: Target, names: Names) -> Names | None:
    """Of the first round. What proved to be a lie in the second was one in the first."""
    if evidence.earlier is None:
        return None
    before = names_of(replace(evidence, measurement=evidence.earlier, earlier=None), target)
    return replace(before, forged=before.forged | names.forged, astray=before.astray | names.astray)


def _is_noticed(said: Said, names: Names) -> bool:
    """It is a lie, or it kept the app from a name that nothing else led on from.

    Many resolvers withhold, or deny, one family from everybody; an app takes the other then. Where nobody leads
    anywhere there is one case for the host, whatever its families would have been.
    """
    trouble = names.trouble(said)
    if trouble is None or (trouble is Trouble.ASTRAY and not names.is_a_lie(said)):
        return False
    if trouble in (Trouble.FORGED, Trouble.ASTRAY) or names.is_raced(said):
        return True
    families = _answers_by_family(said, names)
    if any(names.trouble(each) in (None, Trouble.ASTRAY) for each in families):
        return False
    given = [each.family for each in families if names.given[said.host, each.family].now]
    return said.family in (given or [min(each.family for each in families)])


def _answers_by_family(said: Said, names: Names) -> list[Said]:
    """What the same resolver said about the same host, this among it."""
    return [each for each in names.own if (each.host, each.resolver) == (said.host, said.resolver)]


def _name_case(evidence: Evidence, target: Target, names: Names, earlier: Names | None, said: Said) -> NameCase:
    place = said.host, said.family
    trouble = names.trouble(said)
    assert trouble is not None
    control = evidence.controls.of_name(said.host, failure_span(evidence))
    return NameCase(
        host=said.host,
        family=said.family,
        resolver=said.resolver,
        legacy=target.legacy,
        trouble=trouble,
        raced=names.is_raced(said),
        told_otherwise=names.contradicts_itself(place),
        others_lied_to=names.others_are_lied_to(place),
        twice=earlier is not None and _was_before(said, trouble, names.is_raced(said), earlier),
        exists=bool(names.given[place].now),
        control=control,
        disputed=control is Control.DISAGREE or _is_denied_elsewhere(evidence, names, said.host, control),
        proved=_proved(evidence, target, said.host, names.given[place].by_anybody),
        fails_elsewhere=_fails_elsewhere(evidence, names, said.host),
        other_family=_is_met_in_the_other_family(said, names),
        owner=owner_of(said.resolver, evidence),
        enough_lines=serves_enough_lines(said.resolver, evidence),
        truthful=_truthful(evidence, said.resolver),
        location=location.of_name(evidence, said.host),
    )


def _was_before(said: Said, trouble: Trouble, raced: bool, earlier: Names) -> bool:
    """The same resolver did the same to the same question: to race it is another thing than to deny it."""
    asked = [each for each in earlier.own if _question(each) == _question(said)]
    return any(earlier.is_raced(each) if raced else earlier.trouble(each) is trouble for each in asked)


def _question(said: Said) -> tuple[str, int, ResolverId]:
    return said.host, said.family, said.resolver


def _proved(evidence: Evidence, target: Target, host: str, given: frozenset[str]) -> bool:
    endpoints = [endpoint for endpoint in target.endpoints if endpoint.host == host]
    failed = failure_span(evidence)
    if any(evidence.controls.of_endpoint(each, failed) is Control.ALIVE for each in endpoints):
        return True
    return any(
        attempt.host == host and attempt.address in given and is_positive(attempt, endpoint)
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
