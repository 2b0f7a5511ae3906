"""DTLS that stays silent: what is beside it tells whether it is the hello, DTLS, or the address."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import TIMEOUT, TLS_FAILED
from probe.judge import Evidence, judge
from probe.model import Attempt, DtlsFacts, Endpoint, Grade, State, Step
from tests.probe.judge.evidence import CALL, LINK, STUN, attempt, control, evidence, measurement, neutral, seen

PION, BROWSER, FIRST = (replace(STUN, handshake=name) for name in ("dtls", "dtls-browser", "dtls-hello"))


def fails(failure: str, where: Endpoint = PION, **facts: Any) -> Attempt:
    return attempt(where, seen(Step.DTLS, failure, **facts))


def passes(where: Endpoint, step: Step = Step.DTLS, grade: Grade = Grade.BOUND) -> Attempt:
    return attempt(where, seen(step), grade=grade)


def given(*attempts: Attempt, target: Any = None, **more: Any) -> Evidence:
    """A control reached the service by all three."""
    genuine = (passes(PION), passes(BROWSER), passes(FIRST, grade=Grade.TRANSPORT))
    target = target or replace(CALL, endpoints=(PION,))
    return evidence(target, *attempts, **{"rounds": 2, "controls": [control(measurement(CALL, *genuine))], **more})


def judged(*attempts: Attempt, **more: Any) -> tuple[str, State, str | None]:
    verdict = judge(given(*attempts, **more))
    return verdict.rule, verdict.state, verdict.mechanism


def test_a_hello_that_is_dropped_and_another_that_is_not() -> None:
    expected = ("dtls_hello_dropped", State.LIKELY_BLOCKED, "dtls.drop")
    assert judged(fails(TIMEOUT), passes(BROWSER)) == expected
    target = replace(CALL, endpoints=(BROWSER,))
    assert judged(fails(TIMEOUT, BROWSER), passes(PION), target=target) == expected


def test_dtls_that_is_dropped_where_other_udp_passes() -> None:
    beside = passes(STUN, Step.STUN)
    assert judged(fails(TIMEOUT), fails(TIMEOUT, BROWSER), beside)[1:] == (State.LIKELY_BLOCKED, "dtls.drop")


BEGUN = [DtlsFacts(hello_verify=True), DtlsFacts(server_hello=True), DtlsFacts(hello_verify=True, server_hello=True)]
NEUTRAL_DTLS = replace(neutral("stun", port=5349), handshake="dtls", flights=3)
AS_LONG = replace(LINK, neutrals=(*LINK.neutrals, NEUTRAL_DTLS))


@pytest.mark.parametrize("facts", BEGUN)
def test_a_handshake_that_is_cut_off(facts: DtlsFacts) -> None:
    """(This accused beside one-flight STUN alone, and so every line that loses much.)"""
    assert judged(fails(TIMEOUT, dtls=facts))[:2] == ("begun_without_equal", State.INSUFFICIENT)
    assert judged(fails(TIMEOUT, dtls=facts), link=AS_LONG) == ("dtls_dropped", State.LIKELY_BLOCKED, "dtls.drop")


@pytest.mark.parametrize("facts", BEGUN)
def test_a_hello_that_was_answered_is_not_dropped(facts: DtlsFacts) -> None:
    beside = passes(BROWSER)
    assert judged(fails(TIMEOUT, dtls=facts), beside)[1] is State.INSUFFICIENT
    assert judged(fails(TIMEOUT, dtls=facts), beside, link=AS_LONG)[0] == "dtls_dropped"


@pytest.mark.parametrize("change", [{"failure": TIMEOUT}, {"flights": 2}, {"family": 6}, {"transport": "tcp"}])
def test_a_neutral_that_is_no_equal(change: dict[str, Any]) -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, replace(NEUTRAL_DTLS, **change)))
    assert judged(fails(TIMEOUT, dtls=BEGUN[2]), link=link)[0] == "begun_without_equal"


def test_alone_only_the_endpoint_can_be_named() -> None:
    silent = fails(TIMEOUT, dtls=DtlsFacts(sends=7))
    assert judged(silent) == ("dtls_endpoint_dropped", State.LIKELY_BLOCKED, "udp.endpoint.drop")
    first = replace(CALL, endpoints=(FIRST,))
    assert judged(fails(TIMEOUT, FIRST), target=first)[2] == "udp.endpoint.drop"


def test_silence_needs_two_rounds_and_neutral_udp() -> None:
    assert judged(fails(TIMEOUT), passes(BROWSER), rounds=1)[0] == "silence_once"
    dead = replace(LINK, neutrals=(neutral("tls"), neutral("stun", TIMEOUT, port=3478)))
    assert judged(fails(TIMEOUT), passes(BROWSER), link=dead)[0] == "neutral_failed"


def test_an_alert_accuses_nobody() -> None:
    assert judged(fails(TLS_FAILED))[1] in (State.INSUFFICIENT, State.IMPAIRED)


def test_the_first_answer_is_enough_where_no_more_is_expected() -> None:
    first = replace(CALL, endpoints=(FIRST,))
    assert judge(given(passes(FIRST, grade=Grade.TRANSPORT), target=first, rounds=1)).paths[0].state is State.OK
    (path,) = judge(given(passes(PION, grade=Grade.TRANSPORT), rounds=1)).paths
    assert path.rule == "other_mark"
