"""Names in time: of each control's network counts what it was told of a name nearest to the line's failure.

A name that is gone since ten minutes was still given forty minutes ago, and one that was mended is given again.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import NXDOMAIN, RESET, SERVFAIL, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.model import Attempt, ControlMeasurement, Outage, Resolution, State, Verdict, Via
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    FORGED,
    HERE,
    PUBLIC,
    STARTED_MS,
    control,
    evidence,
    measurement,
    says,
    tcp_fails,
    tls_fails,
    tls_ok,
)
from tests.probe.judge.test_properties import STRENGTH

MINUTE_MS = 60_000
DENIED = says(failure=NXDOMAIN)
TOLD_HERE = says(HERE, resolver=PUBLIC)
MET_HERE = tls_ok(via=Via.INDEPENDENT)


def cycle(minute: int, *told: Resolution, attempts: tuple[Attempt, ...] = (), number: int = 1) -> ControlMeasurement:
    """A cycle of a control's, so many minutes after the line failed for the second time."""
    when = {"started_ms": STARTED_MS + minute * MINUTE_MS, "cycle": f"{minute % 10_000:032x}"}
    return control(measurement(CHAT, *attempts, resolutions=told, **when), number)


def resolves(minute: int, number: int = 1) -> ControlMeasurement:
    return cycle(minute, says(HERE), attempts=(tls_ok(),), number=number)


def denies(minute: int, number: int = 1, failure: str = NXDOMAIN) -> ControlMeasurement:
    return cycle(minute, says(failure=failure), number=number)


def seen_by(networks: list[str], failure: str = NXDOMAIN) -> list[ControlMeasurement]:
    """Minutes at which a control resolved it (+) and at which it did not (-), network by network."""
    return [
        resolves(int(word[:-1]), number) if word[-1] == "+" else denies(int(word[:-1]), number, failure)
        for number, words in enumerate(networks, start=1)
        for word in words.split()
    ]


def lied_to(
    *attempts: Attempt, told: tuple[Resolution, ...] = (DENIED,), controls: list[ControlMeasurement]
) -> Evidence:
    """A line whose resolver said so in two rounds, a minute apart."""
    given_ = evidence(CHAT, *attempts, rounds=2, resolutions=told, controls=controls)
    assert given_.earlier is not None
    return replace(given_, earlier=replace(given_.earlier, started_ms=STARTED_MS - MINUTE_MS))


TIMES = [
    pytest.param(["-40+ -10- 0- 10-"], "name_unknown", id="gone since before, seen by one"),
    pytest.param(["-40+ -10- 0- 10-", "-41+ -9- 1- 11-"], "name_gone", id="the same, seen by two"),
    pytest.param(["-40+ 10-", "-40+ 10-"], "name_gone", id="the first hour in which it is gone"),
    pytest.param(["-40+"], "name_awaited", id="an older answer alone"),
    pytest.param(["-40+", "-11+"], "name_awaited", id="two older answers alone"),
    pytest.param(["-3+ 30-"], "name_awaited", id="it was given up after, which says nothing of before"),
    pytest.param(["-8+"], "name_denied", id="in the same cycle's time"),
    pytest.param(["-40+", "30+"], "name_denied", id="an older answer, and a newer one of another network"),
    pytest.param(["-5+ 25+"], "name_denied", id="on both sides"),
    pytest.param(["-5- 2+"], "name_denied", id="it was entered anew, and then denied to this line"),
    pytest.param(["-50- 1+", "-50- 2+"], "name_denied", id="a fault that was over"),
    pytest.param(["-30+ 5- 35+"], "name_unknown", id="nearest in time it was denied"),
    pytest.param(["-7- 5+", "5-"], "name_disputed", id="two networks, one of them resolves it"),
    pytest.param(["1+", "2+", "1-"], "name_denied", id="three, two of them"),
    pytest.param([], "name_unknown", id="nobody"),
]


@pytest.mark.parametrize(("networks", "rule"), TIMES)
def test_what_is_nearest_in_time_counts(networks: list[str], rule: str) -> None:
    """Nobody but controls knows the name: whoever is asked here denies it."""
    everybody_denies = (DENIED, says(failure=NXDOMAIN, resolver=PUBLIC))
    assert judge(lied_to(told=everybody_denies, controls=seen_by(networks))).rule == rule


@pytest.mark.parametrize("networks", [["-40+"], ["-40+", "-40+"], []])
def test_what_this_line_itself_meets_waits_for_nobody(networks: list[str]) -> None:
    told = lied_to(MET_HERE, told=(DENIED, TOLD_HERE), controls=seen_by(networks))
    assert judge(told).rule == "name_denied"


def test_a_name_that_is_not_given_any_more_proves_no_forgery() -> None:
    """Operators answer names that do not exist with a page of theirs."""
    told = lied_to(told=(says(BOGON),), controls=seen_by(["-40+ 10-", "-40+ 10-"]))
    assert (judge(told).rule, judge(told).state) == ("name_gone", State.DOWN)
    assert judge(lied_to(told=(says(BOGON),), controls=seen_by(["-40+"]))).rule == "name_awaited"
    assert judge(lied_to(told=(says(BOGON),), controls=seen_by(["-40+ 10+"]))).rule == "name_forged"


def test_an_address_that_was_given_within_the_hour_is_the_services_still() -> None:
    """A CDN gives others every minute; this one's edge shows a certificate that nobody signed."""
    older = cycle(-40, says(FORGED), attempts=(tls_ok(FORGED),))
    there = tls_fails(TLS_AUTHORITY, FORGED, leaf="cc" * 32)
    told = lied_to(there, told=(says(FORGED),), controls=[older, resolves(5)])
    assert judge(told).mechanism != "dns.forged"
    assert judge(lied_to(there, told=(says(FORGED),), controls=[resolves(5)])).mechanism == "dns.forged"


# --- What excuses a failure, in time ------------------------------------------------------------------------------

EXCUSES = [
    pytest.param(["5+ -40-"], "name_servfail", id="its zone was broken long before, and is mended"),
    pytest.param(["-40+ 5-"], "name_fails_elsewhere", id="it is broken now"),
    pytest.param(["-5+ 20-"], "name_fails_elsewhere", id="the first time that a control asks again"),
    pytest.param(["-5+ 20+ 40-"], "name_servfail", id="it broke much later"),
]


@pytest.mark.parametrize(("networks", "rule"), EXCUSES)
def test_a_zone_that_is_broken_elsewhere(networks: list[str], rule: str) -> None:
    told = (says(failure=SERVFAIL), TOLD_HERE)
    assert judge(lied_to(MET_HERE, told=told, controls=seen_by(networks, SERVFAIL))).rule == rule


STATUS, WELL, OUT = "uptime.service.example", "127.0.0.1", "127.0.0.2"
OUTAGES = [
    pytest.param(["-50!", "5+"], True, id="of another network, which has not looked since"),
    pytest.param(["-50! 5+"], False, id="it is over"),
    pytest.param(["-5+ 20!"], True, id="set some minutes late"),
    pytest.param(["3!"], True, id="now"),
    pytest.param(["3+ 50!"], False, id="much later"),
]


@pytest.mark.parametrize(("networks", "excused"), OUTAGES)
def test_an_outage_that_the_service_reports(networks: list[str], excused: bool) -> None:
    target = replace(CHAT, outage=Outage(name=STATUS, address=OUT))
    controls = [
        cycle(
            int(word[:-1]),
            says(HERE),
            says(OUT if word[-1] == "!" else WELL, host=STATUS),
            attempts=(tls_ok(),),
            number=number,
        )
        for number, words in enumerate(networks, start=1)
        for word in words.split()
    ]
    given_ = evidence(target, tls_fails(RESET), rounds=2, resolutions=(says(HERE),), controls=controls)
    assert (judge(given_).rule == "outage_reported") is excused


# --- Properties ---------------------------------------------------------------------------------------------------

LOOKS = st.lists(st.tuples(st.integers(-59, 59), st.booleans(), st.integers(1, 4)), max_size=6)
HERE_TOLD = st.sampled_from(
    [
        ((), (DENIED, says(failure=NXDOMAIN, resolver=PUBLIC))),
        ((MET_HERE,), (DENIED, TOLD_HERE)),
        ((tcp_fails("generic_timeout_error", via=Via.INDEPENDENT),), (DENIED, TOLD_HERE)),
        ((MET_HERE,), (says(failure=SERVFAIL), TOLD_HERE)),
        ((), (says(BOGON),)),
    ]
)


def as_controls(looks: list[tuple[int, bool, int]], failure: str = NXDOMAIN) -> list[ControlMeasurement]:
    return [resolves(at, by) if through else denies(at, by, failure) for at, through, by in looks]


def strength(verdict: Verdict) -> int:
    return STRENGTH.get(verdict.state, 0)


@given(HERE_TOLD, LOOKS, st.integers(-59, 59), st.integers(1, 4), st.sampled_from([NXDOMAIN, SERVFAIL]))
def test_one_more_control_that_cannot_resolve_it_never_makes_it_stronger(
    here: tuple[tuple[Attempt, ...], tuple[Resolution, ...]],
    looks: list[tuple[int, bool, int]],
    minute: int,
    number: int,
    failure: str,
) -> None:
    attempts, told = here
    before = judge(lied_to(*attempts, told=told, controls=as_controls(looks)))
    after = judge(lied_to(*attempts, told=told, controls=[*as_controls(looks), denies(minute, number, failure)]))
    assert strength(after) <= strength(before)


@given(HERE_TOLD, LOOKS, st.randoms(use_true_random=False))
def test_the_order_of_controls_changes_nothing(
    here: tuple[tuple[Attempt, ...], tuple[Resolution, ...]], looks: list[tuple[int, bool, int]], chance: object
) -> None:
    attempts, told = here
    controls = as_controls(looks)
    assert judge(lied_to(*attempts, told=told, controls=controls[::-1])) == judge(
        lied_to(*attempts, told=told, controls=controls)
    )
