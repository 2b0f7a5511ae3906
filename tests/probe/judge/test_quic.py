"""QUIC that stays silent: what is beside it tells whether it is the name, QUIC, or the address."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import RESET, TIMEOUT, TLS_AUTHORITY, TLS_FAILED, UNEXPECTED_REPLY, UNEXPECTED_STATUS
from probe.judge import Evidence, judge
from probe.model import Attempt, Endpoint, Grade, HttpFacts, Observation, State, Step, TlsFacts, Transport, Verdict
from tests.probe.judge.evidence import (
    CHAT,
    LINK,
    NEUTRALS,
    TLS,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
    tls_fails,
    tls_ok,
)

QUIC = replace(TLS, transport=Transport.UDP, handshake="quic")
OTHER_NAME = replace(QUIC, handshake="quic-other-name")
ONLY = replace(CHAT, endpoints=(QUIC,))
BOTH = replace(CHAT, endpoints=(TLS, QUIC))
NEUTRAL = replace(neutral("quic"), transport=Transport.UDP)
QUIC_LINK = replace(LINK, neutrals=(*NEUTRALS, NEUTRAL))
PROVED = {"grade": Grade.BOUND}


def fails(failure: str, where: Endpoint = QUIC, **facts: Any) -> Attempt:
    return attempt(where, seen(Step.QUIC, failure, **facts))


def other_name(failure: str | None) -> Attempt:
    return attempt(OTHER_NAME, seen(Step.QUIC, failure), grade=None if failure else Grade.BOUND)


def given(*attempts: Attempt, target: Any = ONLY, rounds: int = 2, link: Any = QUIC_LINK) -> Evidence:
    """A control reached the service by TLS and by QUIC."""
    genuine = (attempt(QUIC, seen(Step.QUIC), **PROVED), tls_ok())
    return evidence(
        target, *attempts, rounds=rounds, link=link, controls=[control(measurement(CHAT, *genuine))],
        resolutions=measurement(CHAT).resolutions,
    )  # fmt: skip


def judged(*attempts: Attempt, **more: Any) -> tuple[str, State, str | None]:
    verdict = judge(given(*attempts, **more))
    return verdict.rule, verdict.state, verdict.mechanism


def test_a_name_that_is_dropped() -> None:
    assert judged(fails(TIMEOUT), other_name(None)) == ("quic_name_dropped", State.LIKELY_BLOCKED, "quic.sni.drop")


def test_quic_that_is_dropped_where_tcp_connects() -> None:
    beside = attempt(TLS, seen(Step.TCP), seen(Step.TLS, RESET))
    assert judged(fails(TIMEOUT), other_name(TIMEOUT), beside)[1:] == (State.LIKELY_BLOCKED, "quic.drop")


def test_without_tcp_beside_it_only_the_endpoint_can_be_named() -> None:
    beside = attempt(TLS, seen(Step.TCP, TIMEOUT))
    expected = ("quic_endpoint_dropped", State.LIKELY_BLOCKED, "udp.endpoint.drop")
    assert judged(fails(TIMEOUT), other_name(TIMEOUT), beside) == expected
    elsewhere = attempt(TLS, seen(Step.TCP), address="198.51.100.11")
    assert judged(fails(TIMEOUT), other_name(TIMEOUT), elsewhere) == expected


def test_tls_that_works_makes_it_a_forced_fallback() -> None:
    verdict: Verdict = judge(given(tls_ok(), fails(TIMEOUT), other_name(TIMEOUT), target=BOTH))
    assert (verdict.state, verdict.mechanism) == (State.DEGRADED, "forced_fallback")
    (path,) = [path for path in verdict.paths if path.handshake == "quic"]
    assert path.mechanism == "quic.drop"


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"rounds": 1}, "silence_once"),
        ({"link": LINK}, "neutral_failed"),
        ({"link": replace(LINK, neutrals=(*NEUTRALS, replace(NEUTRAL, failure=TIMEOUT)))}, "neutral_failed"),
    ],
)
def test_silence_needs_two_rounds_and_neutral_quic(more: dict[str, Any], rule: str) -> None:
    assert judged(fails(TIMEOUT), other_name(None), **more)[:2] == (rule, State.INSUFFICIENT)


def test_a_forged_certificate_is_one_over_quic_too() -> None:
    forged = fails(TLS_AUTHORITY, tls=TlsFacts(leaf_sha256="cc" * 32))
    assert judged(forged)[1:] == (State.BLOCKED, "tls.mitm")
    assert judged(forged, rounds=1)[:2] == ("anothers_certificate_once", State.INSUFFICIENT)


@pytest.mark.parametrize("failure", [TLS_FAILED, UNEXPECTED_REPLY, "quic_incompatible_version"])
def test_a_close_or_a_list_of_versions_accuses_nobody(failure: str) -> None:
    assert judged(fails(failure))[1] in (State.INSUFFICIENT, State.IMPAIRED)


def test_a_refusal_over_http_3_is_the_services_own() -> None:
    refused: Observation = seen(Step.HTTP, UNEXPECTED_STATUS, http=HttpFacts(status=451))
    assert judged(attempt(QUIC, seen(Step.QUIC), refused))[1:] == (State.IMPAIRED, "service.refusal")


def test_where_all_fails_the_weaker_is_said() -> None:
    verdict = judge(given(tls_fails(TIMEOUT), fails(TIMEOUT), other_name(None), target=BOTH))
    assert verdict.state is State.LIKELY_BLOCKED
