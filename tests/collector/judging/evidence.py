"""A judge for tests of what stands around the judge: deterministic, and its reason betrays all that it was shown."""

from __future__ import annotations

from collections.abc import Sequence

from collector.judging.rules import Rules
from collector.log import Record
from probe.judge.cells import Line
from probe.judge.evidence import Evidence
from probe.model import (
    Access,
    Attempt,
    Cell,
    ControlMeasurement,
    DnsFacts,
    Endpoint,
    Grade,
    Link,
    Measurement,
    Network,
    Observation,
    Plane,
    Resolution,
    State,
    Step,
    Target,
    Targets,
    Transport,
    Verdict,
    Via,
    Void,
)

HOUR = 492_222  # some hour of 2026
START_MS = HOUR * 3_600_000
MAROC = Network(country="MA", asn=36903, operator="Maroc Telecom")
MEDI = Network(country="MA", asn=36925, operator="Medi Telecom")
SPAIN = Network(country="ES", asn=3352, operator="Telefonica")

CALIBRATED, UNCALIBRATED, BROKEN = "a" * 64, "b" * 64, "c" * 64
BODIES = {CALIBRATED: b"calibrated", UNCALIBRATED: b"uncalibrated"}


def parse(body: bytes, name: str) -> Targets:
    """A targets file of one word."""
    endpoint = Endpoint(
        host="example.net", port=443, transport=Transport.TCP, handshake="tls", uncalibrated=body == b"uncalibrated"
    )
    ids = ("whatsapp/chat", "viber/call")
    return Targets(targets=tuple(Target(id=i, plane=Plane.SIGNALLING, endpoints=(endpoint,)) for i in ids))


def judge(evidence: Evidence) -> Verdict:
    measurement = evidence.measurement
    return Verdict(
        target=measurement.target,
        state=_state(evidence),
        mechanism=None,
        depth=None,
        grade=None,
        step=None,
        rule="shown",
        rules_version=1,
        reason=" ".join(
            (
                f"target={evidence.target is not None} clock={evidence.clock_known} network={evidence.network.asn}",
                f"earlier={evidence.earlier.uid if evidence.earlier else None}",
                f"controls={_uids(evidence.controls)} calibrating={_uids(evidence.calibrating)}",
                f"neighbours={ {a: (n.reached, n.failed) for a, n in sorted(evidence.neighbours.items())} }",
                f"reached={sorted(evidence.reached)}",
                f"networks={sorted(evidence.networks)} lines={dict(sorted((evidence.resolver_lines or {}).items()))}",
            )
        ),
        uid=measurement.uid,
        round=measurement.round,
    )


def _state(evidence: Evidence) -> State:
    if evidence.target is None or not evidence.clock_known:
        return State.INSUFFICIENT
    if any(attempt.grade for attempt in evidence.measurement.attempts):
        return State.OK
    return State.LIKELY_BLOCKED if evidence.controls else State.INSUFFICIENT


def _uids(controls: Sequence[ControlMeasurement]) -> list[str]:
    return [c.measurement.uid for c in controls]


def cell(target: str, network: Network, access: Access, since_ms: int, until_ms: int, latest: Sequence[Line]) -> Cell:
    states = [line.verdict.state.value for line in latest]
    counted = [state for state in states if state != "insufficient"]
    agreed = len(counted) >= 3 and len(set(counted)) == 1
    return Cell(
        target=target,
        network=network,
        access=access,
        since_ms=since_ms,
        until_ms=until_ms,
        state=State(counted[0]) if agreed else State.INSUFFICIENT,
        mechanism=None,
        lines=len(states),
        counted=len(counted),
        states={state: states.count(state) for state in states},
    )


def access_of(link: Link) -> Access:
    return link.declared


RULES = Rules(judge=judge, cell=cell, access_of=access_of, version=1)


def resolution(prefix: str | None, over: Transport = Transport.UDP) -> Resolution:
    facts = DnsFacts(resolver="isp", resolver_prefix=prefix, transport=over)
    seen = Observation(step=Step.DNS, started_us=0, took_us=1, failure=None, dns=facts)
    return Resolution(host="chat.example", observation=seen)


def record(
    uid: str = "1",
    *,
    key: str = "k1",
    target: str = "whatsapp/chat",
    minute: int = 0,
    cycle: str = "c",
    round: int = 1,
    network: Network = MAROC,
    reached: Sequence[str] = (),
    failing: Sequence[str] = (),
    void: Void | None = None,
    targets: str = CALIBRATED,
    clock_known: bool = True,
    simulated: bool = False,
    declared: Access = Access.ADSL,
    resolver: str | None = None,
    asked_over: Transport = Transport.UDP,
) -> Record:
    """A record that starts `minute` minutes after START_MS and reached these addresses, or failed at those.

    `resolver`: the prefix of the operator's resolver that it asked.
    """
    started_ms = START_MS + minute * 60_000
    attempts = tuple(
        Attempt(
            host=address,
            port=443,
            transport=Transport.TCP,
            handshake="tls",
            address=address,
            grade=Grade.BOUND,
        )
        for address in reached
    )
    silence = Observation(step=Step.TCP, started_us=0, took_us=1, failure="generic_timeout_error")
    attempts += tuple(
        Attempt(
            host="example.net",
            port=443,
            transport=Transport.TCP,
            handshake="tls",
            address=address,
            via=Via.SYSTEM,
            observations=(silence,),
        )
        for address in failing
    )
    measurement = Measurement(
        uid=uid,
        target=target,
        cycle=cycle,
        round=round,
        started_ms=started_ms,
        clock_offset_ms=0,
        link=Link(up=True, void=void, declared=declared),
        attempts=attempts,
        resolutions=(resolution(resolver, asked_over),) if resolver is not None else (),
        simulated=simulated,
    )
    return Record(
        cursor=0,
        key=key,
        measurement=measurement,
        started_ms=started_ms,
        clock_known=clock_known,
        received_ms=started_ms + 1000,
        network=network,
        resolver_networks={},
        targets=targets,
        software="ringback 0.1",
    )
