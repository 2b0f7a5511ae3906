"""What was said about a target's names, worked out once for a piece of evidence: by whom, and what of it is a lie.

A resolver's answer is held against what others give: controls, independent resolvers asked in TLS, and, only where
there is none of those, independent ones asked in the clear, for whom a hijacker of plain DNS speaks as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from probe.addresses import QTYPES, family_of, is_address, is_private
from probe.failure import DNS_MISBEHAVING, DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, is_own
from probe.judge.evidence import Evidence, failure_span
from probe.judge.name.forgery import SELF, is_forged, is_suspect, leads_astray, met
from probe.judge.name.resolvers import Said, own_resolutions, read, resolver_key
from probe.model import Target

Place = tuple[str, int]  # a host in one family
Lead = tuple[str, str | None]  # a host, and an address that was given for it


class Trouble(StrEnum):
    """How an answer, or its absence, kept an app from the service."""

    FORGED = "forged"
    ASTRAY = "astray"  # led to an address that is dead, and may be the service's
    DENIED = "denied"
    FAILED = "failed"
    SILENT = "silent"
    OURS = "ours"  # nobody's: this device was interrupted, or at fault itself
    OTHER = "other"


LIES = frozenset({Trouble.FORGED, Trouble.ASTRAY, Trouble.DENIED})
TROUBLES = {
    NXDOMAIN: Trouble.DENIED,
    NO_ANSWER: Trouble.DENIED,
    SERVFAIL: Trouble.FAILED,
    DNS_REFUSED: Trouble.FAILED,
    DNS_MISBEHAVING: Trouble.FAILED,
    TIMEOUT: Trouble.SILENT,
}
DENIALS = frozenset(failure for failure, trouble in TROUBLES.items() if trouble in (Trouble.DENIED, Trouble.FAILED))


class Given(Struct, frozen=True, kw_only=True, dict=True):
    """The public addresses that are known of one name in one family, by who gave them.

    What controls were given is asked of them when it matters first.
    """

    evidence: Evidence
    host: str
    family: int
    in_tls: frozenset[str]  # by independent resolvers that showed their certificate
    in_clear: frozenset[str]  # by independent ones, or in a later reply
    met: frozenset[str]  # the service answered this line there

    @cached_property
    def by_controls(self) -> frozenset[str]:
        return self.evidence.controls.addresses_given(self.host, self.family)

    @cached_property
    def still(self) -> frozenset[str]:
        """By controls, nearest in time."""
        return self.evidence.controls.addresses_still_given(self.host, self.family, failure_span(self.evidence))

    @property
    def here(self) -> frozenset[str]:
        """Over this very line. What was said in TLS is believed alone where there is any."""
        return self.in_tls or self.in_clear

    @property
    def elsewhere(self) -> frozenset[str]:
        return self.by_controls | self.here

    @property
    def now(self) -> frozenset[str]:
        """When the line asked: a name that was given up since is remembered by who asked before."""
        return self.still | self.here

    @property
    def by_anybody(self) -> frozenset[str]:
        return self.by_controls | self.in_tls | self.in_clear | self.met

    @property
    def sure(self) -> frozenset[str]:
        """By those for whom nobody on the way can speak."""
        return self.by_controls | self.in_tls | self.met


class Names(Struct, frozen=True, kw_only=True):
    """One measurement's names, as far as the link's own resolvers were asked about them."""

    own: tuple[Said, ...]  # by the link's own resolvers, in the clear
    others: tuple[Said, ...]  # by independent ones
    given: Mapping[Place, Given]
    forged: frozenset[Lead]
    astray: frozenset[Lead]
    untruthful: frozenset[tuple[str, int]]  # those of the link's own resolvers that are wrong about neutral names

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(host for host, _ in self.given)

    def trouble(self, said: Said) -> Trouble | None:
        """None where it led to an address that was worth an attempt."""
        leads = {(said.host, answer) for answer in said.facts.answers}
        if leads:
            led_on = not leads <= self.forged | self.astray
            return None if led_on else Trouble.FORGED if leads <= self.forged else Trouble.ASTRAY
        failure = said.observation.failure
        if is_own(failure):
            return Trouble.OURS
        found = TROUBLES.get(failure, Trouble.OTHER) if failure else None
        return Trouble.OTHER if found is Trouble.SILENT and said.facts.unmatched else found

    def is_raced(self, said: Said) -> bool:
        """One query, sent once, drew first a denial or an address that nobody else was given, then another.

        A query that was sent again may fairly draw two replies, and two answers that lead on may both be a CDN's. Where
        the first may be the service's own, and dead, the later one must be known for the service's.
        """
        first, given = self.trouble(said), self.given[said.host, said.family]
        if first is None or said.facts.sends > 1:
            return False
        later = _public(said.facts.late, said.family)
        return bool(later & given.sure if first is Trouble.ASTRAY else later)

    def contradicts_itself(self, place: Place) -> bool:
        """An independent resolver says in TLS what leads to the service, and in the clear, in its name, somebody else.

        What it says in TLS is its own, so in the clear somebody answers for it on the way.
        """
        about = [each for each in self.others if (each.host, each.family) == place]
        told = {each.resolver.name for each in about if each.in_tls and self.given[place].met & {*each.facts.answers}}
        return any(each.resolver.name in told and self.trouble(each) in LIES for each in about if not each.in_tls)

    def is_a_lie(self, said: Said) -> bool:
        """Seen in another way than that the address is dead: of who lies about neutral names, everything is."""
        untruthful = resolver_key(said.resolver) in self.untruthful
        return untruthful or self.is_raced(said) or self.contradicts_itself((said.host, said.family))

    def others_are_lied_to(self, place: Place) -> bool:
        """An independent resolver's name was used for a lie, or a race, too."""
        about = [each for each in self.others if (each.host, each.family) == place and not each.in_tls]
        return any(self.trouble(each) in LIES or self.is_raced(each) for each in about)

    def false_leads(self) -> frozenset[Lead]:
        """Where no attempt says anything about the service: forged, or led astray to by what else shows to be a lie."""
        lies = [each for each in (*self.own, *self.others) if not each.in_tls and self.is_a_lie(each)]
        return self.forged | (self.astray & {(each.host, answer) for each in lies for answer in each.facts.answers})


def names_of(evidence: Evidence, target: Target) -> Names:
    """What the measurement itself, and those who measured the same elsewhere, say of the target's names."""
    resolutions = own_resolutions(evidence.measurement)
    own = read(resolutions)
    hosts = dict.fromkeys(each.host for each in own)
    others = [each for each in read(evidence.measurement.resolutions, beside=resolutions) if each.host in hosts]
    given = {(host, family): _given(evidence, target, host, family, own, others) for host in hosts for family in QTYPES}
    return Names(
        own=tuple(own),
        others=tuple(others),
        given=given,
        forged=_forged(evidence, target, own, given),
        astray=_astray(evidence, target, (*own, *others), given),
        untruthful=frozenset(
            (each.resolver, each.index) for each in evidence.measurement.link.resolvers if each.truthful is False
        ),
    )


def _given(
    evidence: Evidence, target: Target, host: str, family: int, own: Iterable[Said], others: Iterable[Said]
) -> Given:
    independent = [each for each in others if (each.host, each.family) == (host, family)]
    late = [address for each in own if (each.host, each.family) == (host, family) for address in each.facts.late]
    in_tls = [address for each in independent if each.in_tls for address in each.facts.answers]
    in_clear = [address for each in independent if not each.in_tls for address in _last_word(each)]
    return Given(
        evidence=evidence,
        host=host,
        family=family,
        in_tls=_public(in_tls, family),
        in_clear=_public((*late, *in_clear), family),
        met=_public(met(evidence.measurement, target, host), family),
    )


def _last_word(said: Said) -> Sequence[str]:
    """The first of two replies is whoever was faster's."""
    return said.facts.late if _public(said.facts.late, said.family) else said.facts.answers


def _forged(evidence: Evidence, target: Target, own: Iterable[Said], given: Mapping[Place, Given]) -> frozenset[Lead]:
    """Of what the link's own resolvers gave: controls give other addresses; without any control's, a resolver does."""
    return frozenset(
        (host, answer)
        for host, family, answer in _leads(own)
        if is_suspect(evidence.measurement, host, answer) and answer not in (known := given[host, family]).met
        if answer not in (expected := known.by_controls or known.here) and expected
        if is_forged(evidence, target, host, answer, known.elsewhere, agreed=answer in known.here)
    )


def _astray(evidence: Evidence, target: Target, said: Iterable[Said], given: Mapping[Place, Given]) -> frozenset[Lead]:
    return frozenset(
        (host, answer)
        for host, family, answer in _leads(each for each in said if not each.in_tls)
        if is_suspect(evidence.measurement, host, answer) and answer not in given[host, family].met
        if (sure := given[host, family].sure) and answer not in sure
        if leads_astray(evidence, target, host, answer, sure)
    )


def _leads(said: Iterable[Said]) -> set[tuple[str, int, str]]:
    """Host, family and address; a stranger's record may have any text for an address."""
    given = {(each.host, each.family, answer) for each in said for answer in each.facts.answers}
    return {lead for lead in given if lead[2] == SELF or is_address(lead[2])}


def _public(addresses: Iterable[str], family: int) -> frozenset[str]:
    """Without codes of DNS, and what stands for an address of the volunteer's own."""
    return frozenset(
        each for each in addresses if is_address(each) and family_of(each) == family and not is_private(each)
    )
