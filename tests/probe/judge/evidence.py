"""Builders of evidence: a healthy line measuring a service that is alive, and ways in which things go wrong."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from probe.failure import TIMEOUT
from probe.judge import Evidence
from probe.judge.evidence import Neighbours
from probe.model import (
    Attempt,
    ControlMeasurement,
    DnsFacts,
    Endpoint,
    Expect,
    Grade,
    Link,
    Measurement,
    Network,
    Neutral,
    Observation,
    Operation,
    Plane,
    Resolution,
    ResolverCheck,
    Step,
    Target,
    TlsFacts,
    Transport,
    Via,
)

HOST = "chat.service.example"
HERE, FORGED, BOGON = "198.51.100.10", "203.0.113.66", "10.10.34.34"
V6 = "2001:db8::10"
TLS = Endpoint(host=HOST, port=443, transport=Transport.TCP, handshake="tls")
TCP = Endpoint(host=HOST, port=5222, transport=Transport.TCP, handshake="tcp")
TURN = Endpoint(host=HERE, port=3478, transport=Transport.UDP, handshake="turn", expect=Expect(realm="service.example"))
STUN = Endpoint(host=HERE, port=3478, transport=Transport.UDP, handshake="stun")
CHAT = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(TLS,))
CALL = Target(id="service/call", plane=Plane.MEDIA, endpoints=(TURN,))
ISP, PRIVATE, PUBLIC = "isp", "private", "quad9"
ISP_PREFIX = "192.0.2.0/24"
OPERATOR = Network(country="XE", asn=64500, operator="Operator")
NETWORKS = {
    ISP_PREFIX: OPERATOR,
    "198.51.100.0/24": Network(country="XW", asn=64510, operator="Service"),
    "203.0.113.0/24": Network(country="XE", asn=64520, operator="Ministry"),
}


def neutral(handshake: str, failure: str | None = None, port: int = 443, family: int = 4) -> Neutral:
    transport = Transport.UDP if handshake == "stun" else Transport.TCP
    return Neutral(
        target=f"baseline/{handshake}",
        handshake=handshake,
        transport=transport,
        port=port,
        family=family,
        failure=failure,
    )


REACHED_BY_OTHERS = {address: Neighbours(reached=2) for address in (HERE, V6)}
BESIDE = frozenset({"198.51.100.200", "2001:db8::200"})  # in the same prefixes
NEUTRALS = (neutral("tls"), neutral("http", port=80), neutral("stun", port=3478))
STARTED_MS = 1_000_000_000_000
LINK = Link(
    up=True,
    neutrals=NEUTRALS,
    resolvers=(ResolverCheck(resolver=ISP, truthful=True),),
    trust_store_ms=STARTED_MS - 40 * 86_400_000,
)


def seen(step: Step, failure: str | None = None, **fields: Any) -> Observation:
    operation = Operation.READ if failure else None
    return Observation(step=step, started_us=0, took_us=1000, failure=failure, operation=operation, **fields)


def attempt(endpoint: Endpoint, *observations: Observation, address: str = HERE, **fields: Any) -> Attempt:
    via = Via.LITERAL if endpoint.host == address else Via.SYSTEM
    return Attempt(
        host=endpoint.host,
        port=endpoint.port,
        transport=endpoint.transport,
        handshake=endpoint.handshake,
        address=address,
        via=fields.pop("via", via),
        observations=observations,
        **fields,
    )


def tls_ok(address: str = HERE, **fields: Any) -> Attempt:
    facts = TlsFacts(hello_bytes=300, leaf_sha256="aa" * 32, issuer_sha256="bb" * 32)
    return attempt(TLS, seen(Step.TCP), seen(Step.TLS, tls=facts), address=address, **{"grade": Grade.BOUND, **fields})


def tls_fails(failure: str, address: str = HERE, leaf: str | None = None, received: int = 0, **fields: Any) -> Attempt:
    observation = seen(
        Step.TLS, failure, tls=TlsFacts(hello_bytes=300, leaf_sha256=leaf), bytes_sent=300, bytes_received=received
    )
    return attempt(TLS, seen(Step.TCP), observation, address=address, **fields)


def other_name(failure: str | None = None, **fields: Any) -> Attempt:
    """The experiment beside TLS that failed: the same hello with a neutral name."""
    grade = None if failure else Grade.TRANSPORT
    where = replace(TLS, handshake="tls-other-name")
    return attempt(where, seen(Step.TCP), seen(Step.TLS, failure), grade=grade, **fields)


def tcp_fails(failure: str, endpoint: Endpoint = TLS, **fields: Any) -> Attempt:
    return attempt(endpoint, seen(Step.TCP, failure), **fields)


def turn_ok(**fields: Any) -> Attempt:
    return attempt(TURN, seen(Step.TURN), **{"grade": Grade.MARKED, **fields})


def turn_fails(failure: str = TIMEOUT, **fields: Any) -> Attempt:
    return attempt(TURN, seen(Step.TURN, failure, **fields))


def says(
    *answers: str, failure: str | None = None, resolver: str = ISP, qtype: str = "A", host: str = HOST, **facts: Any
) -> Resolution:
    prefix = {"resolver_prefix": ISP_PREFIX} if resolver == ISP else {}
    dns = DnsFacts(resolver=resolver, qtype=qtype, answers=answers, **(prefix | facts))
    return Resolution(host=host, observation=seen(Step.DNS, failure, dns=dns))


def measurement(target: Target, *attempts: Attempt, **fields: Any) -> Measurement:
    defaults: dict[str, Any] = {
        "uid": "11" * 16,
        "target": target.id,
        "cycle": "22" * 16,
        "round": 1,
        "started_ms": STARTED_MS,
        "clock_offset_ms": 0,
        "link": LINK,
        "attempts": attempts,
        "resolutions": (says(HERE),) if target is CHAT else (),
    }
    return Measurement(**{**defaults, **fields})


def control(measured: Measurement, number: int = 1) -> ControlMeasurement:
    network = Network(country="CH", asn=number, operator=f"control {number}")
    return ControlMeasurement(key=f"control-{number}", network=network, measurement=measured)


def evidence(target: Target, *attempts: Attempt, rounds: int = 1, controls: Any = None, **fields: Any) -> Evidence:
    """A healthy line of a known operator whose measurement has these attempts, and a control for which all is well.

    Two lines of another operator reach the service too, and this line its prefix: no route is lost.
    """
    names = ("resolutions", "link", "clock_offset_ms", "not_attempted")
    of_measurement = {name: fields.pop(name) for name in names if name in fields}
    measured = measurement(target, *attempts, round=rounds, **of_measurement)
    well = (control(measurement(target, tls_ok() if target is CHAT else turn_ok())),)
    return Evidence(
        measurement=measured,
        target=target,
        earlier=replace(measured, round=1) if rounds > 1 else None,
        controls=well if controls is None else tuple(controls),
        **{"network": OPERATOR, "networks": NETWORKS, "neighbours": REACHED_BY_OTHERS, "reached": BESIDE, **fields},
    )
