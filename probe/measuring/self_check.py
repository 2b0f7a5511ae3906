"""Know your own link first: what the baseline targets say about it. Pure: findings in, a Link out.

If none of them completes a handshake, there is no link, and nothing else may be dialled. An answer from a private
address, or a DNS error, is no link. That our own collector is out of reach says nothing here: a censor would
block it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from probe.addresses import family_of, is_private
from probe.failure import ANSWERED, DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, UNEXPECTED_STATUS
from probe.measuring.follow_up import resolver_of
from probe.measuring.measurer import Findings
from probe.model import (
    Access,
    Attempt,
    Endpoint,
    Grade,
    Link,
    Neutral,
    Resolution,
    ResolverCheck,
    Target,
    Transport,
    Via,
    Void,
)
from probe.net.vantage import LinkResolver, ResolverKey
from probe.targets import BASELINE

UNTRUTHFUL = frozenset({NXDOMAIN, NO_ANSWER, SERVFAIL, DNS_REFUSED, TIMEOUT})
PROVEN = frozenset({Grade.BOUND, Grade.MARKED, Grade.CRYPTO})


def conclude(
    findings: Mapping[str, Findings], resolvers: Iterable[LinkResolver], *, tunnel: bool, declared: Access,
    detected: Access, behind: Access,
) -> Link:  # fmt: skip
    """The link as the baseline targets (id → findings) show it."""
    neutrals = tuple(
        neutral(target, attempt)
        for target, found in findings.items()
        for attempt in found.attempts
        if attempt.not_attempted is None and attempt.address is not None
    )
    return Link(
        up=any(_proves_a_link(attempt) for attempt in _attempts(findings)),
        neutrals=neutrals,
        resolvers=tuple(check_resolver(key, findings.values()) for key in _own_keys(resolvers)),
        void=Void.PORTAL if is_portal(neutrals) else Void.VPN if tunnel else None,
        declared=declared,
        detected=detected,
        behind=behind,
    )


def neutral(target: str, attempt: Attempt) -> Neutral:
    """How one neutral attempt went."""
    assert attempt.address is not None
    last = attempt.observations[-1] if attempt.observations else None
    return Neutral(
        target=target,
        handshake=attempt.handshake,
        transport=attempt.transport,
        port=attempt.port,
        family=family_of(attempt.address),
        failure=last.failure if last else None,
        operation=last.operation if last else None,
    )


def is_portal(neutrals: Sequence[Neutral]) -> bool:
    """Plain HTTP is answered by somebody else, and no neutral name's certificate verifies."""
    http = [each.failure for each in neutrals if each.handshake == "http" and each.transport is Transport.TCP]
    tls = [each.failure for each in neutrals if each.handshake == "tls"]
    return UNEXPECTED_STATUS in http and None not in http and None not in tls


def check_resolver(key: ResolverKey, findings: Iterable[Findings]) -> ResolverCheck:
    """Truthful when it led to a neutral service that proved itself; untruthful when it fails most neutral names."""
    hosts = failed = 0
    proved = False
    for found in findings:
        asked = _questions(key, found)
        hosts += len(asked)
        failed += sum(_fails(questions) for questions in asked)
        proved |= any(attempt.via is Via.SYSTEM and attempt.grade in PROVEN for attempt in found.attempts)
    truthful = False if hosts and failed * 2 > hosts else True if proved else None
    return ResolverCheck(resolver=key[0], index=key[1], truthful=truthful)


def usable_families(routed: frozenset[int], neutrals: Sequence[Neutral]) -> frozenset[int]:
    """Families with a route in which a neutral attempt was answered, or in which none was made."""
    tried = {each.family for each in neutrals}
    answered = {each.family for each in neutrals if each.failure in ANSWERED}
    return frozenset(family for family in routed if family in answered or family not in tried)


def is_baseline(target: Target) -> bool:
    return target.service == BASELINE


def is_clock(endpoint: Endpoint) -> bool:
    """It tells the time without a certificate, which only a right clock can verify."""
    return endpoint.handshake == "http" and endpoint.transport is Transport.TCP


def _attempts(findings: Mapping[str, Findings]) -> Iterable[Attempt]:
    return (attempt for found in findings.values() for attempt in found.attempts)


def _proves_a_link(attempt: Attempt) -> bool:
    return attempt.grade is not None and attempt.address is not None and not is_private(attempt.address)


def _own_keys(resolvers: Iterable[LinkResolver]) -> list[ResolverKey]:
    return list(dict.fromkeys(resolver.key for resolver in resolvers if not resolver.independent))


def _questions(key: ResolverKey, found: Findings) -> list[list[Resolution]]:
    """What this resolver was asked, by host."""
    by_host: dict[str, list[Resolution]] = {}
    for resolution in found.resolutions:
        if resolver_of(resolution) == key:
            by_host.setdefault(resolution.host, []).append(resolution)
    return list(by_host.values())


def _fails(questions: Iterable[Resolution]) -> bool:
    return all(each.observation.failure in UNTRUTHFUL for each in questions)
