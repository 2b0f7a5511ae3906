"""One target, once: resolve its names, try every address, keep all that was seen.

No happy eyeballs and no hidden retry: each attempt is one transaction with one address. Addresses that only an
independent resolver knows are tried when those of the link's own resolver did not get through (and one is asked in TLS
when those may be forged, probe.measuring.resolution); last come addresses at which other probes failed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import family_of, is_address
from probe.attempts import is_at
from probe.failure import fault_text
from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Instruments, StepFailed, Trace
from probe.measuring.allocate_budget import Budget
from probe.measuring.byte_budget import MORE, ByteBudget, shares
from probe.measuring.resolution import LOOKUP_IN_TLS_BYTES, Lookup, may_be_forged
from probe.model import AlsoDial, Attempt, Endpoint, Link, NotAttempted, Observation, Resolution, Sweep, Target, Via
from probe.net.vantage import LinkResolver
from probe.protocols import ALLOCATING

ATTEMPTS_PER_HOST = 2

logger = logging.getLogger(__name__)


class Findings(Struct, frozen=True, kw_only=True):
    """What was seen of one target in one round."""

    started_ms: int
    resolutions: tuple[Resolution, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class RoundResult(Struct, frozen=True):
    """One target in one round."""

    target: Target
    round: int
    findings: Findings
    not_attempted: NotAttempted | None = None
    link: Link | None = None  # as it was just then; None: as the cycle's self-check found it
    sweeps: tuple[Sweep, ...] = ()
    ended: float = 0.0  # by the monotonic clock


def observations(findings: Findings) -> Iterator[Observation]:
    """All of them, of names and of attempts."""
    yield from (each.observation for each in findings.resolutions)
    yield from (each for attempt in findings.attempts for each in attempt.observations)


class Measurer:
    """Measures targets over one link. It lives for one cycle, and holds that cycle's limit of attempts per host."""

    def __init__(
        self,
        instruments: Instruments,
        resolvers: Sequence[LinkResolver],
        families: frozenset[int],
        budget: Budget,
        byte_budget: ByteBudget | None = None,
    ) -> None:
        self._instruments = instruments
        self._resolvers = resolvers
        self._families = families
        self._budget = budget
        self._byte_budget = byte_budget or ByteBudget()
        self._unheard: set[LinkResolver] = set()
        self._hosts: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ATTEMPTS_PER_HOST))

    async def measure(self, target: Target, extra: Iterable[AlsoDial] = ()) -> Findings:
        """Every address of every endpoint, each family for itself, and the `extra` addresses that are this target's."""
        started_ms, origin = self._instruments.device_ms(), self._instruments.clock()
        with Lookup(self._instruments, self._resolvers, self._families, origin, self._unheard) as lookup:
            await lookup.ask(target)
            own = [dial for dial in extra if dial.target == target.id]
            attempts = await self._attempt_all(target.endpoints, lookup, own, origin)
            resolutions = await lookup.finish()
        self._byte_budget.take(each.observation for each in resolutions)
        return Findings(started_ms=started_ms, resolutions=resolutions, attempts=tuple(attempts))

    async def _attempt_all(
        self, endpoints: Sequence[Endpoint], lookup: Lookup, extra: Sequence[AlsoDial], origin: float
    ) -> list[Attempt]:
        groups = await asyncio.gather(
            *(self._attempt_endpoint(endpoint, lookup, extra, origin) for endpoint in endpoints)
        )
        return [attempt for group in groups for attempt in group]

    async def _attempt_endpoint(
        self, endpoint: Endpoint, lookup: Lookup, extra: Sequence[AlsoDial], origin: float
    ) -> list[Attempt]:
        attempts = await self._attempt_given(endpoint, lookup, origin)
        known = self._instruments.own_addresses.union(each.address for each in attempts if each.address)
        others = [dial.address for dial in extra if is_at(dial, endpoint) and dial.address not in known]
        return attempts + await self._wave(endpoint, list(dict.fromkeys(others)), Via.ALSO, origin)

    async def _attempt_given(self, endpoint: Endpoint, lookup: Lookup, origin: float) -> list[Attempt]:
        """The addresses that the link's own resolver gives; then, if none got through, those of independent ones."""
        if is_address(endpoint.host):
            return await self._wave(endpoint, [endpoint.host], Via.LITERAL, origin)
        own = lookup.addresses(endpoint.host, independent=False)
        attempts = await self._wave(endpoint, own, Via.SYSTEM, origin)
        if any(attempt.grade is not None for attempt in attempts):
            return attempts
        if all(map(may_be_forged, attempts)) and self._byte_budget.has_room(LOOKUP_IN_TLS_BYTES, MORE):
            await lookup.ask_in_tls(endpoint.host)
        others = [each for each in lookup.addresses(endpoint.host, independent=True) if each not in own]
        return attempts + await self._wave(endpoint, others, Via.INDEPENDENT, origin)

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
                    self._byte_budget.settle(endpoint, trace.observations())

    def _reason_not_to(self, endpoint: Endpoint, share: float) -> NotAttempted | None:
        assert endpoint.address is not None
        if family_of(endpoint.address) not in self._families:
            return NotAttempted.NO_FAMILY
        if not self._byte_budget.admit(endpoint, share):
            return NotAttempted.BUDGET
        if endpoint.handshake in ALLOCATING and not self._budget.spend(endpoint, self._instruments.wall_ms()):
            self._byte_budget.settle(endpoint, ())
            return NotAttempted.COOLDOWN
        return None


async def _shake_hands(trace: Trace, endpoint: Endpoint, via: Via) -> Attempt:
    try:
        return replace(record(endpoint, via), grade=await HANDSHAKES[endpoint.handshake](trace, endpoint))
    except StepFailed as failed:
        return record(endpoint, via, NotAttempted.INTERNAL if failed.by_us else None)
    except Exception as error:  # outside of any step: a mistake of ours, which must cost no other attempt
        logger.error("The handshake %s could not be made:\n%s", endpoint.handshake, fault_text(error))
        return record(endpoint, via, NotAttempted.INTERNAL)


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
