"""Who answers in a resolver's name: two answers to one query, or one that the same resolver contradicts in TLS."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.addresses import prefix_of
from probe.failure import NXDOMAIN, REFUSED, SERVFAIL, TIMEOUT, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.model import (
    Attempt,
    Hop,
    HopKind,
    Network,
    ReplyKind,
    Resolution,
    ResolverCheck,
    State,
    Step,
    Sweep,
    Transport,
    Via,
)
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    FORGED,
    HERE,
    HOST,
    ISP,
    ISP_PREFIX,
    LINK,
    NETWORKS,
    OPERATOR,
    PRIVATE,
    PUBLIC,
    V6,
    control,
    evidence,
    measurement,
    says,
    tcp_fails,
    tls_fails,
    tls_ok,
)

THERE = tls_ok(via=Via.INDEPENDENT)
DEAD = tcp_fails(TIMEOUT, address=FORGED)
TRUE = says(HERE, resolver=PUBLIC)
INJECTED = ("name_injected", State.BLOCKED, "dns.injected")


def conclusion(*attempts: Attempt, resolutions: tuple[Resolution, ...], **more: Any) -> tuple[str, str, str | None]:
    verdict = judge(evidence(CHAT, *attempts, **{"rounds": 2, "resolutions": resolutions, **more}))
    return verdict.rule, verdict.state, verdict.mechanism


def checked(*resolvers: str) -> Any:
    return replace(LINK, resolvers=tuple(ResolverCheck(resolver=each, truthful=True) for each in resolvers))


# --- Two answers to one query --------------------------------------------------------------------------------------

FIRST = [
    pytest.param(says(failure=NXDOMAIN, late=(HERE,)), (THERE,), id="a denial"),
    pytest.param(says(failure=SERVFAIL, late=(HERE,)), (THERE,), id="a failure"),
    pytest.param(says(BOGON, late=(HERE,)), (THERE,), id="an impossible address"),
    pytest.param(says("self", late=(HERE,)), (THERE,), id="the line's own address"),
    pytest.param(says(FORGED, late=(HERE,)), (tls_fails(TLS_AUTHORITY, FORGED), THERE), id="a block page"),
    pytest.param(says(FORGED, late=(HERE,)), (DEAD, THERE), id="a dead public address"),
]


@pytest.mark.parametrize(("raced", "attempts"), FIRST)
def test_a_false_answer_before_the_true_one(raced: Resolution, attempts: tuple[Attempt, ...]) -> None:
    assert conclusion(*attempts, resolutions=(raced, TRUE)) == INJECTED
    assert conclusion(*attempts, resolutions=(raced, TRUE), rounds=1)[1] is State.INSUFFICIENT


@pytest.mark.parametrize(
    ("raced", "more"),
    [
        pytest.param(says(FORGED, late=(HERE,), sends=2), {}, id="two queries, two replies"),
        pytest.param(says(FORGED, late=("198.51.100.11",)), {}, id="nobody knows the later one"),
        pytest.param(says(FORGED, late=("NXDOMAIN",)), {}, id="the later one denies"),
        pytest.param(
            says(FORGED, late=(HERE,)),
            {"networks": {**NETWORKS, "203.0.113.0/24": OPERATOR}},
            id="the operator's cache",
        ),
        pytest.param(
            says(FORGED, late=(HERE,)),
            {"networks": {**NETWORKS, "203.0.113.0/24": NETWORKS["198.51.100.0/24"]}},
            id="another edge of the service's",
        ),
        pytest.param(
            says(FORGED, late=(HERE,)),
            {"controls": (control(measurement(CHAT, tls_ok(), resolutions=(says(HERE, FORGED),))),)},
            id="a control got it, too",
        ),
    ],
)
def test_what_excuses_a_dead_first_answer(raced: Resolution, more: dict[str, Any]) -> None:
    assert conclusion(DEAD, THERE, resolutions=(raced, TRUE), **more)[1] in (State.IMPAIRED, State.INSUFFICIENT)


def test_what_was_raced_at_everybody_is_no_answer_of_anybodys() -> None:
    raced = (says(FORGED, late=(HERE,)), says(FORGED, late=(HERE,), resolver=PUBLIC))
    assert conclusion(DEAD, THERE, resolutions=raced, controls=()) == INJECTED


# --- Where it was injected -----------------------------------------------------------------------------------------

ABROAD = "9.9.9.0/24"


def hop(ttl: int, came: ReplyKind, prefix: str | None = None) -> Hop:
    return Hop(ttl=ttl, came=came, kind=HopKind.PUBLIC if came is ReplyKind.EXCEEDED else None, prefix=prefix)


def sweeps(answered: int) -> dict[str, Any]:
    """The neutral question passes the operator's routers at 2 and 3 and one abroad at 4; the name's is answered."""
    routers = [hop(2, ReplyKind.EXCEEDED, ISP_PREFIX), hop(3, ReplyKind.EXCEEDED, ISP_PREFIX)]
    neutral = (*routers, hop(4, ReplyKind.EXCEEDED, ABROAD), hop(5, ReplyKind.ANSWER))
    silent = [hop(ttl, ReplyKind.EXCEEDED, ISP_PREFIX) for ttl in range(2, answered)]
    asked = (*silent, hop(answered, ReplyKind.ANSWER))
    about: dict[str, Any] = {"step": Step.DNS, "port": 53, "transport": Transport.UDP, "family": 4}
    found = (Sweep(host="neutral.example", neutral=True, hops=neutral, **about), Sweep(host=HOST, hops=asked, **about))
    return {"sweeps": found, "networks": {**NETWORKS, ABROAD: Network(country="XW", asn=1, operator="Abroad")}}


def raced_at(resolver: str, answered: int | None, *beside: Resolution, **more: Any) -> Evidence:
    seen = sweeps(answered) if answered is not None else {}
    found = seen.pop("sweeps", ())
    raced = says(BOGON, resolver=resolver, late=(HERE,))
    told = {"resolutions": (raced, *beside), "link": checked(resolver), **seen, **more}
    given = evidence(CHAT, THERE, rounds=2, **told)
    return replace(given, measurement=replace(given.measurement, sweeps=found))


@pytest.mark.parametrize("resolver", [PUBLIC, PRIVATE, "google"])
def test_a_race_on_the_way_abroad_may_be_a_transit_countrys(resolver: str) -> None:
    verdict = judge(raced_at(resolver, None))
    assert (verdict.rule, verdict.state, verdict.mechanism) == ("name_injected_elsewhere", State.IMPAIRED, None)
    beyond = judge(raced_at(resolver, 5))
    assert beyond.rule == "name_injected_elsewhere"


@pytest.mark.parametrize("answered", [3])
def test_a_sweep_shows_that_it_is_this_network_that_races(answered: int) -> None:
    verdict = judge(raced_at(PUBLIC, answered))
    assert (verdict.rule, verdict.state, verdict.mechanism) == INJECTED


def test_a_sweep_shows_that_it_is_the_home_that_answers() -> None:
    assert judge(raced_at(ISP, 1)).rule == "name_answered_at_home"


def test_a_race_seen_at_an_independent_resolver_alone_accuses_nobody() -> None:
    """The app is told the truth; what happens to questions that go abroad may happen there."""
    raced = (says(HERE), says(BOGON, resolver=PUBLIC, late=(HERE,)))
    assert conclusion(tls_ok(), resolutions=raced)[1] is State.OK


@pytest.mark.parametrize(("whose", "state"), [({}, State.BLOCKED), ({"resolvers": PUBLIC}, State.IMPAIRED)])
def test_nobody_knows_whose_network_it_is(whose: dict[str, str], state: State) -> None:
    """The link is spoken of, then: an independent one that is raced too shows that it is done on the way to both."""
    resolver = whose.get("resolvers", ISP)
    raced = says(BOGON, resolver="world", late=(HERE,))
    verdict = judge(raced_at(resolver, None, raced, networks={}, network=Network()))
    assert verdict.state is state
    known = judge(raced_at(resolver, None, raced, networks={}))
    assert known.rule == "name_injected_elsewhere"


# --- The same resolver in the clear and in TLS ------------------------------------------------------------------------

REFUSES = tcp_fails(REFUSED, address=FORGED)
IN_TLS = says(HERE, resolver=PUBLIC, transport=Transport.TLS)
IN_CLEAR = (says(FORGED), says(FORGED, resolver=PUBLIC))
OTHERWISE = ("name_told_otherwise", State.LIKELY_BLOCKED, "dns.injected")


@pytest.mark.parametrize("dead", [REFUSES, DEAD])
@pytest.mark.parametrize("known", [{}, {"networks": {}, "network": Network()}])
def test_whoever_is_asked_in_the_clear_leads_to_a_dead_address(dead: Attempt, known: dict[str, Any]) -> None:
    asked = (*IN_CLEAR, IN_TLS)
    assert conclusion(dead, THERE, resolutions=asked, **known) == OTHERWISE
    assert conclusion(dead, THERE, resolutions=asked, rounds=1, **known)[1] is State.INSUFFICIENT


@pytest.mark.parametrize(
    ("resolutions", "more"),
    [
        pytest.param(IN_CLEAR, {}, id="it was not asked in TLS"),
        pytest.param((says(FORGED), TRUE, IN_TLS), {}, id="it says so in the clear, too: a regional address"),
        pytest.param((*IN_CLEAR, says(V6, resolver=PUBLIC, transport=Transport.TLS)), {}, id="told another family"),
        pytest.param(
            (*IN_CLEAR, IN_TLS), {"networks": {**NETWORKS, "203.0.113.0/24": OPERATOR}}, id="the operator's cache"
        ),
        pytest.param((*IN_CLEAR, IN_TLS), {"link": replace(LINK, resolvers=())}, id="no resolver of the link's"),
        pytest.param((*IN_CLEAR, IN_TLS), {"link": checked("nobody")}, id="another was asked"),
    ],
)
def test_what_excuses_a_dead_address(resolutions: tuple[Resolution, ...], more: dict[str, Any]) -> None:
    told = conclusion(REFUSES, THERE, resolutions=resolutions, **more)
    assert told[1] not in (State.BLOCKED, State.LIKELY_BLOCKED)


def test_a_resolver_set_by_hand_says_nothing_of_this_network() -> None:
    asked = (says(FORGED, resolver="google"), says(FORGED, resolver=PUBLIC), IN_TLS)
    told = conclusion(REFUSES, THERE, resolutions=asked, link=checked("google"))
    assert told == ("name_injected_elsewhere", State.IMPAIRED, None)


def test_documentation_prefixes_tell_the_services_from_the_ministrys() -> None:
    assert {prefix_of(HERE), prefix_of(FORGED), ISP_PREFIX} == set(NETWORKS)
