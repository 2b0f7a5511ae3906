"""One target, once: resolve its names, try every address, keep all that was seen.

No happy eyeballs and no hidden retry: each attempt is one transaction with one address. Addresses that only an
independent resolver knows are tried when those of the link's own resolver did not get through; last come addresses
at which other probes failed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import family_of, is_address
from probe.budget import ALLOCATING, Budget, ByteBudget, shares
from probe.handshakes import HANDSHAKES
from probe.handshakes.dns import Question, resolve
from probe.judge.failing import is_at
from probe.model import AlsoDial, Attempt, Endpoint, Link, NotAttempted, Observation, Resolution, Sweep, Target, Via
from probe.network import LinkResolver
from probe.trace import Instruments, StepFailed, Trace

ADDRESSES_PER_FAMILY = 4
ATTEMPTS_PER_HOST = 2
QTYPES = {4: "A", 6: "AAAA"}

logger = logging.getLogger(__name__)


class Findings(Struct, frozen=True, kw_only=True):
    """What was seen of one target in one round."""

    started_ms: int
    resolutions: tuple[Resolution, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Look(Struct, frozen=True):
    """One target in one round."""

    target: Target
    round: int
    findings: Findings
    not_attempted: NotAttempted | None = None
    link: Link | None = None  # as it was just then; None: as the cycle's self-check found it
    sweeps: tuple[Sweep, ...] = ()


def observations(findings: Findings) -> Iterator[Observation]:
    """All of them, of names and of attempts."""
    yield from (each.observation for each in findings.resolutions)
    yield from (each for attempt in findings.attempts for each in attempt.observations)


class Answer(Struct, frozen=True):
    """What one resolver gave for one host; no addresses when it failed."""

    host: str
    resolver: LinkResolver
    addresses: tuple[str, ...]
    trace: Trace


class Measurer:
    """Measures targets over one link. It lives for one cycle, and holds that cycle's limit of attempts per host."""

    def __init__(
        self,
        instruments: Instruments,
        resolvers: Sequence[LinkResolver],
        families: frozenset[int],
        budget: Budget,
        taking: ByteBudget | None = None,
    ) -> None:
        self._instruments = instruments
        self._resolvers = resolvers
        self._families = families
        self._budget = budget
        self._taking = taking or ByteBudget()
        self._hosts: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ATTEMPTS_PER_HOST))

    async def measure(self, target: Target, also: Iterable[AlsoDial] = ()) -> Findings:
        """Every address of every endpoint, each family for itself; of `also`, what is this target's."""
        started_ms, origin = self._instruments.wall_ms(), self._instruments.clock()
        with ExitStack() as opened:
            answers = await self._resolve(target, origin, opened)
            more = [dial for dial in also if dial.target == target.id]
            attempts = await self._attempt_all(target.endpoints, answers, more, origin)
            resolutions = [
                Resolution(host=answer.host, observation=observation)
                for answer in answers
                for observation in await answer.trace.finish()
            ]
        self._taking.take(each.observation for each in resolutions)
        return Findings(started_ms=started_ms, resolutions=tuple(resolutions), attempts=tuple(attempts))

    async def _resolve(self, target: Target, origin: float, opened: ExitStack) -> list[Answer]:
        hosts = dict.fromkeys(endpoint.host for endpoint in target.endpoints if not is_address(endpoint.host))
        questions = [(host, QTYPES[family]) for host in hosts for family in sorted(self._families)]
        if target.outage is not None:
            questions.append((target.outage.name, QTYPES[family_of(target.outage.address)]))
        return await asyncio.gather(
            *(
                self._ask(host, qtype, resolver, opened.enter_context(closing(Trace(self._instruments, origin))))
                for host, qtype in questions
                for resolver in self._resolvers
            )
        )

    async def _ask(self, host: str, qtype: str, resolver: LinkResolver, trace: Trace) -> Answer:
        question = Question(
            host=host,
            qtype=qtype,
            address=resolver.address,
            port=resolver.port,
            resolver=resolver.name,
            resolver_prefix=resolver.prefix,
        )
        try:
            addresses = await resolve(trace, question)
        except StepFailed:
            addresses = ()
        return Answer(host, resolver, addresses, trace)

    async def _attempt_all(
        self, endpoints: Sequence[Endpoint], answers: Sequence[Answer], also: Sequence[AlsoDial], origin: float
    ) -> list[Attempt]:
        groups = await asyncio.gather(
            *(self._attempt_endpoint(endpoint, answers, also, origin) for endpoint in endpoints)
        )
        return [attempt for group in groups for attempt in group]

    async def _attempt_endpoint(
        self, endpoint: Endpoint, answers: Sequence[Answer], also: Sequence[AlsoDial], origin: float
    ) -> list[Attempt]:
        attempts = await self._attempt_given(endpoint, answers, origin)
        known = self._instruments.own_addresses.union(each.address for each in attempts if each.address)
        others = [dial.address for dial in also if is_at(dial, endpoint) and dial.address not in known]
        return attempts + await self._wave(endpoint, list(dict.fromkeys(others)), Via.ALSO, origin)

    async def _attempt_given(self, endpoint: Endpoint, answers: Sequence[Answer], origin: float) -> list[Attempt]:
        """The addresses that the link's own resolver gives; then, if none got through, those of an independent one."""
        if is_address(endpoint.host):
            return await self._wave(endpoint, [endpoint.host], Via.LITERAL, origin)
        own = self._addresses(endpoint.host, answers, independent=False)
        attempts = await self._wave(endpoint, own, Via.SYSTEM, origin)
        if any(attempt.grade is not None for attempt in attempts):
            return attempts
        others = [
            address for address in self._addresses(endpoint.host, answers, independent=True) if address not in own
        ]
        return attempts + await self._wave(endpoint, others, Via.INDEPENDENT, origin)

    def _addresses(self, host: str, answers: Iterable[Answer], *, independent: bool) -> list[str]:
        given = dict.fromkeys(
            address
            for answer in answers
            if answer.host == host and answer.resolver.independent == independent
            for address in answer.addresses
            if address not in self._instruments.own_addresses
        )
        return [
            address
            for family in QTYPES
            for address in [each for each in given if family_of(each) == family][:ADDRESSES_PER_FAMILY]
        ]

    async def _wave(self, endpoint: Endpoint, addresses: Sequence[str], via: Via, origin: float) -> list[Attempt]:
        return await asyncio.gather(
            *(
                self._attempt(replace(endpoint, address=address), via, origin, share)
                for address, share in zip(addresses, shares(addresses), strict=True)
            )
        )

    async def _attempt(self, endpoint: Endpoint, via: Via, origin: float, share: float) -> Attempt:
        async with self._hosts[endpoint.host]:
            reason = self._reason_not_to(endpoint, share)
            if reason is not None:
                return record(endpoint, via, not_attempted=reason)
            with closing(Trace(self._instruments, origin)) as trace:
                try:
                    attempt = await _shake_hands(trace, endpoint, via)
                    return replace(attempt, observations=await trace.finish())
                finally:
                    self._taking.settle(endpoint, trace.observations())

    def _reason_not_to(self, endpoint: Endpoint, share: float) -> NotAttempted | None:
        assert endpoint.address is not None
        if family_of(endpoint.address) not in self._families:
            return NotAttempted.NO_FAMILY
        if not self._taking.admit(endpoint, share):
            return NotAttempted.BUDGET
        if endpoint.handshake in ALLOCATING and not self._budget.spend(endpoint, self._instruments.wall_ms()):
            self._taking.settle(endpoint, ())
            return NotAttempted.COOLDOWN
        return None


async def _shake_hands(trace: Trace, endpoint: Endpoint, via: Via) -> Attempt:
    try:
        return replace(record(endpoint, via), grade=await HANDSHAKES[endpoint.handshake](trace, endpoint))
    except StepFailed:
        return record(endpoint, via)
    except Exception:  # outside of any step: a mistake of ours, which must cost no other attempt
        logger.exception("The handshake %s could not be made", endpoint.handshake)
        return record(endpoint, via, NotAttempted.UNKNOWN)


def record(endpoint: Endpoint, via: Via, not_attempted: NotAttempted | None = None) -> Attempt:
    """The attempt's identity, before anything is known of it."""
    return Attempt(
        host=endpoint.host,
        port=endpoint.port,
        transport=endpoint.transport,
        handshake=endpoint.handshake,
        address=endpoint.address,
        via=via,
        not_attempted=not_attempted,
    )
