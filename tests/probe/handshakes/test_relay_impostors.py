"""Who is not the service: what its answer is graded, and what the judge makes of it beside controls that got through.

An impostor that read what we sent is told by its mark, and nobody is accused. One that did not has answered nothing: to
us the service is as silent as it was, and what came is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
from msgspec.structs import replace

from probe.judge import judge
from probe.model import Attempt, Endpoint, Expect, Grade, State
from tests.probe.builders import endpoint, patched, refusal, scripted_shake, target
from tests.probe.judge.evidence import control, evidence, measurement
from tests.scripted import Now, ScriptedDialer, Udp
from tests.servers import msturn, webex, zoom

HOST = "203.0.113.4"
SENDER = ("198.18.77.66", 50123)


@dataclass(frozen=True)
class Case:
    """An endpoint, what answers there, what that proves at most, and the rule that follows."""

    where: Endpoint
    says: Now
    grade: Grade | None
    rule: str


TEAMS = endpoint("msturn", HOST, expect=Expect(realm='"rtcmedia"'))
GOOGLE = endpoint("turn-google", HOST, expect=Expect(realm="turn.l.google.com"))
VIBER = endpoint("turn", HOST, 443, expect=Expect(realm="viber.com"))
ZOOM = endpoint("zoom", HOST)
WEBEX = endpoint("webex", HOST, 9000)
ECHO = lambda request: request  # noqa: E731
JUNK = b"\x00" * 40


def teams(request: bytes, realm: str = msturn.REALM) -> bytes:
    (reply,) = msturn.answer(request, SENDER, realm)
    return reply


GENUINE = {
    TEAMS: (teams, Grade.MARKED),
    GOOGLE: (patched("google-allocate-401"), Grade.MARKED),
    VIBER: (patched("viber-allocate-401"), Grade.MARKED),
    ZOOM: (lambda request: zoom.answer(request, SENDER)[0], Grade.MARKED),
    WEBEX: (lambda request: webex.answer(request, SENDER)[0], Grade.TRANSPORT),
}
CASES = [
    *(Case(where, says, None, "unmatched_replies") for where in GENUINE for says in (JUNK, ECHO)),
    Case(TEAMS, partial(teams, realm="relay.example"), Grade.BOUND, "other_mark"),
    Case(GOOGLE, refusal(401, "viber.com"), Grade.BOUND, "other_mark"),
    Case(VIBER, patched("google-allocate-401"), Grade.BOUND, "other_mark"),
    Case(VIBER, refusal(403, "viber.com"), None, "service_refusal"),
    Case(TEAMS, lambda request: b"\x01\x03\x00\x00" + request[4:20], None, "service_refusal"),
    Case(ZOOM, lambda request: b"\x01\x11\x00\x00" + request[4:20], Grade.BOUND, "other_mark"),
]


def attempted(where: Endpoint, says: Now) -> Attempt:
    dialer = ScriptedDialer({("udp", HOST, where.port): Udp(always=[says])})
    seen = scripted_shake(dialer, where)
    return Attempt(
        host=where.host,
        port=where.port,
        transport=where.transport,
        handshake=where.handshake,
        address=HOST,
        grade=seen.grade,
        observations=seen.observations,
    )


def path_of(where: Endpoint, attempt: Attempt, rounds: int = 2) -> tuple[str, State]:
    """Judged beside a control that got the genuine answer, and neutral services that answered."""
    call = target("service/call", where)
    says, _ = GENUINE[where]
    alive = [control(measurement(call, attempted(where, says)))]
    (path,) = judge(evidence(call, attempt, rounds=rounds, controls=alive)).paths
    return path.rule, path.state


@pytest.mark.parametrize("where", GENUINE, ids=lambda where: where.handshake)
def test_the_genuine_answer_is_complete(where: Endpoint) -> None:
    says, grade = GENUINE[where]
    attempt = attempted(where, says)
    assert attempt.grade is grade
    assert path_of(where, attempt, rounds=1) == ("complete", State.OK)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.where.handshake} {case.rule}")
def test_an_impostor_is_graded_by_what_it_proves(case: Case) -> None:
    attempt = attempted(case.where, case.says)
    rule, state = path_of(case.where, attempt)
    assert (attempt.grade, rule) == (case.grade, case.rule)
    assert state is not State.OK


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.where.handshake} {case.rule}")
def test_and_accuses_nobody_where_nobody_knows_the_answer(case: Case) -> None:
    """Uncalibrated, and no control got through."""
    where = replace(case.where, uncalibrated=True)
    call = target("service/call", where)
    verdict = judge(evidence(call, attempted(where, case.says), rounds=2, controls=()))
    assert verdict.state is State.INSUFFICIENT
