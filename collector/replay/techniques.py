"""Techniques as a probe sees them: the observations of one attempt. Facts, never verdicts.

A technique says what is observed at one endpoint, or None where it leaves that endpoint alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from probe.failure import PROHIBITED, RESET, TIMEOUT
from probe.model import (
    Endpoint,
    HttpFacts,
    IcmpFacts,
    Observation,
    Operation,
    Step,
    StunFacts,
    TlsFacts,
    Transport,
)
from probe.protocols import CARRIERS, PROTOCOLS

Observations = tuple[Observation, ...]
Technique = Callable[[Endpoint, int], Observations | None]  # the round trip in µs

STUN = (Step.STUN, Step.TURN)
GIVEN_UP_US = {Step.TCP: 10_000_000, Step.TLS: 10_000_000, Step.QUIC: 10_000_000}
OTHERWISE_GIVEN_UP_US = 8_000_000
HELLO_BYTES = 517
SENDS = 7  # of a UDP request that stays unanswered
UNAUTHORIZED = 401
UNREACHABLE, ADMINISTRATIVELY = 3, 13  # ICMP


def answered(endpoint: Endpoint, rtt_us: int) -> Observations:
    """Nobody interferes."""
    steps = _steps(endpoint)
    return tuple(_answer(step, endpoint, i * rtt_us, rtt_us) for i, step in enumerate(steps))


def silence(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """Nothing comes back from the address."""
    return (_failure(endpoint, _steps(endpoint)[0], TIMEOUT),)


def reject(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """A box on the way answers with ICMP: prohibited."""
    icmp = IcmpFacts(type=UNREACHABLE, code=ADMINISTRATIVELY, from_target=False)
    return (replace(_failure(endpoint, _steps(endpoint)[0], PROHIBITED), icmp=icmp),)


def reset(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """TLS is broken off after the service's name was read; what is not TLS passes."""
    if Step.TLS not in _steps(endpoint):
        return None
    seen = {"started_us": rtt_us, "took_us": rtt_us // 2, "bytes_sent": HELLO_BYTES}
    broken = replace(_failure(endpoint, Step.TLS, RESET), **seen, tls=TlsFacts(hello_bytes=HELLO_BYTES))
    return (_answer(Step.TCP, endpoint, 0, rtt_us), broken)


def allocate(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """The request that opens a call stays unanswered; plain STUN passes, at the relay too."""
    return silence(endpoint, rtt_us) if _steps(endpoint) == (Step.TURN,) else None


TECHNIQUES: Mapping[str, Technique] = {
    "silence": silence,
    "reject": reject,
    "reset": reset,
    "allocate": allocate,
}


def _steps(endpoint: Endpoint) -> tuple[Step, ...]:
    """The steps of a handshake: those that carry it, then its own."""
    carriers, own = CARRIERS.get(endpoint.transport, ()), PROTOCOLS[endpoint.handshake].step
    return carriers if own in carriers else (*carriers, own)


def _answer(step: Step, endpoint: Endpoint, started_us: int, took_us: int) -> Observation:
    seen = Observation(step=step, started_us=started_us, took_us=took_us, failure=None)
    if endpoint.transport is Transport.UDP:
        seen = replace(seen, bytes_sent=28, bytes_received=96, packets_sent=1, packets_received=1)
    if step in STUN:
        code = UNAUTHORIZED if step is Step.TURN else None
        return replace(seen, stun=StunFacts(error_code=code, realm=endpoint.expect.realm))
    if step is Step.TLS:
        facts = TlsFacts(hello_bytes=HELLO_BYTES, version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")
        return replace(seen, bytes_sent=HELLO_BYTES, tls=facts)
    if step is Step.HTTP:
        return replace(seen, http=HttpFacts(status=endpoint.expect.status or 200))
    return seen


def _failure(endpoint: Endpoint, step: Step, failure: str) -> Observation:
    """The failure at the end of a probe's limit."""
    seen = Observation(
        step=step,
        started_us=0,
        took_us=GIVEN_UP_US.get(step, OTHERWISE_GIVEN_UP_US),
        failure=failure,
        operation=Operation.CONNECT if step is Step.TCP else Operation.READ,
    )
    if endpoint.transport is Transport.UDP:
        seen = replace(seen, bytes_sent=28 * SENDS, packets_sent=SENDS)
    return replace(seen, stun=StunFacts(sends=SENDS)) if step in STUN else seen
