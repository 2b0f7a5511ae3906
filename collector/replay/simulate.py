"""What a simulated line measures in one cycle: measurements as a probe there would have sent them, marked simulated.

They hold observations only; what they mean is for the judge, as with any other. Everything follows from the episode,
the line, the moment and the targets file: the same cycle is simulated twice alike.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
from collections.abc import Callable, Iterable
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from collector.replay.episode import Episode, Line
from collector.replay.path import swept
from collector.replay.techniques import TECHNIQUES, Observations, Technique, answered, silence
from probe.grades import expected_grade
from probe.model import (
    Access,
    Attempt,
    DnsFacts,
    Endpoint,
    Link,
    Measurement,
    Neutral,
    NotAttempted,
    Observation,
    Resolution,
    ResolverCheck,
    Step,
    Sweep,
    Target,
    Targets,
    Via,
)
from probe.protocols import FOLLOW_UPS, OTHER_NAME, PROTOCOLS
from probe.targets import BASELINE

MINUTE_MS = 60_000
SECOND_ROUND_MS = 6 * MINUTE_MS
CONTROLS_AT = (0, 3)  # minutes after the moment, first and last: before the lines, whom they calibrate,
CONTROLS_AGAIN_AT = (50, 53)  # and after them, for an answer from before a failure waits for a newer one
LINES_AT = (5, 40)
BETWEEN_MS = 2_000  # two targets of a cycle
RTT_US = {Access.G2: 400_000, Access.G3: 160_000, Access.G4: 60_000, Access.ADSL: 45_000, Access.WIFI: 50_000}
OTHER_RTT_US = 30_000
RESOLVER = "isp"
WORLD = ("192.0.2", "198.51.100", "203.0.113")  # documentation addresses, for services that are named


class Cycle(Struct, frozen=True, kw_only=True):
    """What one line measured around one moment; `sealed_ms` is when it was ready to be sent."""

    line: Line
    sealed_ms: int
    measurements: tuple[Measurement, ...]


class _Moment(Struct, frozen=True):
    """One line at one time, with its own chance."""

    line: Line
    start_ms: int
    chance: random.Random
    uid: Callable[[], str]
    rtt_us: int


def cycle(episode: Episode, targets: Targets, line: Line, moment_ms: int, *, again: bool = False) -> Cycle | None:
    """The cycle of a line; None when it leaves this one out. `again` is a control's second cycle of the moment."""
    at = _moment(episode, line, moment_ms, again)
    if not line.control and at.chance.randrange(100) < episode.noise.absent:
        return None
    up = line.control or at.chance.randrange(100) >= episode.noise.offline
    looks = [
        look
        for number, target in enumerate(_measured(episode, targets))
        for look in _looks(episode, target, at, at.start_ms + number * BETWEEN_MS, up)
    ]
    link = _link(targets, line, up)
    name = at.uid()
    measurements = tuple(_measurement(look, at.uid(), name, link) for look in looks)
    return Cycle(line=line, sealed_ms=_end(measurements), measurements=measurements)


class _Look(Struct, frozen=True, kw_only=True):
    target: Target
    round: int
    started_ms: int
    not_attempted: NotAttempted | None = None
    resolutions: tuple[Resolution, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sweeps: tuple[Sweep, ...] = ()


def _moment(episode: Episode, line: Line, moment_ms: int, again: bool) -> _Moment:
    chance = random.Random(f"{episode.name}:{line.name}:{moment_ms}{':again' if again else ''}")
    first, last = (CONTROLS_AGAIN_AT if again else CONTROLS_AT) if line.control else LINES_AT
    return _Moment(
        line=line,
        start_ms=moment_ms + chance.randrange(first * MINUTE_MS, last * MINUTE_MS),
        chance=chance,
        uid=lambda: chance.randbytes(16).hex(),
        rtt_us=round(RTT_US.get(line.access, OTHER_RTT_US) * chance.uniform(0.8, 1.4)),
    )


def _measured(episode: Episode, targets: Targets) -> list[Target]:
    """The targets that episode and targets file share, in the episode's order."""
    known = {target.id: target for target in targets.targets}
    return [known[name] for name in episode.targets if name in known]


def _looks(episode: Episode, target: Target, at: _Moment, started_ms: int, up: bool) -> Iterable[_Look]:
    """The rounds of one target: one, or two where the first was silent."""
    if not target.endpoints or not up:
        reason = NotAttempted.NO_LINK if target.endpoints else NotAttempted.NOT_MEASURABLE
        yield _Look(target=target, round=1, started_ms=started_ms, not_attempted=reason)
        return
    technique = TECHNIQUES.get(episode.technique(at.line, target.id, started_ms) or "")
    lost = not at.line.control and at.chance.randrange(100) < episode.noise.lost
    first = _look(target, 1, started_ms, silence if lost else technique, at)
    yield first
    if not _gets_through(first):
        second = _look(target, 2, started_ms + SECOND_ROUND_MS, technique, at)
        yield replace(second, sweeps=swept(second.attempts, at.line.access))


def _gets_through(look: _Look) -> bool:
    """Whether an endpoint of the service answered; experiments beside them are no way of the service's."""
    ways = {(each.host, each.port, each.handshake) for each in look.target.endpoints}
    return any(each.grade and (each.host, each.port, each.handshake) in ways for each in look.attempts)


def _look(target: Target, round_: int, started_ms: int, technique: Technique | None, at: _Moment) -> _Look:
    endpoints = [endpoint for endpoint in target.endpoints if ":" not in endpoint.host]  # these lines have no IPv6
    named = dict.fromkeys(endpoint.host for endpoint in endpoints if not _is_address(endpoint.host))
    return _Look(
        target=target,
        round=round_,
        started_ms=started_ms,
        resolutions=tuple(_resolution(host, at) for host in named),
        attempts=tuple(attempt for each in endpoints for attempt in _attempts(each, technique, at)),
    )


def _attempts(endpoint: Endpoint, technique: Technique | None, at: _Moment) -> list[Attempt]:
    """The attempts at an endpoint, and the experiments that a probe makes when they fail."""
    hit = None if technique is None else technique(endpoint, at.rtt_us)
    if hit is None:
        return [_attempt(endpoint, endpoint.handshake, answered(endpoint, at.rtt_us), passed=True)]
    failed = _attempt(endpoint, endpoint.handshake, hit, passed=False)
    beside = _experiment(endpoint, technique)
    if beside is None:
        return [failed]
    passes = Observation(step=PROTOCOLS[beside].step, started_us=0, took_us=at.rtt_us, failure=None)
    return [failed, _attempt(endpoint, beside, (passes,), passed=True)]


def _experiment(endpoint: Endpoint, technique: Technique | None) -> str | None:
    """The experiment that passes where the technique hits: it goes by a name, or by a method."""
    if technique is TECHNIQUES["allocate"]:
        return FOLLOW_UPS.get(endpoint.handshake)
    return OTHER_NAME if technique is TECHNIQUES["reset"] else None


def _attempt(endpoint: Endpoint, handshake: str, observations: Observations, *, passed: bool) -> Attempt:
    literal = _is_address(endpoint.host)
    return Attempt(
        host=endpoint.host,
        port=endpoint.port,
        transport=endpoint.transport,
        handshake=handshake,
        address=endpoint.host if literal else service_address(endpoint.host),
        via=Via.LITERAL if literal else Via.SYSTEM,
        grade=expected_grade(endpoint) if passed else None,
        observations=observations,
    )


@cache  # of the hosts of a targets file, each look asks again
def service_address(host: str) -> str:
    """The address of a named service in the simulation."""
    digest = hashlib.sha256(host.encode()).digest()
    return f"{WORLD[digest[0] % len(WORLD)]}.{1 + digest[1] % 254}"


def _resolution(host: str, at: _Moment) -> Resolution:
    facts = DnsFacts(
        resolver=RESOLVER,
        resolver_prefix=str(ipaddress.ip_network(f"{at.line.place.prefix[0]}/24")),
        rcode="NOERROR",
        answers=(service_address(host),),
        ttl=300,
    )
    return Resolution(
        host=host,
        observation=Observation(step=Step.DNS, started_us=0, took_us=at.rtt_us // 2, failure=None, dns=facts),
    )


def _link(targets: Targets, line: Line, up: bool) -> Link:
    """The self-check's result: the neutral services answer, or nothing does."""
    return Link(
        up=up,
        neutrals=tuple(
            Neutral(
                target=target.id,
                handshake=endpoint.handshake,
                transport=endpoint.transport,
                port=endpoint.port,
                family=4,
                failure=None if up else "network_unreachable",
            )
            for target in targets.targets
            if target.service == BASELINE
            for endpoint in target.endpoints
            if ":" not in endpoint.host
        ),
        resolvers=(ResolverCheck(resolver=RESOLVER, truthful=True if up else None),),
        declared=line.access,
        behind=Access.ADSL if line.access is Access.WIFI else Access.UNKNOWN,
    )


def _measurement(look: _Look, uid: str, cycle_uid: str, link: Link) -> Measurement:
    return Measurement(
        uid=uid,
        target=look.target.id,
        cycle=cycle_uid,
        round=look.round,
        started_ms=look.started_ms,
        clock_offset_ms=0,  # a simulated device keeps the story's time
        link=link,
        not_attempted=look.not_attempted,
        resolutions=look.resolutions,
        attempts=look.attempts,
        sweeps=look.sweeps,
        simulated=True,
    )


def _end(measurements: tuple[Measurement, ...]) -> int:
    return max((each.started_ms for each in measurements), default=0) + MINUTE_MS // 2


@cache
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
