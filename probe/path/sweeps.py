"""What failed is followed along the path, beside neutral packets of the same kind; facts only, nothing is concluded.

A neutral packet goes first: it shows which routers speak, and how far there is to go. Without one there is nothing to
compare with, and nothing is swept. A neutral STUN server also tells under which address the internet knows the
line: that address is compared with those of routers (probe.path.hops) and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import family_of
from probe.codecs import stun
from probe.handshakes.trace import Instruments
from probe.measuring.allocate_budget import Budget
from probe.measuring.doubtful_names import names_in_doubt, resolver_of
from probe.measuring.follow_up import failed_for_good
from probe.measuring.measurer import RoundResult
from probe.model import Attempt, ReplyKind, Step, Sweep, Transport
from probe.net.vantage import LinkResolver
from probe.path.hops import describe
from probe.path.packets import (
    Kind,
    Route,
    can_be_swept_to,
    connections_that_passed,
    endpoint_of,
    neighbour_of,
    neutrals_of,
    of_attempt,
    of_name,
    silent_neutrals_of,
)
from probe.path.ttl_probe import TRIES, Replies, Reply, Sweeper
from probe.protocols import ALLOCATING

WAVES = (range(1, 9), range(9, 17), range(17, 25))  # TTLs of a neutral packet, until it is answered
FURTHER = 3  # than the neutral one a failing packet is followed
MOST = 16  # names and attempts that are swept in one cycle,
SWEEP_BYTES = 100_000  # and what that may take of a volunteer's data plan
AT_ONCE = 8  # each some seconds


class SweptRoute(Struct, frozen=True):
    route: Route
    replies: Replies


class PathProber:
    """Follows packets over one link, for one cycle."""

    def __init__(
        self, sweeper: Sweeper, instruments: Instruments, resolvers: Sequence[LinkResolver], budget: Budget
    ) -> None:
        self._sweeper, self._instruments, self._budget = sweeper, instruments, budget
        self._resolvers = {each.key: each for each in reversed(resolvers) if can_be_swept_to(each)}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def sweep(
        self, results: Iterable[RoundResult], baseline: Sequence[RoundResult]
    ) -> dict[str, tuple[Sweep, ...]]:
        """The sweeps to add to the record of each target, by id. `results`: the last at each of them."""
        neutrals = await self._neutrals(baseline)
        every = list(results)
        passed = connections_that_passed((*every, *baseline))
        groups = {each.target.id: [group async for group in self._groups(each, neutrals, passed)] for each in every}
        needed = {route.kind for each in groups.values() for group in each for route in group}
        if not needed:
            return {}
        neutral = await self._sweep_neutrals(needed, neutrals)
        own = self._instruments.own_addresses | seen_as(neutral.values())
        wanted = limited(groups, neutral)
        swept = await asyncio.gather(*(self._sweep_routes(routes, neutral) for routes in wanted.values()))
        return {
            target: tuple(sweep_record(each, own) for each in (*found, *beside(found, neutral)))
            for target, found in zip(wanted, swept, strict=True)
        }

    async def _neutrals(self, baseline: Iterable[RoundResult]) -> dict[Kind, Route]:
        """The first neutral route of each kind that passed; where none did, silent STUN: it tells how far UDP gets."""
        passed = [await neutrals_of(result, self._resolvers, self._instruments) for result in baseline]
        silent = [await silent_neutrals_of(result, self._instruments) for result in baseline]
        return {route.kind: route for routes in (*silent, *passed) for route in reversed(routes)}

    async def _groups(
        self, result: RoundResult, neutrals: Mapping[Kind, Route], passed: Sequence[Attempt]
    ) -> AsyncIterator[list[Route]]:
        """The routes to follow of each name and of each attempt, where a neutral packet can be followed too."""
        for name in names_in_doubt(result.findings, self._resolvers, result.round):
            if facts := name.observation.dns:
                route = of_name(name.host, facts.qtype, self._resolvers[resolver_of(name)], self._instruments)
                if route.kind in neutrals:
                    yield [route]
        for attempt in failed_for_good(result.target.endpoints, result.findings, result.round):
            routes = await of_attempt(attempt, result.target, self._instruments)
            if routes and routes[-1].kind in neutrals and self._may_ask(attempt, result):
                yield [*routes, *neighbour_of(routes[0], passed, neutrals)]

    def _may_ask(self, attempt: Attempt, result: RoundResult) -> bool:
        """The budget allows one more Allocate: all that get as far as the relay are one transaction."""
        if attempt.handshake not in ALLOCATING:
            return True
        return self._budget.spend(endpoint_of(attempt, result.target), self._instruments.wall_ms())

    async def _sweep_neutrals(self, needed: set[Kind], neutrals: Mapping[Kind, Route]) -> dict[Kind, SweptRoute]:
        """Sweeps the neutrals, the SYN before a ClientHello too, and in each family STUN, which tells our address."""
        needed = needed | {(Step.TCP, family, "") for step, family, _ in needed if step is Step.TLS}
        needed |= {(Step.STUN, family, "") for _, family, _ in needed}
        chosen = [route for kind, route in neutrals.items() if kind in needed]
        found = await asyncio.gather(*map(self._to_its_end, chosen))
        return {each.route.kind: each for each in found}

    async def _to_its_end(self, route: Route) -> SweptRoute:
        parts: list[Replies] = []
        for ttls in WAVES:
            parts.append(await self._probe(route, ttls))
            if any(
                reply.came is not ReplyKind.EXCEEDED for reply in answered_ttls(parts[-1]).values()
            ) or not answered_ttls(parts[-1]):
                break
        return SweptRoute(route, joined(parts))

    async def _sweep_routes(self, routes: Sequence[Route], neutral: Mapping[Kind, SweptRoute]) -> list[SweptRoute]:
        return list(await asyncio.gather(*(self._sweep_beside(route, neutral) for route in routes)))

    async def _sweep_beside(self, route: Route, neutral: Mapping[Kind, SweptRoute]) -> SweptRoute:
        """Where a router spoke of the neutral packet, and is silent about this one, both are asked about once more.

        Routers speak so many times a second and no more: a TTL at which the neutral is silent now tells nothing.
        """
        beside = neutral[route.kind]
        replies = await self._probe(route, ttls_beside(beside))
        doubtful = sorted(exceeded_ttls(beside.replies) & replies.by_ttl.keys() - answered_ttls(replies).keys())
        if not doubtful:
            return SweptRoute(route, replies)
        witness = neutral.get((Step.TCP, family_of(route.packet.address), ""), beside) if over_tcp(route) else beside
        again, paired = await asyncio.gather(self._probe(route, doubtful), self._probe(witness.route, doubtful))
        untold = set(doubtful) - answered_ttls(again).keys() - exceeded_ttls(paired)
        whole = joined([replies, again, replace(paired, by_ttl={})])
        return SweptRoute(route, replace(whole, by_ttl={t: r for t, r in whole.by_ttl.items() if t not in untold}))

    async def _probe(self, route: Route, ttls: Sequence[int]) -> Replies:
        async with self._turns:
            return await self._sweeper.sweep(route.packet, ttls, self._instruments.scale)


def limited(
    groups: Mapping[str, Sequence[Sequence[Route]]], neutral: Mapping[Kind, SweptRoute]
) -> dict[str, list[Route]]:
    """The groups for which there is room: the first of each target, then the second, and so on."""
    in_turn = [(at, target, group) for target, each in groups.items() for at, group in enumerate(each)]
    in_turn.sort(key=lambda each: each[0])
    chosen: dict[str, list[Route]] = {}
    left, room = MOST, SWEEP_BYTES
    for _, target, group in in_turn:
        ttls = [ttls_beside(neutral.get(route.kind)) for route in group]
        takes = sum(TRIES * len(route.packet.payload) * len(of) for route, of in zip(group, ttls, strict=True))
        if all(ttls) and left and takes <= room:
            left, room = left - 1, room - takes
            chosen.setdefault(target, []).extend(group)
    return chosen


def ttls_beside(neutral: SweptRoute | None) -> range:
    """The TTLs up to where the neutral got, and a little further; none where no neutral was heard."""
    end = end_of(neutral) if neutral else 0
    return range(1, end + FURTHER + 1 if end else 1)


def answered_ttls(replies: Replies) -> dict[int, Reply]:
    return {ttl: reply for ttl, reply in replies.by_ttl.items() if reply.came is not ReplyKind.SILENCE}


def exceeded_ttls(replies: Replies) -> set[int]:
    """The TTLs of which a router said that they had run out."""
    return {ttl for ttl, reply in replies.by_ttl.items() if reply.came is ReplyKind.EXCEEDED}


def over_tcp(route: Route) -> bool:
    return route.packet.transport is Transport.TCP


def end_of(swept: SweptRoute) -> int:
    """The TTL at which a packet was answered, else of the last router that saw it; 0 for nothing."""
    answered = [ttl for ttl, reply in answered_ttls(swept.replies).items() if reply.came is not ReplyKind.EXCEEDED]
    return min(answered) if answered else max(answered_ttls(swept.replies), default=0)


def joined(parts: Iterable[Replies]) -> Replies:
    every = list(parts)
    return Replies(
        by_ttl={ttl: reply for part in every for ttl, reply in part.by_ttl.items()},
        bytes_sent=sum(part.bytes_sent for part in every),
        packets_sent=sum(part.packets_sent for part in every),
    )


def seen_as(neutrals: Iterable[SweptRoute]) -> frozenset[str]:
    """The line's public addresses, as neutral STUN servers tell them."""
    answers = [
        (each.route.packet.payload, reply.data)
        for each in neutrals
        if each.route.step is Step.STUN
        for reply in each.replies.by_ttl.values()
        if reply.came is ReplyKind.ANSWER
    ]
    messages = [_read(request, data) for request, data in answers]
    return frozenset(each.mapped_address.ip for each in messages if each and each.mapped_address)


def _read(request: bytes, data: bytes) -> stun.Message | None:
    with suppress(ValueError):
        return stun.answer_to(request, data)
    return None


def beside(swept: Iterable[SweptRoute], neutral: Mapping[Kind, SweptRoute]) -> list[SweptRoute]:
    """The neutrals with which a route is compared; of ClientHellos the SYN too, which shows the routers."""
    kinds = dict.fromkeys(each.route.kind for each in swept)
    syns = {(Step.TCP, family, "") for step, family, _ in kinds if step is Step.TLS}
    return [neutral[kind] for kind in dict.fromkeys((*kinds, *sorted(syns))) if kind in neutral]


def sweep_record(swept: SweptRoute, own: frozenset[str]) -> Sweep:
    """The record of a sweep. `own`: the line's addresses, which are compared with and not kept."""
    route, replies = swept.route, swept.replies
    return Sweep(
        step=route.step,
        host=route.host,
        port=route.packet.port,
        family=family_of(route.packet.address),
        neutral=route.neutral,
        transport=route.packet.transport,
        address=None if route.step is Step.DNS else route.packet.address,
        hops=tuple(describe(ttl, reply, own) for ttl, reply in replies.by_ttl.items()),
        bytes_sent=replies.bytes_sent,
        packets_sent=replies.packets_sent,
    )
