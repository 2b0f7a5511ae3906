"""One pass over the targets: self-check, then everything else, then a second round of what was silent or broken off.

A failed handshake is a successful measurement. What was not tried is `not_attempted`, with its reason. What failed for
good is followed along the path at the end.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from probe.attempts import in_other_dialects, primary_of
from probe.failure import INTERRUPTED, fault_text, is_transient
from probe.handshakes.trace import Instruments
from probe.measuring import self_check as links
from probe.measuring.allocate_budget import Budget
from probe.measuring.byte_budget import ByteBudget
from probe.measuring.clock import clock_offset_ms
from probe.measuring.doubtful_names import are_names_in_doubt
from probe.measuring.follow_up import app_attempts, identity, led_astray, second_round, shows_a_stranger
from probe.measuring.measurer import Findings, Measurer, RoundResult, observations
from probe.measuring.session import Progress, Session, Settings, open_session
from probe.measuring.watch import watching
from probe.model import AlsoDial, Attempt, Combine, Link, Measurement, NotAttempted, Target, Targets, Transport, Void
from probe.net.clock import Anchor
from probe.net.tunnel import tunnel_of
from probe.net.vantage import detect_access, link_snapshot
from probe.path.sweeps import PathProber
from probe.path.ttl_probe import Sweeper
from probe.protocols import FACTS_ONLY

TARGETS_IN_FLIGHT = 8
SECOND_LOOK_AFTER = 10.0  # seconds after the first look at a target ended: what lasts for a moment is over by then
NOW: Mapping[str, float] = MappingProxyType({})  # when each target is due: at once
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Cycle(Struct, frozen=True, kw_only=True):
    """What one cycle saw."""

    uid: str
    started_ms: int
    link: Link
    clock_offset_ms: int | None
    measurements: tuple[Measurement, ...]


class SelfCheck(Struct, frozen=True, kw_only=True):
    """What the baseline showed. `conclude` says what later findings of it (id → findings) say of the link."""

    conclude: Callable[[Mapping[str, Findings]], Link]
    link: Link
    clock_offset_ms: int | None
    families: frozenset[int]
    results: tuple[RoundResult, ...]


async def run_cycle(
    targets: Targets,
    instruments: Instruments,
    settings: Settings,
    budget: Budget,
    progress: Progress,
    sweeper: Sweeper | None = None,
) -> Cycle:
    """Measures every target over this link once, and twice what was silent."""
    anchor, uid = Anchor(instruments.wall_ms(), instruments.clock()), instruments.new_uid()
    instruments = replace(instruments, anchor=anchor)
    async with watching(instruments) as watch:
        before = await link_snapshot(instruments.dialer, settings.root)
        session = open_session(targets, instruments, settings, budget, progress, before, sweeper)
        check = await _self_check(session)
        session = replace(session.timed(check.clock_offset_ms), families=check.families)
        results = [*check.results, *await _measure_services(session, check)]
        if check.link.void is None:
            results = await _guarded(_with_sweeps(session, results), results, "Following the path")
        after = await link_snapshot(instruments.dialer, settings.root)
    changed = Void.CHANGED if after != before else None
    starved = Void.STARVED if any(map(_is_interrupted, results)) else None
    void = check.link.void or watch.void() or starved or changed
    link = replace(check.link, void=void, lag_ms=watch.lag_ms)
    return Cycle(
        uid=uid,
        started_ms=anchor.wall_ms,
        link=link,
        clock_offset_ms=check.clock_offset_ms,
        measurements=tuple(_measurement(session, uid, result, link) for result in results),
    )


def _is_interrupted(result: RoundResult) -> bool:
    """Some step was stopped before it could end: by a process that slept through its limit."""
    return any(each.failure == INTERRUPTED for each in observations(result.findings))


def needs_second_round(target: Target, findings: Findings) -> bool:
    """Something did not answer, or broke off, that the target needs, or its name is in doubt: once is nothing.

    A fallback does not make up for UDP, nor what only follows for what leads.
    """
    if led_astray(target, findings) or are_names_in_doubt(target, findings):
        return True
    tried = [attempt for attempt in app_attempts(findings) if attempt.handshake not in FACTS_ONLY]
    if any(map(shows_a_stranger, tried)):
        return True
    over_udp = primary_of(attempt for attempt in tried if attempt.transport is Transport.UDP)
    over_tcp = primary_of(attempt for attempt in tried if attempt.transport is not Transport.UDP)
    ways = [way for way in (over_udp, over_tcp) if way]
    if target.combine is Combine.ANY_OF and ways and all(any(each.grade for each in way) for way in ways):
        return any(_fails_in_one_dialect(attempt, tried) for attempt in tried)
    answered = {identity(attempt) for attempt in tried if attempt.grade}
    return any(
        is_transient(observation)
        for attempt in tried
        if identity(attempt) not in answered
        for observation in attempt.observations
    )


def _fails_in_one_dialect(attempt: Attempt, tried: Sequence[Attempt]) -> bool:
    """The same request in other bytes was answered, at the same address and port."""
    last = attempt.observations[-1] if attempt.observations else None
    failed = last is not None and is_transient(last)
    return failed and any(other.grade for other in in_other_dialects(attempt, tried))


async def _self_check(session: Session) -> SelfCheck:
    results = await _measure_baseline(session)
    findings = {result.target.id: result.findings for result in results}
    settings, before = session.settings, session.before
    conclude = partial(
        links.conclude,
        resolvers=session.resolvers,
        tunnel=tunnel_of(settings.root, before),
        declared=settings.declared,
        detected=detect_access(settings.root, before.interface),
        behind=settings.behind,
        trust_store_ms=session.instruments.trust.as_of_ms,
    )
    link = conclude(findings)
    return SelfCheck(
        conclude=conclude,
        link=link,
        clock_offset_ms=clock_offset_ms(findings.values()),
        families=links.usable_families(before.families, link.neutrals),
        results=tuple(results),
    )


async def _measure_baseline(session: Session) -> list[RoundResult]:
    """Plain HTTP first: its Date is the clock by which the others' certificates are verified."""
    baseline = session.baseline()
    clocks = [target for target in baseline if any(links.is_clock(each) for each in target.endpoints)]
    others = [target for target in baseline if target not in clocks]

    def told(before: int) -> Progress:
        return lambda done, _, target: session.progress(before + done, len(baseline), target)

    results = await _round(replace(session, progress=told(0)), session.measurer(), clocks, 1)
    timed = session.timed(clock_offset_ms(result.findings for result in results))
    return results + await _round(replace(timed, progress=told(len(clocks))), timed.measurer(), others, 1)


async def _measure_services(session: Session, check: SelfCheck) -> list[RoundResult]:
    unmeasurable = [target for target in session.services() if not target.endpoints]
    measurable = [target for target in session.services() if target.endpoints]
    nothing = Findings(started_ms=session.instruments.device_ms())
    untried = [RoundResult(target, 1, nothing, NotAttempted.NOT_MEASURABLE) for target in unmeasurable]
    if not check.link.up:
        return untried + [RoundResult(target, 1, nothing, NotAttempted.NO_LINK) for target in measurable]
    byte_budget = ByteBudget(session.settings.max_bytes)
    for result in check.results:
        byte_budget.take(observations(result.findings))
    first = await _round(session, session.measurer(byte_budget), measurable, 1, session.settings.extra_addresses)
    failed = [result for result in first if needs_second_round(result.target, result.findings)]
    return untried + first + await _guarded(_second_round(session, check, failed), [], "The second round")


async def _second_round(session: Session, check: SelfCheck, failed: Sequence[RoundResult]) -> list[RoundResult]:
    """Each as soon as its time has come; all wait side by side, and no wait keeps another from its turn.

    The baseline is measured again when the last one's has: a link that died meanwhile is silent to all. There is no
    limit of bytes: what is silent takes little, and says most.
    """
    if not failed:
        return []
    again, measurer = [second_round(each.target, each.findings) for each in failed], session.measurer()
    unseen = replace(session, progress=lambda *_: None)
    after = SECOND_LOOK_AFTER * session.instruments.scale
    due = {each.target.id: each.ended + after for each in failed}
    beside = dict.fromkeys((each.id for each in session.baseline()), max(due.values()))
    second, neutral = await asyncio.gather(
        _round(session, measurer, again, 2, due=due), _round(unseen, measurer, session.baseline(), 2, due=beside)
    )
    link = check.conclude({result.target.id: result.findings for result in neutral})
    return [replace(result, link=link) for result in second]


async def _with_sweeps(session: Session, results: Sequence[RoundResult]) -> list[RoundResult]:
    """With where on the path it dies, in each record of a target: it is found out once, after the last round."""
    if session.sweeper is None:
        return list(results)
    given = {each.target.id: each.target for each in reversed(results)}  # without the second round's experiments
    last = {each.target.id: replace(each, target=given[each.target.id]) for each in results}
    baseline = [each for each in last.values() if links.is_baseline(each.target)]
    others = [each for each in last.values() if not links.is_baseline(each.target)]
    prober = PathProber(session.sweeper, session.instruments, session.resolvers, session.budget)
    sweeps = await prober.sweep(others, baseline)
    return [replace(each, sweeps=sweeps.get(each.target.id, ())) for each in results]


async def _round(
    session: Session,
    measurer: Measurer,
    targets: Iterable[Target],
    round_: int,
    extra: Sequence[AlsoDial] = (),
    due: Mapping[str, float] = NOW,
) -> list[RoundResult]:
    """Each of the targets once, in an order of chance; of `extra` addresses, each target dials its own.

    `due`: target → when it may be begun, by the monotonic clock.
    """
    shuffled = list(targets)
    random.Random(session.instruments.random_bytes(16)).shuffle(shuffled)
    in_flight = asyncio.Semaphore(TARGETS_IN_FLIGHT)
    results: list[RoundResult] = []

    async def one(target: Target) -> None:
        await asyncio.sleep(max(0.0, due.get(target.id, 0.0) - session.instruments.clock()))
        async with in_flight:
            results.append(await _measured(session, measurer, target, round_, extra))
            session.progress(len(results), len(shuffled), target.id)

    async with asyncio.TaskGroup() as group:
        for target in shuffled:
            group.create_task(one(target))
    return results


async def _measured(
    session: Session, measurer: Measurer, target: Target, round_: int, extra: Sequence[AlsoDial]
) -> RoundResult:
    """One target. A mistake of ours in it costs no other."""
    nothing = RoundResult(target, round_, Findings(started_ms=session.instruments.device_ms()), NotAttempted.INTERNAL)
    work = measurer.measure(target, extra)
    findings = await _guarded(work, None, f"Measuring {target.id}")
    result = nothing if findings is None else RoundResult(target, round_, findings)
    return replace(result, ended=session.instruments.clock())


async def _guarded(work: Awaitable[T], otherwise: T, what: str) -> T:
    """What is measured already is worth more than what comes on top: a mistake of ours there is logged, and passed."""
    try:
        return await work
    except Exception as error:
        logger.error("%s failed:\n%s", what, fault_text(error))
        return otherwise


def _link_of(result: RoundResult, link: Link) -> Link:
    """What voids the cycle voids its second round too."""
    if result.link is None:
        return link
    return replace(result.link, void=link.void or result.link.void, lag_ms=link.lag_ms)


def _measurement(session: Session, cycle: str, result: RoundResult, link: Link) -> Measurement:
    return Measurement(
        uid=session.instruments.new_uid(),
        target=result.target.id,
        cycle=cycle,
        round=result.round,
        started_ms=result.findings.started_ms,
        clock_offset_ms=session.instruments.clock_offset_ms,
        link=_link_of(result, link),
        not_attempted=result.not_attempted,
        resolutions=result.findings.resolutions,
        attempts=result.findings.attempts,
        sweeps=result.sweeps,
    )
