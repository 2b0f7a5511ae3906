"""A name in two families: trouble that an app would not notice is nobody's, and hides no lie in the other."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.model import Attempt, Combine, ControlMeasurement, Resolution, State, Transport, Verdict, Via
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    HERE,
    LINK,
    NEUTRALS,
    PUBLIC,
    V6,
    control,
    evidence,
    measurement,
    neutral,
    says,
    tcp_fails,
    tls_fails,
    tls_ok,
)

BAD6 = "2001:db8:bad::1"
DUAL = replace(LINK, neutrals=(*NEUTRALS, neutral("tls", family=6)))
TRUE, TRUE6 = says(HERE, resolver=PUBLIC), says(V6, qtype="AAAA", resolver=PUBLIC)
WELL = control(measurement(CHAT, tls_ok(), tls_ok(address=V6), resolutions=(says(HERE), says(V6, qtype="AAAA"))))
ACCUSES = (State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED)
BOTH_WAYS = pytest.mark.parametrize("combine", [Combine.ANY_OF, Combine.ALL_OF])


def judged(*attempts: Attempt, combine: Combine = Combine.ANY_OF, rounds: int = 2, **more: Any) -> Verdict:
    target = replace(CHAT, combine=combine)
    controls: tuple[ControlMeasurement, ...] = more.pop("controls", (WELL,))
    given: Evidence = evidence(target, *attempts, link=DUAL, controls=controls, rounds=rounds, **more)
    return judge(given)


@BOTH_WAYS
@pytest.mark.parametrize("failure", [NXDOMAIN, NO_ANSWER, SERVFAIL, DNS_REFUSED, TIMEOUT, "dns_server_misbehaving"])
@pytest.mark.parametrize(
    ("works", "met", "denied"),
    [
        (says(HERE), tls_ok(), "AAAA"),
        (says(V6, qtype="AAAA"), tls_ok(address=V6), "A"),
    ],
)
def test_a_family_that_fails_where_the_other_leads_on(
    failure: str, works: Resolution, met: Attempt, denied: str, combine: Combine
) -> None:
    said = (works, says(failure=failure, qtype=denied), TRUE, TRUE6)
    assert judged(met, resolutions=said, combine=combine).state is State.OK


@pytest.mark.parametrize("failure", [NXDOMAIN, SERVFAIL, TIMEOUT])
def test_a_family_that_leads_to_a_dead_address_is_judged_as_an_address(failure: str) -> None:
    """The resolver leads on, and what is dead may be the service's own."""
    said = (says(HERE), says(failure=failure, qtype="AAAA"), TRUE, TRUE6)
    verdict = judged(tcp_fails(TIMEOUT), resolutions=said, controls=())
    assert {path.step for path in verdict.paths} == {"tcp"}


@BOTH_WAYS
@pytest.mark.parametrize("bogon", ["d0::11", "::1", "fe80::1", "64:ff9b::10.0.0.1", "2001::1"])
def test_impossible_addresses_of_both_families(bogon: str, combine: Combine) -> None:
    said = (says(BOGON), says(bogon, qtype="AAAA"), TRUE, TRUE6)
    attempts = tcp_fails(TIMEOUT, address=BOGON), tcp_fails(TIMEOUT, address=bogon)
    verdict = judged(*attempts, tls_ok(via=Via.INDEPENDENT), resolutions=said, combine=combine)
    assert (verdict.state, verdict.mechanism) == (State.BLOCKED, "dns.forged")


@pytest.mark.parametrize("six", [says(failure=TIMEOUT, qtype="AAAA"), says(failure=SERVFAIL, qtype="AAAA")])
@pytest.mark.parametrize("told", [(TRUE,), (TRUE, TRUE6)])
def test_nothing_in_one_family_hides_a_lie_in_the_other(six: Resolution, told: tuple[Resolution, ...]) -> None:
    said = (says(BOGON), six, *told)
    verdict = judged(tls_ok(via=Via.INDEPENDENT), resolutions=said, rounds=2)
    assert (verdict.state, verdict.mechanism) == (State.BLOCKED, "dns.forged")


LIES6 = [
    pytest.param(says("d0::11", qtype="AAAA"), (), id="impossible"),
    pytest.param(says(BAD6, qtype="AAAA"), (tls_fails(TLS_AUTHORITY, address=BAD6),), id="a block page"),
    pytest.param(says(BAD6, qtype="AAAA", late=(V6,)), (tcp_fails(TIMEOUT, address=BAD6),), id="raced, dead"),
    pytest.param(says(failure=NXDOMAIN, qtype="AAAA", late=(V6,)), (), id="raced, denied"),
]


@BOTH_WAYS
@pytest.mark.parametrize(("lie", "attempts"), LIES6)
def test_a_lie_in_one_family_while_the_other_is_clean(
    lie: Resolution, attempts: tuple[Attempt, ...], combine: Combine
) -> None:
    said = (says(HERE), lie, TRUE, TRUE6)
    verdict = judged(tls_ok(), *attempts, resolutions=said, combine=combine)
    assert (verdict.state, verdict.mechanism) == (State.DEGRADED, "partial")
    once = judged(tls_ok(), *attempts, resolutions=said, combine=combine, rounds=1)
    assert once.state not in ACCUSES


def test_a_race_that_two_resolvers_show_in_one_round() -> None:
    """It repeats, though in one round; and it only degrades what works over the other family."""
    raced = says(BAD6, qtype="AAAA", late=(V6,))
    alike = says(BAD6, qtype="AAAA", late=(V6,), resolver=PUBLIC)
    attempts = tls_ok(), tcp_fails(TIMEOUT, address=BAD6)
    verdict = judged(*attempts, resolutions=(says(HERE), raced, TRUE, alike), rounds=1)
    assert (verdict.state, verdict.mechanism) == (State.DEGRADED, "partial")
    assert "name_raced_once" in {path.rule for path in verdict.paths}
    without = judged(attempts[1], resolutions=(says(failure=TIMEOUT), raced, TRUE, alike), rounds=1)
    assert without.state is State.INSUFFICIENT


def test_a_translator_of_the_networks_is_no_liar() -> None:
    """DNS64 gives addresses that no control has, of local use or not."""
    for translated in ("64:ff9b::198.51.100.10", "64:ff9b:1::c633:640a"):
        said = (says(translated, qtype="AAAA"), says(failure=NO_ANSWER), TRUE)
        assert judged(tls_ok(address=translated), resolutions=said).state is State.OK
        dead = judged(tcp_fails(TIMEOUT, address=translated), resolutions=said)
        assert dead.state not in ACCUSES


def test_what_is_said_in_tls_of_one_family_is_no_word_about_the_other() -> None:
    said = (says(HERE), says(failure=NXDOMAIN, qtype="AAAA"), says(V6, qtype="AAAA", transport=Transport.TLS))
    assert judged(tls_ok(), resolutions=said).state is State.OK
