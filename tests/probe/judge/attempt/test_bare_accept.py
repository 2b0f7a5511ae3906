"""Who accepts a connection need not be the service: where nobody stands behind neutral ones, a bare accept is no ok."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.judge import judge
from probe.model import Grade, Plane, ResolverCheck, State, Step, Target, Via
from tests.probe.judge.evidence import LINK, TCP, V6, attempt, control, evidence, measurement, neutral, says, seen

CHAT = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(TCP,))
ACCEPTED = attempt(TCP, seen(Step.TCP), grade=Grade.TRANSPORT)
SAID = (says("198.51.100.10"),)


def state(*tls: str | None) -> State:
    link = replace(
        LINK, neutrals=(neutral("http", port=80), neutral("stun", port=3478), *(neutral("tls", t) for t in tls))
    )
    well = control(measurement(CHAT, ACCEPTED, resolutions=SAID))
    return judge(evidence(CHAT, ACCEPTED, link=link, controls=(well,), resolutions=SAID)).state


def test_it_is_ok_where_a_neutral_proved_itself_or_none_was_asked() -> None:
    assert state(None) is State.OK
    assert state(None, "generic_timeout_error") is State.OK
    assert state() is State.OK


@pytest.mark.parametrize(
    "failure", ["ssl_unknown_authority", "ssl_invalid_hostname", "generic_timeout_error", "eof_error"]
)
def test_it_is_nothing_where_none_did(failure: str) -> None:
    assert state(failure) in (State.INSUFFICIENT, State.IMPAIRED)
    assert state(failure, failure) in (State.INSUFFICIENT, State.IMPAIRED)


def test_a_bare_accept_makes_no_family_usable() -> None:
    link = replace(
        LINK, neutrals=(neutral("tcp", family=6), neutral("tls", "generic_timeout_error", family=6), neutral("tls"))
    )
    lost = attempt(TCP, seen(Step.TCP, "generic_timeout_error"), address=V6)
    well = control(measurement(CHAT, ACCEPTED, attempt(TCP, seen(Step.TCP), address=V6, grade=Grade.TRANSPORT)))
    given = evidence(CHAT, lost, rounds=2, link=link, controls=(well,), resolutions=(says(V6, qtype="AAAA"),))
    assert judge(given).state not in (State.BLOCKED, State.LIKELY_BLOCKED)


def test_it_is_nothing_where_a_resolver_that_lies_about_neutral_names_led() -> None:
    link = replace(LINK, resolvers=(ResolverCheck(resolver="isp", truthful=False),))
    assert judge(evidence(CHAT, ACCEPTED, link=link, resolutions=SAID, controls=())).state is not State.OK
    literal = replace(ACCEPTED, via=Via.LITERAL)
    assert judge(evidence(CHAT, literal, link=link, resolutions=(), controls=())).state is State.OK
