"""Who said it is who is accused: several resolvers of one link, and what takes nobody's word for another's."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import DNS_REFUSED, NXDOMAIN, SERVFAIL, TIMEOUT, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.judge.evidence import first_match
from probe.judge.name.case import NameCase, name_cases
from probe.judge.name.resolvers import ResolverId
from probe.judge.name.view import names_of
from probe.judge.verdict import NAME_RULES, judge_attempts
from probe.model import Attempt, Link, Network, Resolution, ResolverCheck, State, Transport, Via
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    FORGED,
    HERE,
    ISP,
    ISP_PREFIX,
    LINK,
    NETWORKS,
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

FORGED6, BOGON6 = "2001:db8:bad::1", "d0::11"
THERE = tls_ok(via=Via.INDEPENDENT)
TRUE = says(HERE, resolver=PUBLIC)
ACCUSES = (State.BLOCKED, State.LIKELY_BLOCKED)
WEAKEST_FIRST = (State.OK, State.INSUFFICIENT, State.DOWN, State.IMPAIRED, State.DEGRADED, *reversed(ACCUSES))


def link(**truthful: bool | None) -> Link:
    return replace(
        LINK, resolvers=tuple(ResolverCheck(resolver=name, truthful=told) for name, told in truthful.items())
    )


BOTH = link(isp=True, private=True)


def conclusion(*resolutions: Resolution, attempts: tuple[Attempt, ...] = (THERE,), **more: Any) -> tuple[str, State]:
    given = evidence(CHAT, *attempts, **{"rounds": 2, "resolutions": (*resolutions, TRUE), "link": BOTH, **more})
    verdict = judge(given)
    return verdict.rule, verdict.state


# --- Two resolvers of the link's own -----------------------------------------------------------------------------


@pytest.mark.parametrize("filtered", [says(failure=NXDOMAIN, resolver=PRIVATE), says("0.0.0.0", resolver=PRIVATE)])
@pytest.mark.parametrize("failure", [TIMEOUT, SERVFAIL, DNS_REFUSED])
def test_what_a_filter_at_home_says_is_not_laid_to_the_network(filtered: Resolution, failure: str) -> None:
    """The network's own was not heard once, or failed once: that is all that can be said of it."""
    seen = (filtered, says(failure=failure))
    assert conclusion(*seen, rounds=1)[1] not in ACCUSES
    given = evidence(CHAT, THERE, rounds=2, resolutions=(*seen, TRUE), link=BOTH)
    assert given.earlier is not None
    well_before = replace(given, earlier=replace(given.earlier, resolutions=(filtered, says(HERE), TRUE)))
    assert judge(well_before).state not in ACCUSES
    assert judge(given).mechanism in ("dns.silent", "dns.servfail")  # its own, twice, and no denial


def test_each_of_two_servers_of_the_operators_answers_for_itself() -> None:
    """One is truthful about neutral names; it is the other that denies this one."""
    first, second = says(HERE, resolver_index=0), says(failure=NXDOMAIN, resolver_index=1)
    checks = tuple(ResolverCheck(resolver=ISP, index=at, truthful=at == 0) for at in (0, 1))
    only_one = replace(LINK, resolvers=checks)
    assert conclusion(first, second, link=only_one, attempts=(tls_ok(),))[1] is State.OK
    alone = conclusion(second, link=only_one)
    assert alone == ("resolver_untruthful", State.IMPAIRED)


def test_servers_in_two_networks_are_two() -> None:
    """A resolver set by hand denies it; that of the operator's does not."""
    by_hand = says(failure=NXDOMAIN, resolver_prefix="203.0.113.0/24")
    assert conclusion(says(HERE), by_hand, attempts=(tls_ok(),))[1] is State.OK
    assert conclusion(says(failure=TIMEOUT), by_hand, rounds=1)[1] is not State.BLOCKED


def test_a_lie_of_one_resolver_beside_the_truth_of_another_is_partial() -> None:
    seen = (says(failure=NXDOMAIN), says(HERE, resolver=PRIVATE))
    assert conclusion(*seen, attempts=(tls_ok(),)) == ("partial", State.DEGRADED)


def test_a_filter_beside_the_truth_is_nothing() -> None:
    seen = (says(HERE), says(failure=NXDOMAIN, resolver=PRIVATE))
    assert conclusion(*seen, attempts=(tls_ok(),)) == ("complete", State.OK)


@pytest.mark.parametrize(("told", "rule"), [(None, "resolver_unchecked"), (False, "resolver_untruthful")])
@pytest.mark.parametrize("said", [says(BOGON), says(failure=NXDOMAIN), says(failure=SERVFAIL)])
def test_what_another_resolver_says_of_neutral_names_clears_nobody(
    said: Resolution, told: bool | None, rule: str
) -> None:
    assert conclusion(said, link=link(isp=told, private=True))[0] == rule


def test_a_resolver_that_was_down_in_one_round_was_silent_to_all() -> None:
    given = evidence(CHAT, THERE, rounds=2, resolutions=(says(failure=TIMEOUT), TRUE))
    assert given.earlier is not None
    down = replace(given.earlier, link=link(isp=False))
    assert judge(replace(given, earlier=down)).rule == "resolver_untruthful"


# --- What is no silence, and what is the service's ------------------------------------------------------------------


def test_what_cannot_be_read_is_no_silence() -> None:
    assert conclusion(says(failure=TIMEOUT, unmatched=2)) == ("name_failed", State.INSUFFICIENT)


def test_silence_of_another_network_s_resolver_proves_nothing() -> None:
    assert conclusion(says(failure=TIMEOUT), networks={})[0] == "name_failed"


SIGNATURES = [
    pytest.param((says(failure=SERVFAIL, resolver="google"),), (), id="another resolver that checks signatures"),
    pytest.param((says(failure=SERVFAIL, resolver="google", transport=Transport.TLS),), (), id="the same in TLS"),
    pytest.param((), (control(measurement(CHAT, tls_ok(), resolutions=(says(failure=SERVFAIL),))),), id="a control's"),
]


@pytest.mark.parametrize(("beside", "controls"), SIGNATURES)
@pytest.mark.parametrize("failure", [SERVFAIL, DNS_REFUSED])
def test_a_zone_whose_signatures_are_broken_is_the_services(failure: str, beside: Any, controls: Any) -> None:
    told = conclusion(says(failure=failure), *beside, **({"controls": controls} if controls else {}))
    assert told == ("name_fails_elsewhere", State.IMPAIRED)


def test_a_failure_in_another_resolvers_name_is_not_that_resolvers() -> None:
    """In TLS it resolves the name: who fails it in the clear stands on the way."""
    beside = says(failure=SERVFAIL, resolver="google"), says(HERE, resolver="google", transport=Transport.TLS)
    assert conclusion(says(failure=SERVFAIL), *beside) == ("name_servfail", State.LIKELY_BLOCKED)


def test_a_name_that_an_independent_resolver_itself_denies() -> None:
    beside = says(failure=NXDOMAIN, resolver="google", transport=Transport.TLS)
    assert conclusion(says(failure=NXDOMAIN), beside) == ("name_disputed", State.IMPAIRED)
    hijacked = says(failure=NXDOMAIN, resolver="google")
    assert conclusion(says(failure=NXDOMAIN), hijacked) == ("name_denied", State.BLOCKED)


def test_a_name_that_the_only_control_is_denied() -> None:
    ill = control(measurement(CHAT, resolutions=(says(failure=NXDOMAIN),)))
    assert conclusion(says(failure=NXDOMAIN), controls=(ill,)) == ("name_disputed", State.IMPAIRED)


# --- Properties --------------------------------------------------------------------------------------------------

ANSWERS: list[dict[str, Any]] = [
    {"failure": NXDOMAIN},
    {"failure": SERVFAIL},
    {"failure": DNS_REFUSED},
    {"failure": TIMEOUT},
    {"failure": TIMEOUT, "unmatched": 1},
    {"failure": NXDOMAIN, "late": (HERE,)},
    {"answers": (HERE,)},
    {"answers": (BOGON,)},
    {"answers": (FORGED,)},
    {"answers": (FORGED,), "late": (HERE,)},
    {"answers": (BOGON,), "late": (HERE,), "sends": 2},
]
OWN = [(ISP, 0, ISP_PREFIX), (ISP, 1, ISP_PREFIX), (ISP, 0, "203.0.113.0/24"), (PRIVATE, 0, None)]
OTHERS = [("world", Transport.UDP), ("world", Transport.TLS), (PUBLIC, Transport.UDP), (PUBLIC, Transport.HTTPS)]
ATTEMPTS = [
    (),
    (THERE,),
    (THERE, tcp_fails(TIMEOUT, address=FORGED)),
    (THERE, tls_fails(TLS_AUTHORITY, address=FORGED)),
    (tcp_fails(TIMEOUT, address=FORGED),),
    (tls_ok(),),
]


def _said(answer: dict[str, Any], qtype: str, **of: Any) -> Resolution:
    told = dict(answer)
    six = {HERE: V6, FORGED: FORGED6, BOGON: BOGON6} if qtype == "AAAA" else {}
    answers, late = (tuple(six.get(each, each) for each in told.pop(field, ())) for field in ("answers", "late"))
    return says(*answers, failure=told.pop("failure", None), qtype=qtype, late=late, **told, **of)


@st.composite
def resolutions(draw: st.DrawFn) -> tuple[Resolution, ...]:
    """Each resolver that is asked at all is asked about both families."""
    found = []
    for name, index, prefix in draw(st.lists(st.sampled_from(OWN), min_size=1, unique=True)):
        for qtype in ("A", "AAAA"):
            answer = draw(st.sampled_from(ANSWERS))
            found.append(_said(answer, qtype, resolver=name, resolver_index=index, resolver_prefix=prefix))
    for name, transport in draw(st.lists(st.sampled_from(OTHERS), unique=True)):
        for qtype in ("A", "AAAA"):
            found.append(_said(draw(st.sampled_from(ANSWERS)), qtype, resolver=name, transport=transport))
    return tuple(found)


@st.composite
def cases(draw: st.DrawFn) -> Evidence:
    """Any answers of any resolvers in two rounds, which are mostly alike; any attempts; up to two controls."""
    told = draw(resolutions())
    before = draw(st.one_of(st.just(told), resolutions()))
    checks = [
        ResolverCheck(resolver=name, index=index, truthful=draw(st.sampled_from([True, True, True, False, None])))
        for name, index in {(name, index): None for name, index, _ in OWN}
    ]
    well = control(measurement(CHAT, tls_ok()))
    ill = control(measurement(CHAT, resolutions=(says(failure=draw(st.sampled_from([NXDOMAIN, SERVFAIL]))),)), 2)
    given = evidence(
        CHAT,
        *draw(st.sampled_from(ATTEMPTS)),
        rounds=draw(st.sampled_from([2, 2, 2, 1])),
        resolutions=told,
        link=replace(LINK, resolvers=tuple(checks)),
        controls=draw(st.sampled_from([(well,), (), (well, ill), (ill,)])),
        networks=draw(st.sampled_from([NETWORKS, NETWORKS, {}])),
        resolver_lines=draw(st.sampled_from([None, {ISP_PREFIX: 3}, {ISP_PREFIX: 2}])),
    )
    return given if given.earlier is None else replace(given, earlier=replace(given.earlier, resolutions=before))


def verdicts(given: Evidence) -> dict[tuple[str, int, ResolverId], State]:
    """By the name's family and the resolver that is accused of it, if any is."""
    names = names_of(given, CHAT)
    found: dict[tuple[str, int, ResolverId], State] = {}
    for case in name_cases(given, CHAT, names):
        rule = first_match(NAME_RULES, case)
        assert rule is not None
        found[case.host, case.family, case.resolver] = rule.state
    return found


def without(given: Evidence, gone: Any) -> Evidence:
    """What these resolutions said is taken away, in both rounds."""

    def left(told: tuple[Resolution, ...]) -> tuple[Resolution, ...]:
        return tuple(each for each in told if each.observation.dns is None or not gone(each.observation.dns))

    fewer = replace(given.measurement, resolutions=left(given.measurement.resolutions))
    earlier = given.earlier and replace(given.earlier, resolutions=left(given.earlier.resolutions))
    return replace(given, measurement=fewer, earlier=earlier)


def is_stronger(state: State, than: State) -> bool:
    return state in ACCUSES and WEAKEST_FIRST.index(state) > WEAKEST_FIRST.index(than)


fuzzed = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@fuzzed
@given(cases(), st.sampled_from(OWN))
def test_taking_a_resolver_of_the_links_away_makes_no_other_worse(
    given: Evidence, gone: tuple[str, int, str | None]
) -> None:
    before = verdicts(given)
    after = verdicts(
        without(given, lambda facts: (facts.resolver, facts.resolver_index, facts.resolver_prefix) == gone)
    )
    assert all(
        key in before and not is_stronger(state, before[key]) for key, state in after.items() if state in ACCUSES
    )


@fuzzed
@given(cases(), st.sampled_from(["world", PUBLIC]))
def test_taking_an_independent_resolver_away_makes_nothing_worse(given: Evidence, gone: str) -> None:
    """Where it contradicts the link's own: one that fails as well, or is given the same, explains what those say."""
    about = [each.observation for each in given.measurement.resolutions if each.observation.dns]
    its = [each for each in about if each.dns and each.dns.resolver == gone]
    excuse = any(each.failure in (NXDOMAIN, SERVFAIL) or {*each.dns.answers} - {HERE, V6} for each in its if each.dns)
    before, after = verdicts(given), verdicts(without(given, lambda facts: facts.resolver == gone))
    assert excuse or all(not is_stronger(state, before.get(key, State.OK)) for key, state in after.items())


@fuzzed
@given(cases())
def test_taking_a_control_that_answers_away_makes_nothing_worse(given: Evidence) -> None:
    before = verdicts(given)
    for at in range(len(given.controls)):
        if given.controls[at].measurement.attempts:
            fewer = replace(given, controls=(*given.controls[:at], *given.controls[at + 1 :]))
            after = verdicts(fewer)
            assert all(not is_stronger(state, before.get(key, State.OK)) for key, state in after.items())


@fuzzed
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_what_was_said_changes_nothing(given: Evidence, random: Any) -> None:
    told = list(given.measurement.resolutions)
    random.shuffle(told)
    shuffled = replace(given, measurement=replace(given.measurement, resolutions=tuple(told)))
    assert verdicts(given) == verdicts(shuffled)
    assert (judge(given).state, judge(given).mechanism) == (judge(shuffled).state, judge(shuffled).mechanism)


def _innocent(given: Evidence) -> list[Evidence]:
    """The same evidence, with one innocent explanation more."""
    link = given.measurement.link
    untruthful = replace(link, resolvers=tuple(replace(each, truthful=False) for each in link.resolvers))
    failing = says(failure=SERVFAIL, resolver="google")
    return [
        replace(given, earlier=None),
        replace(given, networks={}),
        replace(given, networks={prefix: Network(country="XE", asn=9, operator="Other") for prefix in NETWORKS}),
        replace(given, resolver_lines={}),
        replace(given, measurement=replace(given.measurement, link=untruthful)),
        replace(given, measurement=replace(given.measurement, resolutions=(*given.measurement.resolutions, failing))),
    ]


@fuzzed
@given(cases())
def test_an_innocent_explanation_more_never_accuses(given: Evidence) -> None:
    before = verdicts(given)
    for changed in _innocent(given):
        after = verdicts(changed)
        assert all(not is_stronger(state, before.get(key, State.OK)) for key, state in after.items())


@fuzzed
@given(cases())
def test_only_who_said_it_is_accused(given: Evidence) -> None:
    """A resolver that leads on, or is not the network's, or lies about neutral names, is accused of nothing it said."""
    names = names_of(given, CHAT)
    for case in name_cases(given, CHAT, names):
        rule = first_match(NAME_RULES, case)
        assert rule is not None
        if rule.state in ACCUSES:
            said = [each for each in names.own if (each.host, each.family, each.resolver) == _of(case)]
            assert said
            assert all(names.trouble(each) is not None for each in said)
            assert (case.truthful, case.twice) == (True, True)
            assert rule.mechanism == "dns.injected" or case.resolver.prefix == ISP_PREFIX


def _of(case: NameCase) -> tuple[str, int, ResolverId]:
    return case.host, case.family, case.resolver


def test_permuting_resolvers_of_one_name() -> None:
    seen = says(failure=NXDOMAIN), says(failure=SERVFAIL, resolver=PRIVATE), TRUE
    orders = [evidence(CHAT, THERE, rounds=2, resolutions=order, link=BOTH) for order in permutations(seen)]
    states = {tuple(sorted(path.rule for path in judge_attempts(each, CHAT))) for each in orders}
    assert states == {("name_denied", "resolver_not_the_networks")}
