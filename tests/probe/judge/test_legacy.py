"""A marker of a service that has closed: it shows a ban that still stands, and never that the service is dead."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import HOST_UNREACHABLE, NXDOMAIN, RESET, TIMEOUT, TLS_AUTHORITY, TLS_HOSTNAME
from probe.judge import Evidence, judge
from probe.model import Attempt, HttpFacts, Resolution, State, Step, Via
from tests.probe.judge.evidence import (
    CHAT,
    HERE,
    PUBLIC,
    TLS,
    attempt,
    control,
    evidence,
    measurement,
    other_name,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
)

RETIRED = replace(CHAT, id="service/web", legacy=True)
DENIED = says(failure=NXDOMAIN)


def given(*attempts: Attempt, rounds: int = 1, alive: bool = True, **fields: Any) -> Evidence:
    """The evidence of a chat, that of the closed service's web; `alive`: whether controls got through."""
    at_controls = tls_ok() if alive else tls_fails(TIMEOUT)
    controls = tuple(control(measurement(CHAT, at_controls), number) for number in (1, 2))
    found = evidence(CHAT, *attempts, other_name(), rounds=rounds, **{"controls": controls, **fields})
    return replace(found, target=RETIRED)


BANS = [
    (tls_fails(RESET), "tls.sni.reset"),
    (tls_fails(TLS_AUTHORITY, leaf="cc" * 32), "tls.mitm"),
    (tls_fails(TLS_HOSTNAME, leaf="cc" * 32), "tls.mitm"),
    (tcp_fails(RESET), "ip.reset"),
]
SILENCES = [tls_fails(TIMEOUT), tcp_fails(TIMEOUT), tcp_fails(HOST_UNREACHABLE), tls_fails(TIMEOUT, received=90)]


@pytest.mark.parametrize(("failed", "mechanism"), BANS)
def test_a_standing_ban_is_shown(failed: Attempt, mechanism: str) -> None:
    verdict = judge(given(failed, rounds=2))
    assert verdict.state in (State.BLOCKED, State.LIKELY_BLOCKED)
    assert verdict.mechanism == mechanism


def test_a_denied_name_that_resolves_elsewhere_is_a_standing_ban() -> None:
    told = (DENIED, says(HERE, resolver=PUBLIC))
    verdict = judge(given(tls_ok(via=Via.INDEPENDENT), rounds=2, resolutions=told))
    assert (verdict.state, verdict.mechanism) == (State.BLOCKED, "dns.nxdomain")


def test_a_block_page_is_a_standing_ban() -> None:
    page = attempt(TLS, seen(Step.HTTP, "http_unexpected_status_code", http=HttpFacts(fingerprint="om-block")))
    assert judge(given(page, rounds=2, alive=False)).mechanism == "http.blockpage"


@pytest.mark.parametrize("failed", SILENCES)
def test_silence_proves_nothing(failed: Attempt) -> None:
    verdict = judge(given(failed, rounds=2))
    assert (verdict.rule, verdict.state, verdict.mechanism) == ("retired", State.INSUFFICIENT, None)
    alive = replace(given(failed, rounds=2), target=CHAT)
    assert judge(alive).state is State.LIKELY_BLOCKED  # of a service that lives, it does


@pytest.mark.parametrize("failed", [*SILENCES, *(failed for failed, _ in BANS)])
def test_what_fails_everywhere_is_not_down(failed: Attempt) -> None:
    verdict = judge(given(failed, rounds=2, alive=False))
    assert (verdict.rule, verdict.state) == ("retired", State.INSUFFICIENT)
    assert judge(replace(given(failed, rounds=2, alive=False), target=CHAT)).state is State.DOWN


@pytest.mark.parametrize("told", [(DENIED, says(failure=NXDOMAIN, resolver=PUBLIC)), (DENIED,)])
def test_a_name_that_is_gone_everywhere_is_not_down(told: tuple[Resolution, ...]) -> None:
    gone = measurement(CHAT, resolutions=(DENIED,))
    verdict = judge(given(resolutions=told, controls=(control(gone, 1), control(gone, 2))))
    assert (verdict.rule, verdict.state) == ("name_retired", State.INSUFFICIENT)
    assert (
        judge(replace(given(resolutions=told, controls=(control(gone, 1), control(gone, 2))), target=CHAT)).state
        is State.DOWN
    )


def test_while_its_name_still_answers_no_interference_is_seen() -> None:
    assert judge(given(tls_ok())).state is State.OK
