"""Names that were denied, failed, forged, raced or left unanswered: to be asked again, and followed along the path.

A resolver is judged by what it says itself. Where it denies one family and leads on in the other, an app does not
notice; a second answer to the same question, and an address that no service has, are doubtful in each family alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.addresses import is_address, is_private
from probe.attempts import is_met
from probe.failure import (
    DNS_MISBEHAVING,
    DNS_REFUSED,
    NO_ANSWER,
    NXDOMAIN,
    SERVFAIL,
    is_in_clear,
    is_unanswered,
)
from probe.measuring.measurer import Findings
from probe.model import Attempt, Resolution, Target, Via
from probe.net.vantage import ResolverKey

DENIED = frozenset({NXDOMAIN, SERVFAIL, DNS_REFUSED, DNS_MISBEHAVING, NO_ANSWER})


def names_in_doubt(findings: Findings, own: Iterable[ResolverKey], round_: int) -> list[Resolution]:
    """One for each host that the link's own resolvers denied, or led where nothing was found."""
    keys = frozenset(own)
    hosts = dict.fromkeys(each.host for each in findings.resolutions)
    chosen = (_in_doubt(host, findings, keys, round_) for host in hosts)
    return [resolution for resolution in chosen if resolution is not None]


def are_names_in_doubt(target: Target, findings: Findings) -> bool:
    """Whether any resolver that was asked in the clear failed the target's names, or may have lied about them."""
    hosts = {endpoint.host for endpoint in target.endpoints}
    asked = [each for each in findings.resolutions if each.host in hosts and is_in_clear(each)]
    return any(_is_noticed(each, asked) or _is_raced(each) or _is_impossible(each) for each in asked)


def resolver_of(resolution: Resolution) -> ResolverKey:
    """Who said it."""
    facts = resolution.observation.dns
    return (facts.resolver, facts.resolver_index) if facts else ("", 0)


def _in_doubt(host: str, findings: Findings, own: frozenset[ResolverKey], round_: int) -> Resolution | None:
    asked = [each for each in findings.resolutions if each.host == host and each.observation.dns]
    ours = [each for each in asked if resolver_of(each) in own and is_in_clear(each)]
    raced = [each for each in ours if _is_raced(each)]
    failed = [each for each in ours if _is_noticed(each, ours) and (round_ > 1 or not is_unanswered(each.observation))]
    others = [each for each in asked if each not in ours]
    led_nowhere = [each for each in ours if _is_disputed(each, others) and not _got_through(each, findings)]
    return next(iter((*raced, *failed, *led_nowhere)), None)


def _is_noticed(resolution: Resolution, asked: Sequence[Resolution]) -> bool:
    """It failed, and the same resolver, which was `asked` for the other family as well, led nowhere there either."""
    observation = resolution.observation
    if observation.failure not in DENIED and not is_unanswered(observation):
        return False
    same = [each for each in asked if (each.host, resolver_of(each)) == (resolution.host, resolver_of(resolution))]
    return all(each.observation.failure is not None for each in same)


def _is_raced(resolution: Resolution) -> bool:
    return resolution.observation.dns is not None and bool(resolution.observation.dns.late)


def _is_impossible(resolution: Resolution) -> bool:
    """It gave an address that no service has: one of the volunteer's own, or a private one."""
    return any(not is_address(each) or is_private(each) for each in _answers(resolution))


def _is_disputed(resolution: Resolution, others: Iterable[Resolution]) -> bool:
    """Nobody else gives any of its addresses, of the same family."""
    given = {answer for each in others for answer in _answers(each)}
    return resolution.observation.failure is None and given.isdisjoint(_answers(resolution))


def _got_through(resolution: Resolution, findings: Findings) -> bool:
    """To one of the addresses that it gave: the other family ends no doubt about this one."""
    return any(_is_led_to(each, resolution) and is_met(each) for each in findings.attempts)


def _is_led_to(attempt: Attempt, resolution: Resolution) -> bool:
    given = (attempt.host, attempt.via) == (resolution.host, Via.SYSTEM)
    return given and attempt.address in _answers(resolution)


def _answers(resolution: Resolution) -> tuple[str, ...]:
    return resolution.observation.dns.answers if resolution.observation.dns else ()
