"""The link's own resolvers: who said what, whether it tells the truth, and whose it is.

A resolver is the network's where its prefix and the line are of one operator (design, section 4, *Whose doing*), never
by default. The design asks for its egress, too, which is not measured yet: the prefix in which it was asked stands for
it, and a `private` forwarder, whose egress alone would tell, is nobody's. The collector counts the lines that use one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from probe.addresses import QTYPES
from probe.failure import is_in_clear
from probe.judge.evidence import LINES_FLOOR, Evidence
from probe.judge.operators import is_known, same_operator
from probe.model import DnsFacts, Measurement, Network, Observation, Resolution, Transport

IN_TLS = frozenset({Transport.TLS, Transport.HTTPS})
FAMILIES = {qtype: family for family, qtype in QTYPES.items()}
BY_THE_NETWORK = "isp"  # a public one without a well-known name


class Owner(StrEnum):
    NETWORK = "network"  # of the line's own operator
    OTHER = "other"  # the home's, a well-known one, another operator's, or not shown to be the network's
    UNKNOWN = "unknown"  # it may be: in whose network the line is, nobody knows, and no network can be accused


class ResolverId(Struct, frozen=True, order=True):
    """Tells the link's own resolvers apart."""

    name: str
    index: int = 0
    prefix: str | None = None


class Said(Struct, frozen=True, kw_only=True):
    """One answer, or none, of one resolver to one question."""

    resolver: ResolverId
    host: str
    family: int
    observation: Observation
    facts: DnsFacts

    @property
    def in_tls(self) -> bool:
        """Nobody on the way can have answered."""
        return self.facts.transport in IN_TLS


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


def read(resolutions: Iterable[Resolution], beside: Sequence[Resolution] = ()) -> list[Said]:
    """What was said about addresses, `beside` what is already read."""
    return [
        Said(
            resolver=ResolverId(facts.resolver, facts.resolver_index, facts.resolver_prefix),
            host=each.host,
            family=FAMILIES[facts.qtype],
            observation=each.observation,
            facts=facts,
        )
        for each in resolutions
        if each not in beside
        if (facts := each.observation.dns) is not None and facts.qtype in FAMILIES
    ]


def owner_of(resolver: ResolverId, evidence: Evidence) -> Owner:
    """By the operators of its prefix and of the line, as the collector's table of networks names them."""
    if resolver.name != BY_THE_NETWORK:
        return Owner.OTHER
    if not is_known(evidence.network):
        return Owner.UNKNOWN
    there = evidence.networks.get(resolver.prefix or "", Network())
    return Owner.NETWORK if same_operator(there, evidence.network) else Owner.OTHER


def serves_enough_lines(resolver: ResolverId, evidence: Evidence) -> bool:
    """One that a single line uses may be that line's own, in its operator's prefix. None counted: no objection."""
    counted = evidence.resolver_lines
    return counted is None or counted.get(resolver.prefix or "", 0) >= LINES_FLOOR


def truthful(resolver: ResolverId, measurement: Measurement) -> bool | None:
    """About neutral names, by what this very resolver said; None: that is not known."""
    checks = [each for each in measurement.link.resolvers if (each.resolver, each.index) == resolver_key(resolver)]
    said = {each.truthful for each in checks}
    return False if False in said else True if True in said else None


def resolver_key(resolver: ResolverId) -> tuple[str, int]:
    return resolver.name, resolver.index
