"""What the tests of the probe are made of, in one place."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import dns.flags
import dns.message
import dns.rrset

from probe.codecs import stun
from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Instruments, StepFailed, Trace
from probe.model import (
    Attempt,
    Combine,
    Endpoint,
    Grade,
    HttpFacts,
    Link,
    Measurement,
    Observation,
    Plane,
    Resolver,
    Step,
    Target,
    Targets,
)
from probe.net.dialer import SocketDialer
from probe.protocols import NAMEABLE
from probe.secure.trust import Trust
from tests.probe.codecs.test_stun import vector
from tests.scripted import Hourglass, Now, ScriptedDialer, run
from tests.servers.certificates import Authority

NOW_MS = 1_780_000_000_000
RESOLVER = "203.0.113.53"  # asked by these tests; a documentation address, which nobody has


@cache
def some_trust() -> Trust:
    return Trust(Authority.create().pem, {})


def instruments(dialer: Any, seed: int = 1, **changes: Any) -> Instruments:
    """On the loop's own clock; the wall clock stands at NOW_MS when the loop starts."""
    numbers = itertools.count(1)
    given: dict[str, Any] = {
        "dialer": dialer,
        "clock": lambda: asyncio.get_running_loop().time(),
        "wall_ms": _wall_ms,
        "random_bytes": random.Random(seed).randbytes,
        "new_uid": lambda: f"{next(numbers):032x}",
        "trust": some_trust(),
    }
    return Instruments(**{**given, **changes})


def _wall_ms() -> int:
    loop = asyncio.get_running_loop()
    return NOW_MS + (round(loop.time() * 1000) if isinstance(loop, Hourglass) else 0)


def endpoint(handshake: str, host: str = "203.0.113.4", port: int = 3478, **more: Any) -> Endpoint:
    """Over the handshake's usual transport."""
    return Endpoint(
        host=host, port=port, handshake=handshake, **{"transport": NAMEABLE[handshake].transports[0], **more}
    )


def target(identity: str, *endpoints: Endpoint, combine: Combine = Combine.ANY_OF) -> Target:
    plane = Plane.MEDIA if identity.endswith("/call") else Plane.SIGNALLING
    return Target(id=identity, plane=plane, endpoints=endpoints, combine=combine)


def targets(*each: Target, resolvers: Sequence[Resolver] = ()) -> Targets:
    return Targets(targets=each, resolvers=tuple(resolvers), digest="0" * 64)


class Outcome:
    """What one handshake came to."""

    def __init__(self, grade: Grade | None, observations: tuple[Observation, ...]) -> None:
        self.grade, self.observations = grade, observations

    @property
    def last(self) -> Observation:
        return self.observations[-1]

    @property
    def failure(self) -> str | None:
        return self.last.failure


async def shake(tools: Instruments, where: Endpoint) -> Outcome:
    """One handshake, to its observations."""
    trace = Trace(tools)
    try:
        grade: Grade | None = await HANDSHAKES[where.handshake](trace, where)
    except StepFailed:
        grade = None
    return Outcome(grade, await trace.finish())


def scripted_shake(dialer: ScriptedDialer, where: Endpoint, **changes: Any) -> Outcome:
    """The same on the scripted network."""
    return run(shake(instruments(dialer, **changes), where))


async def really_shake(where: Endpoint) -> Outcome:
    """The same with real sockets and the real time."""
    return await shake(instruments(SocketDialer(), clock=time.monotonic), where)


def traced(work: Callable[[Trace], Awaitable[Any]], dialer: Any = None, **changes: Any) -> Trace:
    """Runs `work` with a trace, to its finish; what it raises, StepFailed apart, comes out."""

    async def body() -> Trace:
        trace = Trace(instruments(dialer or ScriptedDialer(), **changes))
        with suppress(StepFailed):
            await work(trace)
        await trace.finish()
        return trace

    return run(body())


# --- Replies ----------------------------------------------------------------------------------------------------


def patched(name: str) -> Callable[[bytes], bytes]:
    """A genuine reply, as if it were to our request."""
    data = vector(name)
    return lambda request: data[:8] + request[8:20] + data[20:]


def stun_reply(
    *attributes: tuple[str, stun.Value], kind: stun.MessageClass = stun.MessageClass.RESPONSE
) -> Callable[[bytes], bytes]:
    def reply(request: bytes) -> bytes:
        asked = stun.parse(request)
        built = tuple(stun.attribute(name, value, asked.transaction_id) for name, value in attributes)
        return stun.pack(stun.Message(asked.method, kind, asked.transaction_id, built))

    return reply


def refusal(code: int, realm: str = "relay.example", reason: str = "Unauthorized") -> Callable[[bytes], bytes]:
    error = ("ERROR-CODE", stun.ErrorCode(code, reason))
    return stun_reply(error, ("REALM", realm), kind=stun.MessageClass.ERROR)


def dns_reply(
    *addresses: str, rcode: int = 0, ttl: int = 60, flags: int = 0, change: Callable[[Any], None] | None = None
) -> Callable[[bytes], bytes]:
    """Those of the addresses that are of the type asked for."""

    def reply(request: bytes) -> bytes:
        asked = dns.message.from_wire(request)
        answer = dns.message.make_response(asked)
        question = asked.question[0]
        fitting = [each for each in addresses if (":" in each) == (question.rdtype == 28)]
        kind = "AAAA" if question.rdtype == 28 else "A"
        # One set each: within a set, dnspython shuffles.
        answer.answer += [dns.rrset.from_text(question.name, ttl, "IN", kind, each) for each in fitting]
        answer.set_rcode(rcode)
        answer.flags |= flags
        if change is not None:
            change(answer)
        return answer.to_wire()

    return reply


def framed(reply: Now) -> Callable[[bytes], bytes]:
    """DNS over TCP: behind two bytes of length, in both directions."""

    def wrapped(request: bytes) -> bytes:
        assert int.from_bytes(request[:2]) == len(request) - 2
        assert callable(reply)
        data = reply(request[2:])
        return len(data).to_bytes(2) + data

    return wrapped


# --- Facts ------------------------------------------------------------------------------------------------------


def observation(step: Step, failure: str | None = None, **more: Any) -> Observation:
    return Observation(step=step, started_us=more.pop("started_us", 0), took_us=0, failure=failure, **more)


def attempt(where: Endpoint, *observations: Observation, address: str | None = None, **more: Any) -> Attempt:
    return Attempt(
        host=where.host,
        port=where.port,
        transport=where.transport,
        handshake=where.handshake,
        address=address or where.host,
        observations=observations,
        **more,
    )


def dated(date_ms: int, **more: Any) -> Observation:
    """Of an HTTP answer with this Date."""
    return observation(Step.HTTP, http=HttpFacts(status=204, date_ms=date_ms), **more)


def measurement(identity: str = "svc/call", **more: Any) -> Measurement:
    given: dict[str, Any] = {
        "uid": "1" * 32,
        "cycle": "2" * 32,
        "round": 1,
        "started_ms": NOW_MS,
        "clock_offset_ms": 0,
        "link": Link(up=True),
    }
    return Measurement(target=identity, **{**given, **more})
