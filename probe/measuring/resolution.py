"""The names of one target, as resolvers tell their addresses: all that was said is kept for the record.

The link's own resolvers and independent ones are asked in the clear, each once for each name and family. What
intercepts plain DNS speaks for all of them; so independent ones are asked over TLS or HTTPS too, one after another
until one answers, but only about a name that may have been forged or denied: that takes a hundred times the bytes.
Whoever is not heard in TLS is not asked so again in the same cycle: it would cost each target ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from msgspec import Struct

from probe.addresses import QTYPES, family_of, is_address, is_private
from probe.failure import CERTIFICATE_FAILURES, is_own
from probe.handshakes.dns import IN_TLS, Question, resolve
from probe.handshakes.system_dns import resolve_by_system
from probe.handshakes.trace import Instruments, StepFailed, Trace
from probe.model import Attempt, Observation, Resolution, Step, Target, Transport
from probe.net.vantage import SYSTEM, LinkResolver

ADDRESSES_PER_FAMILY = 4
LOOKUP_IN_TLS_BYTES = 6_000  # what one is taken to take: a chain of certificates, and little more


class Answer(Struct, frozen=True):
    """What one resolver gave for one host: no addresses when it denied it, or was not heard at all."""

    host: str
    resolver: LinkResolver
    addresses: tuple[str, ...]
    heard: bool | None  # None: nobody listened, or we were at fault


class Lookup:
    """Asks while it is open; `finish` waits for late answers. `unheard` is the cycle's."""

    def __init__(
        self, instruments: Instruments, resolvers: Sequence[LinkResolver], families: frozenset[int], origin: float,
        unheard: set[LinkResolver],
    ) -> None:  # fmt: skip
        self._instruments = instruments
        self._in_clear = [each for each in resolvers if each.transport not in IN_TLS]
        self._in_tls = [each for each in resolvers if each.transport in IN_TLS]
        self._families = families
        self._origin = origin
        self._unheard = unheard
        self._answers: list[Answer] = []
        self._asked: list[tuple[str, Trace]] = []
        self._in_doubt: dict[str, asyncio.Task[None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for task in self._in_doubt.values():
            task.cancel()
        for _, trace in self._asked:
            trace.close()

    async def ask(self, target: Target) -> None:
        """About every name of the target, in the clear."""
        hosts = dict.fromkeys(endpoint.host for endpoint in target.endpoints if not is_address(endpoint.host))
        questions = [(host, QTYPES[family]) for host in hosts for family in sorted(self._families)]
        if target.outage is not None:
            questions.append((target.outage.name, QTYPES[family_of(target.outage.address)]))
        await self._ask_all(questions, self._in_clear)

    async def ask_in_tls(self, host: str) -> None:
        """About a name that led nowhere, once however many endpoints have it."""
        if host not in self._in_doubt:
            self._in_doubt[host] = asyncio.create_task(self._ask_until_heard(host))
        await self._in_doubt[host]

    def addresses(self, host: str, *, independent: bool) -> list[str]:
        """Up to four of each family, IPv4 first, in the order in which they were given."""
        given = dict.fromkeys(
            address
            for answer in self._answers
            if answer.host == host and answer.resolver.independent == independent
            for address in answer.addresses
            if address not in self._instruments.own_addresses
        )
        return [
            address
            for family in QTYPES
            for address in [each for each in given if family_of(each) == family][:ADDRESSES_PER_FAMILY]
        ]

    async def finish(self) -> tuple[Resolution, ...]:
        return tuple(
            [
                Resolution(host=host, observation=observation)
                for host, trace in self._asked
                for observation in await trace.finish()
            ]
        )

    async def _ask_until_heard(self, host: str) -> None:
        questions = [(host, QTYPES[family]) for family in sorted(self._families)]
        for resolver in self._in_tls:
            if resolver in self._unheard:
                continue
            answers = await self._ask_all(questions, [resolver])
            if any(answer.heard for answer in answers):
                return
            if any(answer.heard is False for answer in answers):
                self._unheard.add(resolver)

    async def _ask_all(
        self, questions: Iterable[tuple[str, str]], resolvers: Sequence[LinkResolver]
    ) -> Sequence[Answer]:
        answers = await asyncio.gather(
            *(self._ask(host, qtype, resolver) for host, qtype in questions for resolver in resolvers)
        )
        self._answers += answers
        return answers

    async def _ask(self, host: str, qtype: str, resolver: LinkResolver) -> Answer:
        question = Question(
            host=host,
            qtype=qtype,
            address=resolver.address,
            port=resolver.port,
            transport=resolver.transport,
            resolver=resolver.name,
            resolver_index=resolver.index,
            resolver_prefix=resolver.prefix,
            server_name=resolver.server_name,
        )
        trace = Trace(self._instruments, self._origin)
        self._asked.append((host, trace))
        try:
            ask = resolve_by_system if resolver == SYSTEM else resolve
            return Answer(host, resolver, (await ask(trace, question)).addresses, heard=True)
        except StepFailed:
            return Answer(host, resolver, (), heard=_is_heard(trace.observations()))


def _is_heard(observations: Sequence[Observation]) -> bool | None:
    """Whether a resolver that gave no addresses answered at all."""
    if any(is_own(each.failure) for each in observations):
        return None
    return any(each.dns is not None and each.dns.rcode is not None for each in observations)


def may_be_forged(attempt: Attempt) -> bool:
    """It failed, and nothing shows that its address is the service's.

    Where a connection opened and broke off later without another certificate, the name is not what is in doubt.
    """
    last = attempt.observations[-1] if attempt.observations else None
    opened = last is not None and last.step is not Step.TCP and attempt.transport is not Transport.UDP
    altered = last is not None and last.failure in CERTIFICATE_FAILURES
    return not opened or altered or (attempt.address is not None and is_private(attempt.address))
