"""Which failures are for good, so that they are followed along the path."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import (
    EOF,
    HOST_UNREACHABLE,
    NO_ANSWER,
    NXDOMAIN,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS_AUTHORITY,
    TLS_FAILED,
    UNEXPECTED_REPLY,
)
from probe.measuring.doubtful_names import names_in_doubt
from probe.measuring.follow_up import failed_for_good
from probe.measuring.measurer import Findings
from probe.model import Attempt, Grade, Resolution, Step, Via
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    FORGED,
    HERE,
    ISP,
    PUBLIC,
    STUN,
    TURN,
    V6,
    attempt,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
)


def found(*attempts: Attempt, resolutions: tuple[Resolution, ...] = ()) -> Findings:
    return Findings(started_ms=0, attempts=attempts, resolutions=resolutions)


@pytest.mark.parametrize(
    ("failed", "at_once", "later"),
    [
        (tls_fails(RESET), True, True),
        (tls_fails(EOF), True, True),
        (tls_fails(TLS_AUTHORITY), True, True),
        (tcp_fails(REFUSED), True, True),
        (tls_fails(TIMEOUT), False, True),
        (tcp_fails(TIMEOUT), False, True),
        (tcp_fails(HOST_UNREACHABLE), False, True),
        (tls_fails(TLS_FAILED), False, False),
        (tls_fails(UNEXPECTED_REPLY), False, False),
    ],
)
def test_silence_must_have_repeated(failed: Attempt, at_once: bool, later: bool) -> None:
    assert failed_for_good(CHAT.endpoints, found(failed), 1) == [failed] * at_once
    assert failed_for_good(CHAT.endpoints, found(failed), 2) == [failed] * later


def test_one_of_each_endpoint_and_family_unless_another_of_them_got_through() -> None:
    first, second, v6 = tls_fails(RESET), tls_fails(RESET, address=FORGED), tls_fails(RESET, address=V6)
    assert failed_for_good(CHAT.endpoints, found(first, second, v6), 1) == [first, v6]
    assert failed_for_good(CHAT.endpoints, found(first, tls_ok(address=FORGED), v6), 1) == [v6]


def test_only_what_an_app_would_dial_is_followed_and_no_address_at_home() -> None:
    also, at_home = tls_fails(RESET, via=Via.ALSO), tls_fails(RESET, address=BOGON)
    elsewhere = replace(tls_fails(RESET), port=8443)
    assert failed_for_good(CHAT.endpoints, found(also, at_home, elsewhere), 1) == []


def test_a_relay_is_followed_by_the_least_that_it_leaves_unanswered() -> None:
    padded = replace(STUN, handshake="stun-padded")
    silent, answered = attempt(padded, seen(Step.STUN, TIMEOUT)), attempt(padded, seen(Step.STUN), grade=Grade.BOUND)
    assert failed_for_good((TURN,), found(turn_fails(), silent), 2) == [silent]
    assert failed_for_good((TURN,), found(turn_fails(), answered), 2) == [turn_fails()]
    assert failed_for_good((TURN,), found(turn_fails()), 2) == [turn_fails()]


# --- Names in doubt -----------------------------------------------------------------------------------------------

DENIED, SILENT, EMPTY = says(failure=NXDOMAIN), says(failure=TIMEOUT), says(failure=NO_ANSWER, qtype="AAAA")
TRUE, LED_ASTRAY, ELSEWHERE = says(HERE), says(FORGED), says(HERE, resolver=PUBLIC)
RACED = says(BOGON, late=(HERE,))


@pytest.mark.parametrize(
    ("resolutions", "attempts", "in_doubt"),
    [
        pytest.param([DENIED, ELSEWHERE], [], DENIED, id="denied"),
        pytest.param([SILENT, ELSEWHERE], [], None, id="silent once"),
        pytest.param([RACED, ELSEWHERE], [], RACED, id="raced"),
        pytest.param([TRUE, EMPTY, ELSEWHERE], [], None, id="no IPv6"),
        pytest.param([EMPTY, ELSEWHERE], [], EMPTY, id="nothing at all"),
        pytest.param([LED_ASTRAY, ELSEWHERE], [tls_fails(TLS_AUTHORITY, address=FORGED)], LED_ASTRAY, id="led astray"),
        pytest.param([LED_ASTRAY, ELSEWHERE], [tls_ok(address=FORGED)], None, id="another edge"),
        pytest.param([TRUE, ELSEWHERE], [tls_fails(RESET)], None, id="the true address"),
        pytest.param([TRUE, says(failure=NXDOMAIN, resolver=PUBLIC)], [], TRUE, id="nobody else gives it"),
    ],
)
def test_a_name_is_in_doubt(resolutions: Any, attempts: Any, in_doubt: Resolution | None) -> None:
    findings = found(*attempts, resolutions=tuple(resolutions))
    assert names_in_doubt(findings, [(ISP, 0)], 1) == ([in_doubt] if in_doubt else [])


def test_a_silent_resolver_is_in_doubt_the_second_time() -> None:
    findings = found(resolutions=(SILENT, ELSEWHERE))
    assert names_in_doubt(findings, [(ISP, 0)], 2) == [SILENT]
    assert names_in_doubt(findings, [], 2) == []
