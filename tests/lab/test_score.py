"""Scoring is arithmetic: every outcome from its definition, intervals against published values."""

from __future__ import annotations

import pytest

from tests.lab.model import Entry, Expected, Run, Scored
from tests.lab.score import (
    Said,
    Tally,
    clean,
    command,
    false_accusations,
    insufficient,
    macro,
    outcome,
    score,
    tally,
    touched,
    wilson,
)

RUN = Run("sni-drop", "iam", "4g", 7)
DROP = Expected("likely_blocked", "tls.sni.drop")
LATER = Expected("likely_blocked", "rtp.drop", not_yet="call flows")


def said(state: str, mechanism: str | None = None, rule: str = "r", target: str = "signal/chat") -> Said:
    return Said(target, state, mechanism, rule)


def entry(**expected: Expected) -> Entry:
    named = {target.replace("_", "/"): one for target, one in expected.items()}
    return Entry("sni-drop", "Drops.", "here", lambda random: (), expected=named)


@pytest.mark.parametrize(
    ("expected", "told", "harmless", "result"),
    [
        (DROP, said("likely_blocked", "tls.sni.drop"), False, "right"),
        (DROP, said("likely_blocked", "tls.sni"), False, "shallow"),
        (DROP, said("likely_blocked", "tls"), False, "shallow"),
        (DROP, said("likely_blocked", "tls.s"), False, "wrong_mechanism"),
        (DROP, said("likely_blocked", None), False, "wrong_mechanism"),
        (DROP, said("likely_blocked", "ip.drop"), False, "wrong_mechanism"),
        (DROP, said("blocked", "tls.sni.drop"), False, "wrong_state"),
        (DROP, said("ok"), False, "wrong_state"),
        (Expected("ok"), said("ok"), False, "right"),
        (Expected("ok"), said("insufficient"), False, "wrong_state"),
        (Expected("ok"), said("degraded", "partial"), False, "false_accusation"),
        (Expected("impaired", "local.tls"), said("likely_blocked", "tls.mitm"), False, "false_accusation"),
        (Expected("degraded", "partial"), said("blocked", "ip.drop"), False, "wrong_state"),
        (Expected("degraded"), said("blocked", "ip.drop"), True, "false_accusation"),
        (Expected("degraded"), said("degraded"), True, "right"),
        (Expected("ok", or_open=True), said("insufficient"), True, "right"),
        (Expected("ok", or_open=True), said("impaired"), True, "wrong_state"),
        (LATER, said("likely_blocked", "rtp.drop"), False, "not_yet"),
        (LATER, said("insufficient"), False, "not_yet"),
        (Expected("ok", not_yet="QUIC"), said("blocked", "ip.drop"), True, "false_accusation"),
    ],
)
def test_outcomes(expected: Expected, told: Said, harmless: bool, result: str) -> None:
    assert outcome(expected, told, harmless=harmless) == result


def test_what_is_not_named_must_be_clean() -> None:
    assert (clean("viber/chat").state, clean("viber/call").state) == ("ok", "insufficient")
    verdicts = [
        said("likely_blocked", "tls.sni.drop"),
        said("ok", target="viber/chat"),
        said("insufficient", rule="relay_only", target="viber/call"),
        said("insufficient", rule="no_control", target="signal/call"),
        said("insufficient", rule="not_measurable", target="whatsapp/call"),
        said("insufficient", target="baseline/stun"),
        said("likely_blocked", target="baseline/tls"),
    ]
    scored = score(RUN, entry(signal_chat=DROP), verdicts, harmless=False)
    assert [one.verdict for one in scored] == ["right", "right", "right", "wrong_state", "false_accusation"]


def test_a_technique_is_scored_by_what_it_touches_and_an_impairment_by_everything() -> None:
    verdicts = [said("ok", target=target) for target in ("signal/chat", "viber/chat", "baseline/tls")]
    one = entry(signal_chat=DROP)
    scored = score(RUN, one, verdicts, harmless=False)
    assert [each.target for each in touched(scored, one, harmless=False)] == ["signal/chat"]
    assert [each.target for each in touched(scored, one, harmless=True)] == ["signal/chat", "viber/chat"]


def test_a_technique_that_touches_many_targets_weighs_no_more() -> None:
    many, one = Tally({"right": 9, "wrong_state": 1}), Tally({"wrong_state": 1})
    assert macro([many, one], "right") == pytest.approx(0.45)
    assert macro([Tally({"not_yet": 3}), one], "right") == 0.0
    assert macro([], "right") is None


def test_not_yet_is_never_right() -> None:
    found = Tally({"right": 1, "not_yet": 3})
    assert found.measured == 1
    assert found.fraction("right") == 1.0
    assert Tally({"not_yet": 3}).fraction("right") is None


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),  # Brown, Cai and DasGupta 2001: z²/(n + z²)
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (0, 2000, 0.0, 0.0019),
    ],
)
def test_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_relays_that_were_reached_are_not_insufficient() -> None:
    scored = [
        Scored(RUN, "viber/call", clean("viber/call"), "insufficient", None, "relay_only", "right"),
        Scored(RUN, "viber/chat", clean("viber/chat"), "insufficient", None, "no_control", "wrong_state"),
        Scored(RUN, "signal/chat", clean("signal/chat"), "ok", None, "complete", "right"),
    ]
    assert insufficient(scored) == 0.5
    assert insufficient(scored[:1]) is None
    assert tally(scored).counts == {"right": 2, "wrong_state": 1}
    assert false_accusations(scored) == 0


def test_a_wrong_cell_can_be_run_again() -> None:
    assert command(RUN) == "python -m tests.lab --entry sni-drop --operator iam --access 4g --seed 7"
