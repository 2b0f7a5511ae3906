"""Small inputs to the judge from a second simulated country: what was said there, and must not be."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.judge import Evidence, judge
from probe.model import (
    Attempt,
    ControlMeasurement,
    DnsFacts,
    DtlsFacts,
    Endpoint,
    Expect,
    Grade,
    Hop,
    HopKind,
    HttpFacts,
    Link,
    Measurement,
    Network,
    Neutral,
    Observation,
    Operation,
    Plane,
    ReplyKind,
    Resolution,
    ResolverCheck,
    State,
    Step,
    Sweep,
    Target,
    Transport,
    Via,
)

STARTED_MS = 1_800_000_000_000
RELAY, WEB, SITE = "198.51.100.7", "198.51.100.20", "www.some.example"
UDP, TCP = Transport.UDP, Transport.TCP


def neutral(handshake: str, transport: Transport, port: int) -> Neutral:
    return Neutral(
        target=f"baseline/{handshake}", handshake=handshake, transport=transport, port=port, family=4, failure=None
    )


LINK = Link(
    up=True,
    neutrals=(
        neutral("stun", UDP, 3478), neutral("stun", UDP, 19302), neutral("tls", TCP, 443), neutral("http", TCP, 80),
    ),
    resolvers=(ResolverCheck(resolver="isp", truthful=True),),
)  # fmt: skip
ACCUSING = {State.BLOCKED, State.LIKELY_BLOCKED}


def seen(step: Step, failure: str | None = None, operation: Operation | None = None, **facts: Any) -> Observation:
    return Observation(step=step, started_us=0, took_us=1, failure=failure, operation=operation, **facts)


def measured(target: Target, *attempts: Attempt, **more: Any) -> Measurement:
    given: dict[str, Any] = {"uid": "0" * 32, "cycle": "1" * 32, "round": 1, "started_ms": STARTED_MS}
    return Measurement(
        **{**given, "target": target.id, "clock_offset_ms": 0, "link": LINK, "attempts": attempts, **more}
    )


def twice(target: Target, *attempts: Attempt, before: tuple[Attempt, ...] | None = None, **more: Any) -> Evidence:
    controls = more.pop("controls")
    first = measured(target, *(attempts if before is None else before), **more)
    second = measured(target, *attempts, round=2, **more)
    return Evidence(measurement=second, target=target, earlier=first, controls=controls, calibrating=controls)


def two_controls(*measurements: Measurement) -> tuple[ControlMeasurement, ...]:
    return tuple(
        ControlMeasurement(key=str(at), network=Network(operator=f"c{at}"), measurement=each)
        for at, each in enumerate(measurements * (2 // len(measurements)))
    )


def asked(*answers: str) -> Resolution:
    facts = DnsFacts(resolver="isp", rcode="NOERROR", answers=answers)
    return Resolution(host=SITE, observation=seen(Step.DNS, dns=facts))


# --- A handshake of several flights on a line that loses much -----------------------------------------------------

DTLS = Endpoint(host=RELAY, port=5349, transport=UDP, handshake="dtls")
CALL = Target(id="some/call", plane=Plane.MEDIA, endpoints=(DTLS,))


def dtls(*observations: Observation, handshake: str = "dtls", grade: Grade | None = None) -> Attempt:
    return Attempt(
        host=RELAY, port=5349, transport=UDP, handshake=handshake, address=RELAY, grade=grade, observations=observations
    )


HALF = dtls(
    seen(
        Step.DTLS, "generic_timeout_error", Operation.READ, bytes_received=1166, packets_received=5,
        dtls=DtlsFacts(sends=9, hello_verify=True, server_hello=True),
    )
)  # fmt: skip
WHOLE = dtls(seen(Step.DTLS), grade=Grade.BOUND)
OTHER = dtls(seen(Step.DTLS), handshake="dtls-browser", grade=Grade.BOUND)


@pytest.mark.parametrize("beside", [(), (OTHER,)], ids=["alone", "another hello passed once"])
def test_dtls_that_began_twice_and_was_not_finished(beside: tuple[Attempt, ...]) -> None:
    """This hello was answered; and burst loss of 20 %, or a NAT that rebinds, does this to any three flights."""
    controls = two_controls(measured(CALL, WHOLE))
    verdict = judge(twice(CALL, HALF, *beside, before=(HALF,), controls=controls))
    assert verdict.state not in ACCUSING
    assert (verdict.state, verdict.rule) == (State.INSUFFICIENT, "begun_without_equal")


# --- A connection that somebody nearer than the service opens -----------------------------------------------------

TLS = Endpoint(host=SITE, port=443, transport=TCP, handshake="tls")
SITE_TARGET = Target(id="some/web", plane=Plane.WEB, endpoints=(TLS,))


def tls(failure: str | None = None) -> Attempt:
    return Attempt(
        host=SITE, port=443, transport=TCP, handshake="tls", address=WEB, via=Via.SYSTEM,
        grade=None if failure else Grade.BOUND,
        observations=(seen(Step.TCP), seen(Step.TLS, failure, Operation.READ if failure else None)),
    )  # fmt: skip


def hops(seen_by: int, then: ReplyKind, *, named: bool = True, end: int = 8) -> tuple[Hop, ...]:
    def kind(ttl: int) -> HopKind | None:
        return None if not named else HopKind.PRIVATE if ttl == 1 else HopKind.PUBLIC

    exceeded = [Hop(ttl=ttl, came=ReplyKind.EXCEEDED, kind=kind(ttl)) for ttl in range(1, seen_by + 1)]
    return (*exceeded, *(Hop(ttl=ttl, came=then) for ttl in range(seen_by + 1, end)))


SWEPT: dict[str, Any] = {"host": SITE, "port": 443, "transport": TCP, "family": 4, "address": WEB}
SYN_PROXY = (
    Sweep(step=Step.TCP, hops=hops(2, ReplyKind.ANSWER), **SWEPT),
    Sweep(step=Step.TLS, hops=hops(2, ReplyKind.SILENCE, named=False), **SWEPT),
    Sweep(step=Step.TCP, host="n.example", port=443, transport=TCP, family=4, neutral=True,
          hops=hops(8, ReplyKind.ANSWER, end=10)),
)  # fmt: skip


def test_a_syn_proxy_shows_nothing_about_the_name() -> None:
    silent = tls("generic_timeout_error")
    controls = two_controls(measured(SITE_TARGET, tls(), resolutions=(asked(WEB),)))
    given = twice(SITE_TARGET, silent, controls=controls, resolutions=(asked(WEB),), sweeps=SYN_PROXY)
    verdict = judge(given)
    assert verdict.mechanism not in ("tls.sni.drop", "tls.sni.reset")
    assert verdict.state in (State.LIKELY_BLOCKED, State.IMPAIRED)  # impaired while routing is not excluded
    other = replace(
        silent, handshake="tls-other-name", observations=(seen(Step.TCP), seen(Step.TLS, "generic_timeout_error"))
    )
    compared = replace(given.measurement, attempts=(silent, other))
    assert judge(replace(given, measurement=compared)).mechanism not in ("tls.sni.drop", "tls.sni.reset")


# --- A refusal in clear -------------------------------------------------------------------------------------------

PAGE = Endpoint(host=SITE, port=80, transport=TCP, handshake="http", expect=Expect(status=200))
PAGE_TARGET = Target(id="some/web", plane=Plane.WEB, endpoints=(PAGE,))


def page(*observations: Observation, grade: Grade | None = None) -> Attempt:
    return Attempt(
        host=SITE, port=80, transport=TCP, handshake="http", address=WEB, via=Via.SYSTEM, grade=grade,
        observations=observations,
    )  # fmt: skip


def test_a_page_that_refuses_in_clear_where_controls_get_the_expected_one() -> None:
    facts = HttpFacts(status=451, title="Unavailable For Legal Reasons")
    refusal = seen(Step.HTTP, "http_unexpected_status_code", Operation.VERIFY, bytes_received=239, http=facts)
    refused = page(seen(Step.TCP), refusal)
    expected = page(seen(Step.TCP), seen(Step.HTTP, http=HttpFacts(status=200)), grade=Grade.TRANSPORT)
    controls = two_controls(measured(PAGE_TARGET, expected, resolutions=(asked(WEB),)))
    given = twice(PAGE_TARGET, refused, controls=controls, resolutions=(asked(WEB),))
    for each in (given, replace(given, earlier=None, measurement=replace(given.measurement, round=1))):
        verdict = judge(each)
        assert (verdict.state, verdict.rule) == (State.IMPAIRED, "page_refused")
        assert verdict.reason.startswith("in clear another page comes")
