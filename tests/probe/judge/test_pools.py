"""Where one endpoint of a pool is easier than the others: it neither hides their ban nor makes one up."""

from __future__ import annotations

from msgspec.structs import replace

from probe.failure import TIMEOUT, UNEXPECTED_STATUS
from probe.judge import judge
from probe.model import Attempt, Endpoint, Expect, Grade, HttpFacts, State, Step, Transport
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    TLS,
    TURN,
    attempt,
    control,
    evidence,
    measurement,
    seen,
    turn_fails,
    turn_ok,
)

REFLECTOR = replace(TURN, port=597, handshake="reflector", expect=Expect(), uncalibrated=True)
PAGE = replace(TLS, port=80, handshake="http", expect=Expect(status=200))


def beside(other: Endpoint, *attempts: Attempt, **fields: object) -> State:
    target = replace(CALL, endpoints=(TURN, other))
    well = (control(measurement(target, turn_ok())),)
    return judge(evidence(target, turn_fails(), *attempts, rounds=2, controls=well, **fields)).state


def test_what_is_a_fact_only_hides_no_dead_relay() -> None:
    """It answers whoever asks, and proves nothing: Telegram's reflectors beside its relays."""
    answered = attempt(REFLECTOR, seen(Step.HELLO), grade=Grade.TRANSPORT)
    silent = attempt(REFLECTOR, seen(Step.HELLO, TIMEOUT))
    assert beside(REFLECTOR, answered) is beside(REFLECTOR, silent) is State.LIKELY_BLOCKED


def test_who_answers_without_a_mark_that_is_not_proven_hides_no_dead_relay() -> None:
    inferred = replace(TURN, port=443, uncalibrated=True)
    other = attempt(inferred, seen(Step.TURN), grade=Grade.BOUND)
    assert beside(inferred, other) is State.LIKELY_BLOCKED
    calibrated = replace(inferred, uncalibrated=False)
    assert beside(calibrated, other) is State.INSUFFICIENT


def test_a_block_page_with_the_expected_status_is_no_success() -> None:
    target = replace(CHAT, endpoints=(PAGE,))
    facts = HttpFacts(status=200, fingerprint="ministry")
    genuine = attempt(PAGE, seen(Step.TCP), seen(Step.HTTP), grade=Grade.TRANSPORT)
    shown = attempt(PAGE, seen(Step.TCP), seen(Step.HTTP, http=facts), grade=Grade.TRANSPORT)
    verdict = judge(evidence(target, shown, rounds=2, controls=[control(measurement(target, genuine))]))
    assert (verdict.state, verdict.mechanism) == (State.BLOCKED, "http.blockpage")


def test_a_page_inside_a_verified_session_is_the_services_whatever_it_mentions() -> None:
    inside = replace(PAGE, port=443, transport=Transport.TLS)
    target = replace(CHAT, endpoints=(inside,))
    facts = HttpFacts(status=403, fingerprint="ministry")
    genuine = attempt(inside, seen(Step.TCP), seen(Step.TLS), seen(Step.HTTP), grade=Grade.BOUND)
    shown = attempt(inside, seen(Step.TCP), seen(Step.TLS), seen(Step.HTTP, UNEXPECTED_STATUS, http=facts))
    assert judge(evidence(target, shown, controls=[control(measurement(target, genuine))])).rule == "session_refusal"
