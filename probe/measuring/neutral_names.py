"""Whether a resolver tells the truth about neutral names, by what it itself said. Pure: findings in, a word out.

It is truthful when an address that it gave for one of them proved to be that service. It is not when it gives no answer
for most of them, or one that is made up: addresses that no service has, or all in one pool of somebody's own, or such
as lead to nobody while the neutral addresses that need no resolver answer. A walled garden does that, a home that
answers every name itself, and a proxy, behind which every service is met at an address that is nobody's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from msgspec import Struct

from probe.addresses import family_of, is_address, is_private
from probe.attempts import is_by_us, is_met
from probe.failure import DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, is_in_clear, is_own
from probe.measuring.clock import VERIFIED
from probe.measuring.doubtful_names import resolver_of
from probe.measuring.measurer import Findings
from probe.model import Attempt, Resolution, ResolverCheck, Via
from probe.net.vantage import ResolverKey

OF_THE_SYSTEM = frozenset({"dns_temporary_failure", "dns_non_recoverable_failure"})
DENIALS = frozenset({NXDOMAIN, NO_ANSWER, SERVFAIL, DNS_REFUSED, TIMEOUT}) | OF_THE_SYSTEM
POOL_NAMES, POOL_BITS = 3, 8  # so many names of different services never lie in one IPv4 prefix of this length
SELF = "self"  # in a record, one of the volunteer's own addresses


class NeutralName(Struct, frozen=True):
    """What one resolver said about one name, and what was met at the addresses that it gave."""

    host: str
    said: tuple[Resolution, ...]
    answers: frozenset[str]
    attempts: tuple[Attempt, ...]  # at these addresses

    @property
    def is_denied(self) -> bool:
        return all(each.observation.failure in DENIALS for each in self.said)

    @property
    def is_nobodys(self) -> bool:
        """None of the addresses can be a service's."""
        return bool(self.answers) and all(each == SELF or is_private(each) for each in self.answers)

    @property
    def leads_to_nobody(self) -> bool:
        tried = [each for each in self.attempts if each.not_attempted is None and not is_by_us(each)]
        return bool(tried) and not any(map(is_met, tried))

    @property
    def is_proved(self) -> bool:
        return any(each.grade in VERIFIED for each in self.attempts)


def check_resolver(key: ResolverKey, findings: Sequence[Findings]) -> ResolverCheck:
    """True only by a proof at an address that this resolver gave; False if most of what it said is wrong."""
    names = names_told_by(key, findings)
    invented = made_up(names, findings)
    by_address = any(_is_proved_by_address(attempt) for found in findings for attempt in found.attempts)
    wrong = [each for each in names if each.is_denied or each in invented or (by_address and each.leads_to_nobody)]
    proved = any(each.is_proved for each in names if each not in invented)
    truthful = False if invented or len(wrong) * 2 > len(names) else True if proved else None
    return ResolverCheck(resolver=key[0], index=key[1], truthful=truthful)


def speaks_for_all(key: ResolverKey, findings: Sequence[Findings]) -> bool:
    """Somebody answers at addresses that are made up: a proxy, which lets through what it likes."""
    invented = made_up(names_told_by(key, findings), findings)
    return any(_is_somebodys(attempt) for name in invented for attempt in name.attempts)


def made_up(names: Sequence[NeutralName], findings: Iterable[Findings]) -> list[NeutralName]:
    """Those of the names whose answers are no service's; nothing where only fewer than half are."""
    if _is_one_pool(names, findings):
        return [each for each in names if each.answers]
    nobodys = [each for each in names if each.is_nobodys]
    return nobodys if len(nobodys) * 2 > len(names) else []


def names_told_by(key: ResolverKey, findings: Iterable[Findings]) -> list[NeutralName]:
    """By host, however many targets have it."""
    every = list(findings)
    said: dict[str, list[Resolution]] = {}
    for resolution in (each for found in every for each in found.resolutions):
        if resolver_of(resolution) == key and is_in_clear(resolution) and not is_own(resolution.observation.failure):
            said.setdefault(resolution.host, []).append(resolution)
    attempts = [attempt for found in every for attempt in found.attempts]
    return [_name(host, tuple(resolutions), attempts) for host, resolutions in said.items()]


def _name(host: str, said: tuple[Resolution, ...], attempts: Iterable[Attempt]) -> NeutralName:
    facts = [each.observation.dns for each in said]
    answers = frozenset(address for each in facts if each is not None for address in each.answers)
    met = tuple(each for each in attempts if each.host == host and each.address in answers)
    return NeutralName(host, said, answers, met)


def _is_one_pool(names: Iterable[NeutralName], findings: Iterable[Findings]) -> bool:
    """Every name leads into one prefix, in which no neutral address lies that needs no resolver."""
    told = [{each for each in name.answers if is_address(each) and family_of(each) == 4} for name in names]
    told = [each for each in told if each]
    prefixes = {_pool(address) for each in told for address in each}
    literal = {
        _pool(attempt.host)
        for found in findings
        for attempt in found.attempts
        if attempt.via is Via.LITERAL and is_address(attempt.host) and family_of(attempt.host) == 4
    }
    return len(told) >= POOL_NAMES and len(prefixes) == 1 and bool(literal) and prefixes.isdisjoint(literal)


def _pool(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network((address, POOL_BITS), strict=False)


def _is_somebodys(attempt: Attempt) -> bool:
    """From a private address only a proof counts: that is how a walled garden's own page answers."""
    assert attempt.address is not None
    accepted = any(each.failure is None for each in attempt.observations)
    return attempt.grade in VERIFIED or (accepted and not is_private(attempt.address))


def _is_proved_by_address(attempt: Attempt) -> bool:
    return attempt.via is Via.LITERAL and attempt.grade in VERIFIED
