"""Where one endpoint of a pool is easier than the others: it neither hides their ban nor makes one up."""

from __future__ import annotations

from msgspec.structs import replace

from probe.failure import TIMEOUT, UNEXPECTED_STATUS
from probe.judge import judge
from probe.model import Attempt, Combine, Endpoint, Expect, Grade, HttpFacts, State, Step, Transport, Verdict
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    HERE,
    LINK,
    NEUTRALS,
    TLS,
    TURN,
    V6,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    says,
    seen,
    tcp_fails,
    tls_ok,
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


# --- One family, and one address, of a pool ---------------------------------------------------------------------------

DUAL = replace(LINK, neutrals=(*NEUTRALS, neutral("tls", family=6)))
NAMES = (says(HERE), says(V6, qtype="AAAA"))
ANOTHER = "198.51.100.11"


def test_one_family_is_enough_where_all_endpoints_are_needed() -> None:
    """prometheus/blackbox_exporter#818, #819: IPv6 is lost, and an app connects over IPv4."""
    well = control(measurement(CHAT, tls_ok(), tls_ok(address=V6), link=DUAL, resolutions=NAMES))
    for rounds in (1, 2):
        lost = tcp_fails(TIMEOUT, address=V6)
        all_of = replace(CHAT, combine=Combine.ALL_OF)
        given = evidence(
            all_of, tls_ok(), lost, link=DUAL, controls=(well,), resolutions=NAMES, rounds=rounds, neighbours={}
        )
        assert judge(given).state is State.OK


def pool(rounds: int, *before: Attempt) -> Verdict:
    """One address answers and the other does not, in the last round."""
    well = control(measurement(CHAT, tls_ok(), tls_ok(address=ANOTHER)))
    given = evidence(CHAT, tls_ok(address=ANOTHER), tcp_fails(TIMEOUT), rounds=rounds, controls=(well,))
    if not before or given.earlier is None:
        return judge(given)
    return judge(replace(given, earlier=replace(given.earlier, attempts=before)))


def test_an_address_of_a_pool_that_is_interfered_with_over_two_looks_keeps_partial() -> None:
    assert (pool(2).state, pool(2).mechanism) == (State.DEGRADED, "partial")
    assert pool(1).state is State.OK  # once is nothing
    assert pool(2, tls_ok(), tls_ok(address=ANOTHER)).state is State.OK
    assert pool(2, tls_ok(address=ANOTHER)).state is State.OK  # it was not tried before
    assert pool(2, tcp_fails(TIMEOUT)).state is State.DEGRADED
