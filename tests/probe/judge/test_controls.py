"""Controls in time: of each control network counts what it saw nearest to the failure, on either side."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import RESET, TIMEOUT
from probe.judge import judge
from probe.judge.controls import Controls
from probe.judge.in_time import Control, FailureSpan
from probe.model import (
    Attempt,
    ControlMeasurement,
    Grade,
    MtprotoFacts,
    NotAttempted,
    State,
    Step,
    Transport,
    Verdict,
    Via,
)
from tests.probe.judge.evidence import (
    CHAT,
    HERE,
    LINK,
    TLS,
    V6,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
)

NOW_MS, MINUTE_MS = 1_000_000_000_000, 60_000
ROUND_MS = MINUTE_MS  # after the first round the second begins


def at(minute: int, attempt_: Attempt, number: int = 1, **fields: Any) -> ControlMeasurement:
    """A cycle of a control's, so many minutes after the line failed for the second time."""
    when = {"started_ms": NOW_MS + minute * MINUTE_MS, "cycle": f"{minute % 10_000:032x}"}
    return control(measurement(CHAT, attempt_, **when, **fields), number)


def judged(*controls: ControlMeasurement, failed: Attempt | None = None) -> Verdict:
    """A line that failed in two rounds, a minute apart."""
    given = evidence(CHAT, failed or tls_fails(RESET), rounds=2, controls=controls)
    assert given.earlier is not None
    return judge(replace(given, earlier=replace(given.earlier, started_ms=NOW_MS - ROUND_MS)))


LOST = tcp_fails(TIMEOUT)
TIMES = [  # minutes at which a control got through (+) and at which it did not (-), network by network
    pytest.param(["-40+ -10- 0- 10-"], "no_control", id="an outage that began before, seen by one"),
    pytest.param(["-40+ -10- 0- 10-", "-41+ -9- 1- 11-"], "down", id="the same, seen by two"),
    pytest.param(["-40+"], "control_awaited", id="an older success alone"),
    pytest.param(["-40+", "-11+"], "control_awaited", id="two older successes alone"),
    pytest.param(["-40+", "-8+"], None, id="one of them in the same cycle's time"),
    pytest.param(["-40+", "30+"], None, id="an older one, and a newer one of another network"),
    pytest.param(["-5+ 25+"], None, id="on both sides"),
    pytest.param(["-1+"], None, id="between the two rounds"),
    pytest.param(["0+"], None, id="at the same time"),
    pytest.param(["25+"], None, id="after it alone"),
    pytest.param(["-5- 2+"], None, id="it was mended, and then failed for this line"),
    pytest.param(["-30+ 5- 35+"], "no_control", id="nearest in time it failed"),
    pytest.param(["-3+ 30-"], "control_awaited", id="it broke down after, which says nothing of before"),
    pytest.param(["-3+ 4+ 5-"], None, id="it broke down later"),
    pytest.param(["-7- 5+", "5-"], "controls_disagree", id="two networks, one through"),
    pytest.param(["1+", "2+", "1-"], None, id="three, two through"),
    pytest.param(["1-"], "no_control", id="no single control makes it down"),
    pytest.param(["1- -1- 3-"], "no_control", id="however often it tries"),
    pytest.param(["1-", "2-"], "down", id="two do"),
    pytest.param(["-50- 1+", "-50- 2+"], None, id="an outage that was over"),
    pytest.param([], "no_control", id="nobody"),
]


@pytest.mark.parametrize(("networks", "rule"), TIMES)
def test_what_is_nearest_in_time_counts(networks: list[str], rule: str | None) -> None:
    """`rule` None: nothing about controls excuses the line's failure."""
    seen_by = [
        at(int(word[:-1]), tls_ok() if word[-1] == "+" else LOST, number)
        for number, words in enumerate(networks, start=1)
        for word in words.split()
    ]
    assert judged(*seen_by).rule == (rule or judged(at(0, tls_ok())).rule)


def test_the_first_hour_of_an_outage_accuses_nobody() -> None:
    """Two controls got through 40 minutes before, and fail since 10 minutes before the line did, twice."""
    before = [at(-40, tls_ok(), number) for number in (1, 2)]
    since = [at(minute, LOST, number) for number in (1, 2) for minute in (-10, 0, 10)]
    for failed in (tcp_fails(TIMEOUT), tls_fails(RESET), tls_fails(TIMEOUT)):
        assert judged(*before, *since, failed=failed).state is State.DOWN
        assert judged(*before, failed=failed).rule == "control_awaited"  # before those of after have come


def test_systems_of_one_operator_are_one_network_of_controls() -> None:
    """That both fail says no more than that one does."""
    failing = [at(minute, LOST, number) for number in (1, 2) for minute in (-10, 0, 10)]
    assert judged(*failing).rule == "down"
    one = [replace(each, network=replace(each.network, operator="one")) for each in failing]
    assert judged(*one).rule == "no_control"


def test_the_time_that_counts_is_the_collectors() -> None:
    """A control's clock may be wrong by hours; the collector has put its cycle where it belongs."""
    wrong = replace(at(-300, LOST), started_ms=NOW_MS)
    assert judged(wrong, at(1, LOST, 2)).state is State.DOWN
    by_its_offset = replace(at(-300, LOST).measurement, clock_offset_ms=300 * MINUTE_MS)
    assert judged(at(-40, tls_ok()), control(by_its_offset)).rule == "no_control"


@pytest.mark.parametrize("earlier_ms", [NOW_MS - 50 * MINUTE_MS, NOW_MS + 50 * MINUTE_MS])
def test_a_first_round_that_is_far_off_stretches_no_failure(earlier_ms: int) -> None:
    """Only a broken probe has one: what a control saw in between would be of the same time."""
    given = evidence(CHAT, tls_fails(RESET), rounds=2, controls=[at(-40, tls_ok())])
    assert given.earlier is not None
    assert judge(replace(given, earlier=replace(given.earlier, started_ms=earlier_ms))).rule == "control_awaited"


def test_two_rounds_of_a_cycle_are_one_look() -> None:
    first, second = (replace(at(1, one).measurement, round=number) for number, one in ((1, LOST), (2, tls_ok())))
    rounds = [control(first), control(replace(second, started_ms=second.started_ms + MINUTE_MS))]
    assert judged(*rounds).rule == judged(at(1, tls_ok())).rule


def test_an_address_that_has_stopped_answering_elsewhere_is_not_reached_any_more() -> None:
    """The rest of its pool still is."""
    pool = [tls_ok(address="198.51.100.11"), tcp_fails(TIMEOUT)]
    whole = at(-40, tls_ok())
    now = control(measurement(CHAT, *pool, started_ms=NOW_MS, cycle="33" * 16))
    given = evidence(CHAT, tls_fails(RESET), rounds=2, controls=(whole, now), neighbours={})
    assert judge(given).rule == "regional_fault_not_excluded"


# --- What says nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours",
    [
        tcp_fails("unknown_failure: OSError"),
        tcp_fails("interrupted"),
        tcp_fails(TIMEOUT, via=Via.ALSO),
        replace(attempt(TLS), not_attempted=NotAttempted.BUDGET),
    ],
)
def test_a_controls_own_failing_makes_no_service_down(ours: Attempt) -> None:
    assert judged(at(1, ours), at(2, ours, 2)).rule == "no_control"
    assert judged(at(1, ours), at(2, ours, 2), at(0, tls_ok(), 3)).rule == judged(at(0, tls_ok())).rule


def test_a_service_that_refuses_in_its_own_words_is_not_down() -> None:
    """Telegram's flood error: it answered them."""
    busy = attempt(TLS, seen(Step.TCP), seen(Step.MTPROTO, "unexpected_reply", mtproto=MtprotoFacts(refused=-429)))
    assert judged(at(1, busy), at(2, busy, 2)).rule == "no_control"


# --- Families stand apart -----------------------------------------------------------------------------------------

DUAL = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", family=6)))
NAMES = (says(HERE), says(V6, qtype="AAAA"))


def on_both_families(*attempts: Attempt, controls: Any) -> Verdict:
    return judge(evidence(CHAT, *attempts, link=DUAL, rounds=2, controls=controls, resolutions=NAMES))


def test_a_control_without_ipv6_hides_no_ban_of_ipv4() -> None:
    only_v4 = [control(measurement(CHAT, tls_ok()), number) for number in (1, 2)]
    both_dead = (tls_fails(RESET), tls_fails(RESET, address=V6))
    verdict = on_both_families(*both_dead, controls=only_v4)
    assert (verdict.state, verdict.rule) == (judged(at(0, tls_ok())).state, judged(at(0, tls_ok())).rule)
    assert {each.rule for each in verdict.paths if each.family == 6} == {"family_without_control"}


def test_a_control_whose_ipv6_is_broken_does_not_make_the_service_down() -> None:
    """Its link carries no IPv6, and it tried all the same."""
    broken = [
        control(measurement(CHAT, tls_ok(), tcp_fails("network_unreachable", address=V6)), number) for number in (1, 2)
    ]
    lost = on_both_families(tls_ok(), tcp_fails(TIMEOUT, address=V6), controls=broken)
    assert lost.state is State.OK
    assert {each.rule for each in lost.paths if each.family == 6} == {"family_without_control"}


def test_a_service_that_is_down_over_ipv6_only() -> None:
    dual = [
        control(measurement(CHAT, tls_ok(), tcp_fails(TIMEOUT, address=V6), link=DUAL), number) for number in (1, 2)
    ]
    verdict = on_both_families(tls_fails(RESET), tcp_fails(TIMEOUT, address=V6), controls=dual)
    assert {each.rule for each in verdict.paths if each.family == 6} == {"down"}
    assert verdict.rule == judged(at(0, tls_ok())).rule


# --- Properties ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(-59, 59), st.booleans(), st.integers(1, 4)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_and_the_repetition_of_controls_change_no_verdict(
    cycles: list[tuple[int, bool, int]], chance: random.Random
) -> None:
    controls = [at(minute, tls_ok() if through else LOST, number) for minute, through, number in cycles]
    shuffled = [*controls, *controls[:2]]
    chance.shuffle(shuffled)
    assert judged(*shuffled) == judged(*controls)


def test_another_transport_is_another_endpoint() -> None:
    over_tls = replace(TLS, transport=Transport.TLS, handshake="http")
    answered = attempt(over_tls, seen(Step.TCP), seen(Step.TLS), seen(Step.HTTP), grade=Grade.BOUND)
    assert Controls([at(0, answered)]).of_endpoint(TLS, FailureSpan(NOW_MS, NOW_MS)) is Control.UNKNOWN
