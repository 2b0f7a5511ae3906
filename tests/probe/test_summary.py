"""The summary for people, word for word: what matters first, and the same said once."""

from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec.structs import replace

from probe.judge.evidence import ADD_A_CONTROL
from probe.judge.verdict import REASONS, RULES
from probe.model import AttemptVerdict, Depth, Grade, State, Step, Transport, Verdict, Void
from probe.output import write_summary
from probe.summary import MORE, summary
from tests.probe.test_output import cycle

BY_RULE = {rule.id: rule for rule in RULES}


def path(rule: str, *, name: bool = False, **more: Any) -> AttemptVerdict:
    where = (None, "") if name else (443, "tls")
    return AttemptVerdict(
        host="a.example", port=where[0], transport=Transport.TCP, family=4, handshake=where[1], rule=rule,
        state=BY_RULE[rule].state, **more,
    )  # fmt: skip


def verdict(target: str, rule: str, *paths: AttemptVerdict, **more: Any) -> Verdict:
    """As the judge makes it: state, mechanism and reason are the rule's."""
    given: dict[str, Any] = {
        "target": target, "state": BY_RULE[rule].state, "mechanism": BY_RULE[rule].mechanism, "rule": rule,
        "reason": REASONS[rule], "depth": None, "grade": None, "step": None, "rules_version": 1, "uid": "1" * 32,
        "round": 1, "paths": paths,
    }  # fmt: skip
    return Verdict(**{**given, **more})


def answered(target: str, grade: Grade) -> Verdict:
    return verdict(target, "complete", path("complete", grade=grade), grade=grade)


def relay(target: str) -> Verdict:
    return verdict(target, "complete", state=State.INSUFFICIENT, depth=Depth.RELAY_ANSWERS, grade=Grade.MARKED)


NEUTRAL = [answered("baseline/tls", Grade.BOUND), answered("baseline/dns", Grade.BOUND)]
CLEAN = [
    answered("whatsapp/chat", Grade.CRYPTO),
    answered("viber/chat", Grade.TRANSPORT),
    answered("signal/chat", Grade.CRYPTO),
    answered("whatsapp/web", Grade.BOUND),
]
UNMEASURABLE = [verdict("imo/call", "not_measurable"), verdict("whatsapp/call", "not_measurable")]
DROPPED = verdict(
    "viber/call", "udp_endpoint_dropped", *[path("udp_endpoint_dropped")] * 4, step=Step.TURN, round=2
)  # fmt: skip
MITM = verdict("whatsapp/web", "tls_mitm", *[path("tls_mitm")] * 2, path("complete"), step=Step.TLS)
LATE = [
    verdict(target, "no_control", *[path("no_control")] * 2, step=Step.TCP) for target in ("whatsapp/chat", "imo/web")
]


def told(*verdicts: Verdict, of_link: str = "") -> list[str]:
    return summary(of_link, sorted(verdicts, key=lambda each: each.target))


@pytest.mark.parametrize(
    ("link", "line"),
    [
        ({"up": False}, "This link has no internet: nothing can be concluded."),
        ({"void": Void.PORTAL}, "A captive portal answers in place of the internet: nothing can be concluded."),
        ({"void": Void.VPN}, "A VPN carries the traffic: nothing can be concluded about this line."),
    ],
)
def test_what_is_so_for_the_whole_link_is_one_line(link: dict[str, Any], line: str) -> None:
    out = io.StringIO()
    write_summary(out, cycle(**link), [verdict(f"service{n}/chat", "no_link") for n in range(40)])
    assert out.getvalue() == f"{line}\n"


def test_all_is_fine() -> None:
    assert told(*NEUTRAL, *CLEAN) == [
        "On this link, no interference was seen in 4 checks.",
        "4 answered, no interference seen: messages of Signal, Viber, WhatsApp; website of WhatsApp "
        "(grades: 2 crypto, 1 bound, 1 transport).",
        "For comparison: 2 of 2 neutral services answered.",
        MORE,
    ]


def test_a_relay_that_answers_is_no_call() -> None:
    lines = told(*NEUTRAL, *CLEAN, relay("signal/call"), relay("viber/call"), *UNMEASURABLE)
    assert lines[0] == "On this link, no interference was seen in 4 of 8 checks."
    assert lines[2:4] == [
        "Cannot be concluded, relay reached, call not exercised: calls of Signal, Viber.",
        "Cannot be concluded: calls of imo, WhatsApp. Not measurable yet: no handshake is known that this service "
        "answers without an account.",
    ]


def test_a_ban_comes_first() -> None:
    lines = told(*NEUTRAL, *CLEAN[:3], MITM, DROPPED, relay("signal/call"), *UNMEASURABLE)
    assert lines[:4] == [
        "On this link, blocked: website of WhatsApp; likely blocked: calls of Viber.",
        f"Blocked: website of WhatsApp (2 of 3 attempts, while setting up encryption). A certificate that is not "
        f"the service's was presented: {REASONS['tls_mitm']}.",
        "Likely blocked: calls of Viber (4 of 4 attempts, while asking the call relay (TURN)). UDP packets to the "
        "service's address get no answer: a relay that answers elsewhere stays silent, twice, while neutral ones "
        "answer.",
        "3 answered, no interference seen: messages of Signal, Viber, WhatsApp (grades: 2 crypto, 1 transport).",
    ]


def test_without_a_control_all_is_insufficient_and_the_advice_stands_once() -> None:
    lines = told(*NEUTRAL, *LATE, *UNMEASURABLE)
    assert lines[0] == "On this link, nothing can be concluded from any of 4 checks. 2 failed, cause unclear."
    assert lines[1] == (
        "Cannot be concluded: messages of WhatsApp; website of imo. It failed here, and whether it works elsewhere is "
        "not known."
    )
    assert sum("--control" in line for line in lines) == 1
    assert not any(ADD_A_CONTROL in line for line in lines)


def test_what_failed_stands_before_what_answered() -> None:
    away = verdict("viber/web", "neutral_failed", path("neutral_failed"), step=Step.TLS)
    lines = told(*NEUTRAL, *CLEAN, *LATE[1:], away, verdict("line/web", "down", path("down"), step=Step.TCP))
    assert lines[0] == ("On this link, no interference was seen in 4 of 7 checks. 2 failed, cause unclear.")
    assert [line.partition(":")[0] for line in lines[1:5]] == [
        "Service down everywhere", "Cannot be concluded", "Cannot be concluded", "4 answered, no interference seen",
    ]  # fmt: skip


def test_none_got_an_answer_and_something_is_concluded() -> None:
    down = verdict("viber/web", "down", path("down"), step=Step.TCP)
    assert told(down, *UNMEASURABLE)[0] == "On this link, none of 3 checks got the answer that was expected."


def test_the_same_at_two_steps_is_said_once() -> None:
    rule = "controls_disagree"
    both = [
        verdict("viber/call", rule, path(rule), step=Step.TURN),
        verdict("whatsapp/chat", rule, path(rule), step=Step.TCP),
    ]
    lines = told(MITM, *both)
    assert lines[0] == "On this link, blocked: website of WhatsApp. 2 failed, cause unclear."
    assert lines[2] == (
        "Not working, cause unclear: calls of Viber (1 of 1 attempt, while asking the call relay (TURN)); messages of "
        f"WhatsApp (1 of 1 attempt, while opening the connection). E{REASONS[rule][1:]}."
    )


def test_lookups_are_counted_apart() -> None:
    denied = verdict("imo/web", "name_denied", *[path("name_denied", name=True)] * 2, path("complete"), step=Step.DNS)
    assert "website of imo (2 of 2 lookups, while looking up the name)" in told(denied)[1]


def test_a_degraded_service_counts_what_is_interfered_with() -> None:
    found = verdict("telegram/call", "complete", path("tls_mitm"), *[path("complete")] * 3)
    partial = replace(found, state=State.DEGRADED, mechanism="partial", rule="partial", reason=REASONS["partial"])
    assert told(partial)[0] == "On this link, degraded: calls of Telegram."
    assert "calls of Telegram (1 of 4 attempts)" in told(partial)[1]


def test_neutral_services_that_stay_silent_are_named() -> None:
    silent = verdict("baseline/quic", "silence_once", path("silence_once"))
    assert "For comparison: 2 of 3 neutral services answered; not quic." in told(*NEUTRAL, silent, *CLEAN)


def test_nothing_but_neutral_services() -> None:
    assert told(*NEUTRAL)[0] == "On this link only neutral services were asked."


@pytest.mark.parametrize("rule", BY_RULE)
def test_every_rule_can_be_told_in_ascii(rule: str) -> None:
    """Nothing is left out: whatever a check's verdict is, its service is named once after the headline."""
    grade = Grade.BOUND if BY_RULE[rule].state is State.OK else None
    lines = told(verdict("viber/call", rule, path(rule), grade=grade))
    assert sum("calls of Viber" in line for line in lines[1:]) == 1
    assert "\n".join(lines).isascii()
    accused = any(BY_RULE[rule].state is state for state in (State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED))
    assert ("blocked" in lines[0] or "degraded" in lines[0]) is accused
