"""What interference, and its absence, looks like to a probe: the observations of one attempt. Facts, never verdicts.

A technique says what is observed at one endpoint, or None where it leaves that endpoint alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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

Observations = tuple[Observation, ...]
Technique = Callable[[Endpoint, int], Observations | None]  # the round trip in µs

STEPS = {  # the steps of a handshake, in order
    "tcp": (Step.TCP,),
    "tls": (Step.TCP, Step.TLS),
    "http": (Step.TCP, Step.HTTP),
    "stun": (Step.STUN,),
    "turn": (Step.TURN,),
}
OF_TRANSPORT = {Transport.TCP: (Step.TCP,), Transport.UDP: (Step.TURN,)}  # of a handshake that is not told above
GIVEN_UP_US = {Step.TCP: 10_000_000, Step.TLS: 10_000_000, Step.STUN: 8_000_000, Step.TURN: 8_000_000}
SENDS = 7  # of a UDP request that stays unanswered
UNAUTHORIZED = 401
UNREACHABLE, ADMINISTRATIVELY = 3, 13  # ICMP


def answered(endpoint: Endpoint, rtt_us: int) -> Observations:
    """Nobody interferes."""
    steps = _steps(endpoint)
    return tuple(_answer(step, endpoint, i * rtt_us, rtt_us) for i, step in enumerate(steps))


def silence(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """Nothing comes back from the address."""
    step = _steps(endpoint)[0]
    return (_failure(step, TIMEOUT, took_us=GIVEN_UP_US[step]),)


def reject(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """A box on the way answers with ICMP: prohibited."""
    step = _steps(endpoint)[0]
    icmp = IcmpFacts(type=UNREACHABLE, code=ADMINISTRATIVELY, from_target=False)
    return (_failure(step, PROHIBITED, took_us=GIVEN_UP_US[step], icmp=icmp),)


def reset(endpoint: Endpoint, rtt_us: int) -> Observations | None:
    """TLS is broken off after the service's name was read; what is not TLS passes."""
    if Step.TLS not in _steps(endpoint):
        return None
    tls = TlsFacts(hello_bytes=517)
    return (
        _answer(Step.TCP, endpoint, 0, rtt_us),
        _failure(Step.TLS, RESET, started_us=rtt_us, took_us=rtt_us // 2, bytes_sent=517, tls=tls),
    )


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
    return STEPS.get(endpoint.handshake, OF_TRANSPORT[endpoint.transport])


def _answer(step: Step, endpoint: Endpoint, started_us: int, took_us: int) -> Observation:
    tls = TlsFacts(hello_bytes=517, version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384") if step is Step.TLS else None
    http = HttpFacts(status=endpoint.expect.status or 200) if step is Step.HTTP else None
    stun = None
    if step in (Step.STUN, Step.TURN):
        code = UNAUTHORIZED if step is Step.TURN else None
        stun = StunFacts(error_code=code, realm=endpoint.expect.realm)
    sent, received = (1, 1) if stun else (0, 0)
    return Observation(
        step=step,
        started_us=started_us,
        took_us=took_us,
        failure=None,
        bytes_sent=28 * sent,
        bytes_received=96 * received,
        packets_sent=sent,
        packets_received=received,
        stun=stun,
        tls=tls,
        http=http,
    )


def _failure(
    step: Step,
    failure: str,
    *,
    took_us: int,
    started_us: int = 0,
    bytes_sent: int = 0,
    icmp: IcmpFacts | None = None,
    tls: TlsFacts | None = None,
) -> Observation:
    over_udp = step in (Step.STUN, Step.TURN)
    return Observation(
        step=step,
        started_us=started_us,
        took_us=took_us,
        failure=failure,
        operation=Operation.READ if over_udp or step is Step.TLS else Operation.CONNECT,
        bytes_sent=28 * SENDS if over_udp else bytes_sent,
        packets_sent=SENDS if over_udp else 0,
        stun=StunFacts(sends=SENDS) if over_udp else None,
        tls=tls,
        icmp=icmp,
    )
