"""Know your own link first: what the baseline targets say about it. Pure: findings in, a Link out.

If none of them completes a handshake, there is no link, and nothing else may be dialled. An answer from a private
address, or a DNS error, is no link. That our own collector is out of reach says nothing here: a censor would
block it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from probe.addresses import family_of, is_private
from probe.attempts import is_answered, is_by_us, is_met
from probe.failure import UNEXPECTED_STATUS
from probe.flights import flights, sends
from probe.measuring.measurer import Findings
from probe.measuring.neutral_names import check_resolver, speaks_for_all
from probe.model import (
    Access,
    Attempt,
    Endpoint,
    Link,
    Neutral,
    Target,
    Transport,
    Tunnel,
    Void,
)
from probe.net.vantage import LinkResolver, ResolverKey
from probe.targets import BASELINE


def conclude(
    findings: Mapping[str, Findings], resolvers: Iterable[LinkResolver], *, tunnel: Tunnel, declared: Access,
    detected: Access, behind: Access, trust_store_ms: int | None = None,
) -> Link:  # fmt: skip
    """The link as the baseline targets (id → findings) show it."""
    neutrals = tuple(
        neutral(target, attempt)
        for target, found in findings.items()
        for attempt in found.attempts
        if attempt.not_attempted is None and attempt.address is not None and not is_by_us(attempt)
    )
    keys, found = _own_keys(resolvers), tuple(findings.values())
    return Link(
        up=any(_proves_a_link(attempt) for attempt in _attempts(findings)),
        neutrals=neutrals,
        resolvers=tuple(check_resolver(key, found) for key in keys),
        void=_void(neutrals, tunnel, proxied=any(speaks_for_all(key, found) for key in keys)),
        declared=declared,
        detected=detected,
        behind=behind,
        tunnel=tunnel,
        trust_store_ms=trust_store_ms,
    )


def _void(neutrals: Sequence[Neutral], tunnel: Tunnel, *, proxied: bool) -> Void | None:
    if is_portal(neutrals):
        return Void.PORTAL
    if tunnel is Tunnel.SEEN:
        return Void.VPN
    return Void.PROXY if proxied else None


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
        sends=sends(attempt.observations),
        flights=flights(each for each in attempt.observations if each.failure is None),
    )


def is_portal(neutrals: Sequence[Neutral]) -> bool:
    """Plain HTTP is answered by somebody else, and no neutral name's certificate verifies.

    Some portals let a connectivity check through: then it takes certificates that were asked for and did not verify.
    """
    http = [each.failure for each in neutrals if each.handshake == "http" and each.transport is Transport.TCP]
    tls = [each.failure for each in neutrals if each.handshake == "tls" or each.transport is Transport.TLS]
    return UNEXPECTED_STATUS in http and None not in tls and (None not in http or bool(tls))


def usable_families(routed: frozenset[int], neutrals: Sequence[Neutral]) -> frozenset[int]:
    """Families with a route in which a neutral attempt was answered, or in which none was made."""
    tried = {each.family for each in neutrals}
    answered = {each.family for each in neutrals if is_answered(each)}
    return frozenset(family for family in routed if family in answered or family not in tried)


def is_baseline(target: Target) -> bool:
    return target.service == BASELINE


def is_clock(endpoint: Endpoint) -> bool:
    """It tells the time without a certificate, which only a right clock can verify."""
    return endpoint.handshake == "http" and endpoint.transport is Transport.TCP


def _attempts(findings: Mapping[str, Findings]) -> Iterable[Attempt]:
    return (attempt for found in findings.values() for attempt in found.attempts)


def _proves_a_link(attempt: Attempt) -> bool:
    return is_met(attempt) and attempt.address is not None and not is_private(attempt.address)


def _own_keys(resolvers: Iterable[LinkResolver]) -> list[ResolverKey]:
    return list(dict.fromkeys(resolver.key for resolver in resolvers if not resolver.independent))
