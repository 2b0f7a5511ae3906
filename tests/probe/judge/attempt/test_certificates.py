"""Certificates that are not the service's, or only look so: another edge's, an authority that is new, half a chain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import TIMEOUT, TLS_AUTHORITY, TLS_CERTIFICATE, TLS_HOSTNAME
from probe.judge import Evidence, judge
from probe.model import Attempt, DtlsFacts, Grade, Observation, QuicFacts, State, Step, TlsFacts, Transport
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    LINK,
    STARTED_MS,
    STUN,
    TLS,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
    tls_ok,
)

LEAF, ISSUER, STRANGER = "cc" * 32, "bb" * 32, "dd" * 32  # controls are shown the issuer bb
MONTH_MS = 30 * 86_400_000


def shown(failure: str, issuer: str = STRANGER, contradicted: bool = False) -> Attempt:
    facts = TlsFacts(hello_bytes=300, leaf_sha256=LEAF, issuer_sha256=issuer, contradicted=contradicted)
    return attempt(TLS, seen(Step.TCP), seen(Step.TLS, failure, tls=facts))


def said(given_: Evidence) -> tuple[str, State, str | None]:
    verdict = judge(given_)
    return verdict.rule, verdict.state, verdict.mechanism


MITM = ("tls_mitm", State.BLOCKED, "tls.mitm")


@pytest.mark.parametrize("failure", [TLS_AUTHORITY, TLS_HOSTNAME])
def test_another_leaf_of_the_issuer_that_controls_saw_may_be_another_edges(failure: str) -> None:
    assert said(evidence(CHAT, shown(failure, ISSUER), rounds=2)) == ("leaf_differs", State.IMPAIRED, None)
    assert said(evidence(CHAT, shown(failure), rounds=2)) == MITM


def test_a_copied_name_is_told_by_the_signature() -> None:
    assert said(evidence(CHAT, shown(TLS_AUTHORITY, ISSUER, contradicted=True), rounds=2)) == MITM


def test_an_issuer_that_a_control_saw_and_did_not_get_through_with_excuses_nobody() -> None:
    broken = attempt(TLS, seen(Step.TCP), seen(Step.TLS, TIMEOUT, tls=TlsFacts(issuer_sha256=STRANGER)))
    controls = [control(measurement(CHAT, each), number) for number, each in enumerate((tls_ok(), tls_ok(), broken))]
    assert said(evidence(CHAT, shown(TLS_AUTHORITY), rounds=2, controls=controls)) == MITM


@pytest.mark.parametrize(
    ("as_of_ms", "rule"),
    [
        (STARTED_MS - 19 * MONTH_MS, "trust_store_old"),
        (None, "trust_store_old"),  # of any age
        (STARTED_MS - 17 * MONTH_MS, "tls_mitm"),
        (STARTED_MS + MONTH_MS, "tls_mitm"),
    ],
)
def test_an_old_list_of_authorities_takes_a_new_one_for_a_forger(as_of_ms: int | None, rule: str) -> None:
    link = replace(LINK, trust_store_ms=as_of_ms)
    assert judge(evidence(CHAT, shown(TLS_AUTHORITY), rounds=2, link=link)).rule == rule
    assert judge(evidence(CHAT, shown(TLS_HOSTNAME), rounds=2, link=link)).rule == "tls_mitm"  # its authority is known
    forged = shown(TLS_AUTHORITY, ISSUER, contradicted=True)
    assert judge(evidence(CHAT, forged, rounds=2, link=link)).rule == "tls_mitm"  # by an authority that it does know


def test_once_is_nothing() -> None:
    once = ("anothers_certificate_once", State.INSUFFICIENT, None)
    assert said(evidence(CHAT, shown(TLS_AUTHORITY))) == once
    twice = evidence(CHAT, shown(TLS_AUTHORITY), rounds=2)
    for earlier in (tls_ok(), shown(TLS_CERTIFICATE), replace(shown(TLS_AUTHORITY), port=8443)):
        assert said(replace(twice, earlier=measurement(CHAT, earlier))) == once
    assert said(replace(twice, earlier=measurement(CHAT, shown(TLS_HOSTNAME)))) == MITM


def test_a_certificate_by_a_root_that_we_trust_is_the_services_whatever_controls_were_shown() -> None:
    """Services change their authorities, and have several at once; that it differs from theirs tells nothing."""
    facts = TlsFacts(hello_bytes=300, leaf_sha256=LEAF, issuer_sha256=STRANGER)
    other = attempt(TLS, seen(Step.TCP), seen(Step.TLS, tls=facts), grade=Grade.BOUND)
    assert judge(evidence(CHAT, other, rounds=2)).state is State.OK
    pinned = replace(CHAT, endpoints=(replace(TLS, ca="own"),))
    assert said(evidence(pinned, other, rounds=2)) == ("other_mark", State.INSUFFICIENT, None)


# --- Whatever carries the certificate -----------------------------------------------------------------------------

QUIC = replace(TLS, transport=Transport.UDP, handshake="quic")
DTLS = replace(STUN, handshake="dtls", server_name="call.service.example")
CARRIERS = [
    pytest.param(TLS, (seen(Step.TCP),), Step.TLS, {}, id="tls"),
    pytest.param(QUIC, (), Step.QUIC, {"quic": QuicFacts(initial=True)}, id="quic"),
    pytest.param(DTLS, (), Step.DTLS, {"dtls": DtlsFacts(server_hello=True)}, id="dtls"),
]


@pytest.mark.parametrize(("endpoint", "before", "step", "facts"), CARRIERS)
def test_each_carrier_is_judged_alike(endpoint: Any, before: tuple[Observation, ...], step: Step, facts: Any) -> None:
    target = replace(CALL if step is Step.DTLS else CHAT, endpoints=(endpoint,))
    link = replace(LINK, neutrals=(*LINK.neutrals, replace(neutral("quic"), transport=Transport.UDP)))

    def shows(failure: str | None, issuer: str, contradicted: bool = False) -> Attempt:
        tls = TlsFacts(leaf_sha256=LEAF if failure else "aa" * 32, issuer_sha256=issuer, contradicted=contradicted)
        grade = None if failure else Grade.BOUND
        return attempt(endpoint, *before, seen(step, failure, tls=tls, **facts), grade=grade)

    controls = [control(measurement(target, shows(None, ISSUER)))]

    def rule(*arguments: Any, **more: Any) -> str:
        return judge(evidence(target, shows(*arguments), rounds=2, controls=controls, link=link, **more)).rule

    assert rule(TLS_AUTHORITY, STRANGER) == "tls_mitm"
    assert rule(TLS_AUTHORITY, ISSUER) == "leaf_differs"
    assert rule(TLS_AUTHORITY, ISSUER, True) == "tls_mitm"
    assert rule(TLS_CERTIFICATE, STRANGER) == "certificate_expired"


# --- Innocent explanations ----------------------------------------------------------------------------------------

EXPLANATIONS: dict[str, Any] = {
    "the issuer that controls saw": lambda given_: _shows(given_, shown(TLS_AUTHORITY, ISSUER)),
    "an old list": lambda given_: _linked(given_, trust_store_ms=STARTED_MS - 30 * MONTH_MS),
    "no date": lambda given_: _linked(given_, trust_store_ms=None),
    "once": lambda given_: replace(given_, earlier=None),
    "neutral names too": lambda given_: _linked(given_, neutrals=(*LINK.neutrals, neutral("tls", TLS_AUTHORITY))),
    "controls too": lambda given_: replace(given_, controls=(control(measurement(CHAT, shown(TLS_AUTHORITY))),)),
    "no control": lambda given_: replace(given_, controls=()),
}


def _shows(given_: Evidence, attempt_: Attempt) -> Evidence:
    return replace(given_, measurement=replace(given_.measurement, attempts=(attempt_,)))


def _linked(given_: Evidence, **fields: Any) -> Evidence:
    link = replace(given_.measurement.link, **fields)
    return replace(given_, measurement=replace(given_.measurement, link=link))


@given(st.sets(st.sampled_from(sorted(EXPLANATIONS)), min_size=1))
def test_any_innocent_explanation_is_enough(names: set[str]) -> None:
    given_ = evidence(CHAT, shown(TLS_AUTHORITY), rounds=2)
    for name in sorted(names):
        given_ = EXPLANATIONS[name](given_)
    assert judge(given_).state in (State.INSUFFICIENT, State.IMPAIRED)
