"""One round over the targets: self-check, then everything else, then a second look at what was silent or broken off.

A failed handshake is a successful measurement. What was not tried is `not_attempted`, with its reason. What failed for
good is followed along the path at the end.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from probe.failure import is_in_clear, is_transient, is_unanswered
from probe.handshakes.trace import Instruments
from probe.judge import dialects
from probe.judge.combine import primary_of
from probe.judge.grades import FACTS_ONLY
from probe.measuring import self_check as links
from probe.measuring.allocate_budget import Budget
from probe.measuring.byte_budget import ByteBudget
from probe.measuring.follow_up import app_attempts, led_astray, second_round
from probe.measuring.measurer import Findings, Measurer, RoundResult, observations
from probe.model import (
    Access,
    AlsoDial,
    Attempt,
    Combine,
    Link,
    Measurement,
    NotAttempted,
    Target,
    Targets,
    Transport,
    Void,
)
from probe.net.vantage import (
    LinkResolver,
    LinkSnapshot,
    carries_tunnel,
    detect_access,
    independent_resolvers,
    link_snapshot,
    system_resolvers,
)
from probe.path.sweeps import PathProber

TARGETS_IN_FLIGHT = 8
Progress = Callable[[int, int, str], None]  # done, all, the target that was just measured


class Settings(Struct, frozen=True, kw_only=True):
    """What the volunteer said about the line, where the device describes itself, and what else to dial."""

    declared: Access = Access.UNKNOWN
    behind: Access = Access.UNKNOWN
    resolvers: tuple[LinkResolver, ...] = ()  # instead of those of resolv.conf
    root: Path = Path("/")  # of proc, sys and etc
    also: tuple[AlsoDial, ...] = ()  # addresses at which other probes failed
    max_bytes: int | None = None  # of payload, in the self-check and the first round; None: no limit


class Cycle(Struct, frozen=True, kw_only=True):
    """What one cycle saw."""

    uid: str
    started_ms: int
    link: Link
    clock_offset_ms: int | None
    measurements: tuple[Measurement, ...]


class SelfCheck(Struct, frozen=True, kw_only=True):
    conclude: Callable[[Mapping[str, Findings]], Link]  # what findings of the baseline say of the link
    link: Link
    clock_offset_ms: int | None
    families: frozenset[int]
    findings: Mapping[str, Findings]


async def run_cycle(
    targets: Targets, instruments: Instruments, settings: Settings, budget: Budget, progress: Progress
) -> Cycle:
    """Measures every target over this link once, and twice what was silent."""
    started_ms, uid = instruments.wall_ms(), instruments.new_uid()
    before = await link_snapshot(instruments.dialer, settings.root)
    instruments = replace(instruments, own_addresses=before.own_addresses, fingerprints=targets.fingerprints)
    resolvers = _resolvers(targets, settings, before.families)
    check = await _self_check(targets, instruments, settings, resolvers, before, budget, progress)
    instruments = replace(instruments, clock_offset_ms=check.clock_offset_ms)
    looks = [
        RoundResult(target, 1, check.findings[target.id]) for target in targets.targets if target.id in check.findings
    ]
    looks += await _look_at_all(targets, instruments, resolvers, check, budget, progress, settings)
    if check.link.void is None:
        looks = await _located(looks, instruments, resolvers, budget)
    after = await link_snapshot(instruments.dialer, settings.root)
    link = check.link if after == before else replace(check.link, void=check.link.void or Void.CHANGED)
    measurements = [_measurement(look, uid, _link_of(look, link), check.clock_offset_ms, instruments) for look in looks]
    return Cycle(
        uid=uid,
        started_ms=started_ms,
        link=link,
        clock_offset_ms=check.clock_offset_ms,
        measurements=tuple(measurements),
    )


def needs_second_round(target: Target, findings: Findings) -> bool:
    """Something did not answer, or broke off, that the target needs, or it answers at other addresses only.

    A fallback does not make up for UDP, nor what only follows for what leads.
    """
    if led_astray(target, findings):
        return True
    tried = [attempt for attempt in app_attempts(findings) if attempt.handshake not in FACTS_ONLY]
    over_udp = primary_of(attempt for attempt in tried if attempt.transport is Transport.UDP)
    over_tcp = primary_of(attempt for attempt in tried if attempt.transport is not Transport.UDP)
    ways = [way for way in (over_udp, over_tcp) if way]
    if target.combine is Combine.ANY_OF and ways and all(any(each.grade for each in way) for way in ways):
        return any(_fails_in_one_dialect(attempt, tried) for attempt in tried)
    answered = {(attempt.host, attempt.port, attempt.handshake) for attempt in tried if attempt.grade}
    failed = any(
        is_transient(observation)
        for attempt in tried
        if (attempt.host, attempt.port, attempt.handshake) not in answered
        for observation in attempt.observations
    )
    hosts = {endpoint.host for endpoint in target.endpoints}
    names = [each.observation for each in findings.resolutions if each.host in hosts and is_in_clear(each)]
    return failed or any(is_unanswered(each) for each in names)


def _fails_in_one_dialect(attempt: Attempt, tried: Sequence[Attempt]) -> bool:
    """The same request in other bytes was answered, at the same address and port."""
    last = attempt.observations[-1] if attempt.observations else None
    failed = last is not None and is_transient(last)
    return failed and any(other.grade for other in dialects.beside(attempt, tried))


def _resolvers(targets: Targets, settings: Settings, families: frozenset[int]) -> list[LinkResolver]:
    own = settings.resolvers or system_resolvers(settings.root, targets.resolvers)
    return [*own, *independent_resolvers(targets.resolvers, families)]


async def _self_check(
    targets: Targets, instruments: Instruments, settings: Settings, resolvers: Sequence[LinkResolver],
    before: LinkSnapshot, budget: Budget, progress: Progress,
) -> SelfCheck:  # fmt: skip
    looks = await _look_at_baseline(targets, instruments, resolvers, before.families, budget, progress)
    findings = {look.target.id: look.findings for look in looks}
    conclude = partial(
        links.conclude,
        resolvers=resolvers,
        tunnel=carries_tunnel(settings.root, before),
        declared=settings.declared,
        detected=detect_access(settings.root, before.interface),
        behind=settings.behind,
    )
    link = conclude(findings)
    return SelfCheck(
        conclude=conclude,
        link=link,
        clock_offset_ms=links.clock_offset_ms(findings.values()),
        families=links.usable_families(before.families, link.neutrals),
        findings=findings,
    )


async def _look_at_baseline(
    targets: Targets, instruments: Instruments, resolvers: Sequence[LinkResolver], families: frozenset[int],
    budget: Budget, progress: Progress,
) -> list[RoundResult]:  # fmt: skip
    """Plain HTTP first: its Date is the clock by which the others' certificates are verified."""
    baseline = [target for target in targets.targets if links.is_baseline(target)]
    clocks = [target for target in baseline if any(links.is_clock(each) for each in target.endpoints)]
    others = [target for target in baseline if target not in clocks]

    def told(before: int) -> Progress:
        return lambda done, _, target: progress(before + done, len(baseline), target)

    looks = await _look(Measurer(instruments, resolvers, families, budget), clocks, 1, instruments, told(0))
    timed = replace(instruments, clock_offset_ms=links.clock_offset_ms(look.findings for look in looks))
    return looks + await _look(Measurer(timed, resolvers, families, budget), others, 1, timed, told(len(clocks)))


async def _look_at_all(
    targets: Targets, instruments: Instruments, resolvers: Sequence[LinkResolver], check: SelfCheck,
    budget: Budget, progress: Progress, settings: Settings,
) -> list[RoundResult]:  # fmt: skip
    others = [target for target in targets.targets if not links.is_baseline(target)]
    unmeasurable = [target for target in others if not target.endpoints]
    measurable = [target for target in others if target.endpoints]
    nothing = Findings(started_ms=instruments.wall_ms())
    looks = [RoundResult(target, 1, nothing, NotAttempted.NOT_MEASURABLE) for target in unmeasurable]
    if not check.link.up:
        return looks + [RoundResult(target, 1, nothing, NotAttempted.NO_LINK) for target in measurable]
    byte_budget = ByteBudget(settings.max_bytes)
    for found in check.findings.values():
        byte_budget.take(observations(found))
    measurer = Measurer(instruments, resolvers, check.families, budget, byte_budget)
    first = await _look(measurer, measurable, 1, instruments, progress, settings.also)
    silent = [
        second_round(look.target, look.findings) for look in first if needs_second_round(look.target, look.findings)
    ]
    baseline = [target for target in targets.targets if links.is_baseline(target)]
    unlimited = Measurer(instruments, resolvers, check.families, budget)  # what is silent takes little, and says most
    return looks + first + await _look_again(unlimited, silent, baseline, instruments, check, progress)


async def _look_again(
    measurer: Measurer, silent: Sequence[Target], baseline: Sequence[Target], instruments: Instruments,
    check: SelfCheck, progress: Progress,
) -> list[RoundResult]:  # fmt: skip
    """The second round, beside which the baseline is measured again: a link that died meanwhile is silent to all."""
    if not silent:
        return []
    second, neutral = await asyncio.gather(
        _look(measurer, silent, 2, instruments, progress),
        _look(measurer, baseline, 2, instruments, lambda *_: None),
    )
    link = check.conclude({look.target.id: look.findings for look in neutral})
    return [replace(look, link=link) for look in second]


async def _located(
    looks: Sequence[RoundResult], instruments: Instruments, resolvers: Sequence[LinkResolver], budget: Budget
) -> list[RoundResult]:
    """With where on the path it dies, in each record of a target: it is found out once, after the last look."""
    if instruments.sweeper is None:
        return list(looks)
    given = {look.target.id: look.target for look in reversed(looks)}  # without the second round's experiments
    last = {look.target.id: replace(look, target=given[look.target.id]) for look in looks}
    baseline = [look for look in last.values() if links.is_baseline(look.target)]
    others = [look for look in last.values() if not links.is_baseline(look.target)]
    sweeps = await PathProber(instruments.sweeper, instruments, resolvers, budget).sweep(others, baseline)
    return [replace(look, sweeps=sweeps.get(look.target.id, ())) for look in looks]


async def _look(
    measurer: Measurer, targets: Iterable[Target], round_: int, instruments: Instruments, progress: Progress,
    also: Sequence[AlsoDial] = (),
) -> list[RoundResult]:  # fmt: skip
    shuffled = list(targets)
    random.Random(instruments.random_bytes(16)).shuffle(shuffled)
    in_flight = asyncio.Semaphore(TARGETS_IN_FLIGHT)
    looks: list[RoundResult] = []

    async def one(target: Target) -> None:
        async with in_flight:
            looks.append(RoundResult(target, round_, await measurer.measure(target, also)))
            progress(len(looks), len(shuffled), target.id)

    async with asyncio.TaskGroup() as group:
        for target in shuffled:
            group.create_task(one(target))
    return looks


def _link_of(look: RoundResult, link: Link) -> Link:
    """What voids the cycle voids its second round too."""
    return link if look.link is None else replace(look.link, void=link.void or look.link.void)


def _measurement(
    look: RoundResult, cycle: str, link: Link, offset_ms: int | None, instruments: Instruments
) -> Measurement:
    return Measurement(
        uid=instruments.new_uid(),
        target=look.target.id,
        cycle=cycle,
        round=look.round,
        started_ms=look.findings.started_ms,
        clock_offset_ms=offset_ms,
        link=link,
        not_attempted=look.not_attempted,
        resolutions=look.findings.resolutions,
        attempts=look.findings.attempts,
        sweeps=look.sweeps,
    )
