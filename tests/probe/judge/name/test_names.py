"""Name resolution: a lie of the network's resolver is told from a volunteer's own filter, a CDN and a dead name."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, TLS_AUTHORITY, TLS_HOSTNAME
from probe.judge import Evidence, judge
from probe.judge.name.view import names_of
from probe.model import Grade, Network, Resolution, ResolverCheck, State, Step, TlsFacts, Via
from tests.probe.judge.evidence import (
    BOGON,
    CHAT,
    FORGED,
    HERE,
    ISP,
    ISP_PREFIX,
    LINK,
    NETWORKS,
    OPERATOR,
    PRIVATE,
    PUBLIC,
    TCP,
    TLS,
    V6,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
)

TRUE = says(HERE, resolver=PUBLIC)
THERE = tls_ok(via=Via.INDEPENDENT)


def lie(failure: str, resolver: str = ISP) -> Resolution:
    return says(failure=failure, resolver=resolver)


def first_round(given: Evidence) -> Evidence:
    return replace(given, measurement=replace(given.measurement, round=1), earlier=None)


def conclusion(given: Evidence) -> tuple[str, str, str | None]:
    verdict = judge(given)
    return verdict.rule, verdict.state, verdict.mechanism


@pytest.mark.parametrize(
    ("failure", "state", "mechanism"),
    [
        (NXDOMAIN, State.BLOCKED, "dns.nxdomain"),
        (NO_ANSWER, State.BLOCKED, "dns.nxdomain"),
        (SERVFAIL, State.LIKELY_BLOCKED, "dns.servfail"),
        (DNS_REFUSED, State.LIKELY_BLOCKED, "dns.servfail"),
        (TIMEOUT, State.LIKELY_BLOCKED, "dns.silent"),
    ],
)
@pytest.mark.parametrize("controls", [None, ()], ids=["a control", "no control"])
def test_accuses_when_the_service_is_where_others_say(
    failure: str, state: State, mechanism: str, controls: Any
) -> None:
    """Another resolver's address, asked from the same line, is the comparison: it needs no control. Once is nothing."""
    given = evidence(CHAT, THERE, rounds=2, resolutions=(lie(failure), TRUE), controls=controls)
    assert conclusion(given)[1:] == (state, mechanism)
    assert judge(given).step == "dns"
    assert conclusion(first_round(given)) == ("name_once", State.INSUFFICIENT, None)


ONCE = [
    pytest.param((says(HERE), TRUE), id="it resolved before"),
    pytest.param((says(failure="dns_server_misbehaving"), TRUE), id="it failed otherwise before"),
    pytest.param((TRUE,), id="it was not asked before"),
    pytest.param((lie(NXDOMAIN, "google"), TRUE), id="another resolver denied it before"),
]


@pytest.mark.parametrize("before", ONCE)
@pytest.mark.parametrize(
    "now",
    [
        (says(BOGON), TRUE),
        (lie(NXDOMAIN), TRUE),
        (lie(TIMEOUT), TRUE),
        (says(failure=NXDOMAIN, late=(HERE,)), TRUE),
    ],
)
def test_two_rounds_in_which_two_things_went_wrong(before: tuple[Resolution, ...], now: tuple[Resolution, ...]) -> None:
    given = evidence(CHAT, THERE, rounds=2, resolutions=now)
    assert given.earlier is not None
    link = replace(LINK, resolvers=(*LINK.resolvers, ResolverCheck(resolver="google", truthful=True)))
    earlier = replace(given.earlier, resolutions=before, link=link)
    assert judge(replace(given, earlier=earlier)).state is State.INSUFFICIENT


@pytest.mark.parametrize("failure", [NXDOMAIN, SERVFAIL, NO_ANSWER])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"link": replace(LINK, resolvers=(ResolverCheck(resolver=ISP, truthful=False),))}, id="fails all"),
        pytest.param({"resolutions": (lie(NXDOMAIN), lie(NXDOMAIN, PUBLIC)), "controls": ()}, id="nobody knows it"),
        pytest.param({"link": replace(LINK, resolvers=(ResolverCheck(resolver=ISP, truthful=None),))}, id="unchecked"),
        pytest.param({"networks": {}}, id="nobody knows whose the resolver is"),
        pytest.param({"network": Network()}, id="nobody knows whose the line is"),
        pytest.param({"networks": {ISP_PREFIX: Network(country="XE", asn=2, operator="Other")}}, id="foreign"),
        pytest.param({"networks": {ISP_PREFIX: replace(OPERATOR, country="XF", asn=2)}}, id="of the name, abroad"),
        pytest.param({"networks": {ISP_PREFIX: replace(OPERATOR, operator="Virtual")}}, id="a guest's, in its system"),
        pytest.param({"resolver_lines": {ISP_PREFIX: 2}}, id="two lines use it"),
        pytest.param({"resolver_lines": {}}, id="no line was seen to use it"),
    ],
)
def test_innocent_explanations(failure: str, changed: dict[str, Any]) -> None:
    given = {"resolutions": (lie(failure), TRUE), **changed}
    assert judge(evidence(CHAT, THERE, rounds=2, **given)).state in (State.IMPAIRED, State.INSUFFICIENT)


def test_one_operator_has_several_systems_and_many_lines() -> None:
    theirs = {ISP_PREFIX: replace(OPERATOR, asn=OPERATOR.asn + 1)}
    told = {"resolutions": (lie(NXDOMAIN), TRUE), "resolver_lines": {ISP_PREFIX: 3}}
    given = evidence(CHAT, THERE, rounds=2, networks=theirs, **told)
    assert conclusion(given) == ("name_denied", State.BLOCKED, "dns.nxdomain")


def test_a_resolver_of_few_lines_is_waited_for() -> None:
    given = evidence(CHAT, THERE, rounds=2, resolutions=(lie(NXDOMAIN), TRUE), resolver_lines={ISP_PREFIX: 2})
    assert conclusion(given) == ("resolver_of_few_lines", State.INSUFFICIENT, None)


def test_a_resolver_that_is_not_known_to_be_truthful() -> None:
    link = replace(LINK, resolvers=(ResolverCheck(resolver=ISP, truthful=None),))
    given = evidence(CHAT, THERE, rounds=2, resolutions=(says(BOGON), TRUE), link=link)
    assert conclusion(given) == ("resolver_unchecked", State.INSUFFICIENT, None)


@pytest.mark.parametrize("resolver", [PRIVATE, "adguard-family"])
def test_a_resolver_that_is_not_shown_to_be_the_networks(resolver: str) -> None:
    link = replace(LINK, resolvers=(ResolverCheck(resolver=resolver, truthful=True),))
    given = evidence(CHAT, THERE, rounds=2, resolutions=(lie(NXDOMAIN, resolver), TRUE), link=link)
    assert conclusion(given) == ("resolver_not_the_networks", State.IMPAIRED, "local.resolver")


def test_a_denial_with_nobody_to_compare_with() -> None:
    assert judge(evidence(CHAT, resolutions=(lie(NXDOMAIN),), controls=())).rule == "name_unknown"


def test_a_denial_while_nothing_answers_anywhere() -> None:
    there_dead = tcp_fails(TIMEOUT, via=Via.INDEPENDENT)
    assert judge(evidence(CHAT, there_dead, resolutions=(lie(NXDOMAIN), TRUE), controls=())).rule == "name_unproved"


def test_a_name_that_is_being_given_up() -> None:
    fading = [
        control(measurement(CHAT, resolutions=(lie(NXDOMAIN),)), 1),
        control(measurement(CHAT, tls_ok()), 2),
    ]
    given = evidence(CHAT, THERE, resolutions=(lie(NXDOMAIN), TRUE), controls=fading)
    assert conclusion(given) == ("name_disputed", State.IMPAIRED, None)


def test_a_name_that_the_vendor_gave_up() -> None:
    gone = [
        control(measurement(CHAT, resolutions=(lie(NXDOMAIN),)), 1),
        control(measurement(CHAT, resolutions=(lie(NXDOMAIN),)), 2),
    ]
    assert conclusion(evidence(CHAT, resolutions=(lie(NXDOMAIN),), controls=gone)) == ("name_gone", State.DOWN, None)


@pytest.mark.parametrize("address", [BOGON, FORGED, "self"])
def test_a_forged_address(address: str) -> None:
    attempts = [THERE] if address == "self" else [tls_fails(TLS_HOSTNAME, address=address, leaf="dd" * 32), THERE]
    given = evidence(CHAT, *attempts, rounds=2, resolutions=(says(address), TRUE), controls=())
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")
    assert judge(first_round(given)).rule == "name_once"


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(OPERATOR, id="the operator's cache of a CDN"),
        pytest.param(NETWORKS["198.51.100.0/24"], id="another edge of the service's"),
        pytest.param(Network(), id="nobody knows whose it is"),
    ],
)
def test_another_customers_genuine_certificate_accuses_nobody(there: Network) -> None:
    attempts = [tls_fails(TLS_HOSTNAME, address=FORGED, leaf="dd" * 32), THERE]
    networks = {**NETWORKS, "203.0.113.0/24": there}
    given = evidence(CHAT, *attempts, rounds=2, resolutions=(says(FORGED), TRUE), networks=networks)
    assert judge(given).state is State.IMPAIRED


@pytest.mark.parametrize("facts", [TlsFacts(leaf_sha256="aa" * 32), TlsFacts(issuer_sha256="bb" * 32)])
def test_an_authority_that_controls_saw_too_is_newer_than_our_list(facts: TlsFacts) -> None:
    edge = attempt(TLS, seen(Step.TCP), seen(Step.TLS, TLS_AUTHORITY, tls=facts), address=FORGED)
    given = evidence(CHAT, edge, THERE, rounds=2, resolutions=(says(FORGED), TRUE))
    assert names_of(given, CHAT).forged == set()


def test_a_certificate_tells_nothing_where_all_are_replaced() -> None:
    """A CDN's address for this network, behind an antivirus: nobody forged the name."""
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TLS_AUTHORITY, port=8443)))
    given = evidence(CHAT, tls_fails(TLS_AUTHORITY, FORGED), resolutions=(says(FORGED),), link=link)
    assert conclusion(given)[1:] == (State.IMPAIRED, "local.tls")


def test_everybody_who_is_asked_is_forged() -> None:
    """DNS is hijacked, whoever is asked; what controls were told contradicts it."""
    liar = (says(FORGED), says(FORGED, resolver=PUBLIC))
    given = evidence(CHAT, tls_fails(TLS_AUTHORITY, address=FORGED, leaf="dd" * 32), rounds=2, resolutions=liar)
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")
    alone = replace(given, controls=())
    assert judge(alone).rule == "no_control"


def test_an_edge_with_another_customers_certificate_is_no_forgery() -> None:
    edge = (says(FORGED), says(FORGED, resolver=PUBLIC))
    given = evidence(CHAT, tls_fails(TLS_HOSTNAME, address=FORGED, leaf="dd" * 32), resolutions=edge)
    assert conclusion(given) == ("regional_fault_not_excluded", State.IMPAIRED, None)


def test_a_resolver_that_withholds_ipv6_denies_nothing() -> None:
    answers = (says(HERE), says(failure=NO_ANSWER, qtype="AAAA"), TRUE, says(V6, resolver=PUBLIC, qtype="AAAA"))
    assert judge(evidence(CHAT, tls_ok(), resolutions=answers)).state is State.OK


def test_a_forged_address_that_only_accepts_connections() -> None:
    """A block page's server opens any port; without a certificate an impossible address still gives it away."""
    target = replace(CHAT, endpoints=(TCP,))
    open_port = attempt(TCP, seen(Step.TCP), address=BOGON, grade=Grade.TRANSPORT)
    there = attempt(TCP, seen(Step.TCP), grade=Grade.TRANSPORT, via=Via.INDEPENDENT)
    given = evidence(target, open_port, there, rounds=2, resolutions=(says(BOGON), TRUE), controls=())
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")


def test_another_address_that_proves_itself_is_a_cdn() -> None:
    cache = "198.51.100.99"
    given = evidence(CHAT, tls_ok(address=cache), resolutions=(says(cache), TRUE))
    assert judge(given).state is State.OK


def test_a_dead_regional_address_is_no_forgery() -> None:
    """The network's resolver gives an address that is silent; another one works: the service's own fault, maybe."""
    site = "198.51.100.99"
    dead = tcp_fails(TIMEOUT, address=site)
    given = evidence(CHAT, dead, THERE, rounds=2, resolutions=(says(site), TRUE))
    assert conclusion(given) == ("regional_fault_not_excluded", State.IMPAIRED, None)


def test_who_leads_neutral_names_astray_leads_every_name_astray() -> None:
    """A walled garden at an address that may be anybody's, and at which nobody answers."""
    garden = "28.0.0.66"
    dead = tcp_fails(TIMEOUT, address=garden)
    link = replace(LINK, resolvers=(ResolverCheck(resolver=ISP, truthful=False),))
    given = evidence(CHAT, dead, THERE, rounds=2, resolutions=(says(garden), TRUE), link=link)
    assert conclusion(given) == ("resolver_untruthful", State.IMPAIRED, "local.resolver")
    assert conclusion(first_round(given)) == ("resolver_untruthful", State.IMPAIRED, "local.resolver")
    truthful = evidence(CHAT, dead, THERE, rounds=2, resolutions=(says(garden), TRUE))
    assert conclusion(truthful) == ("regional_fault_not_excluded", State.IMPAIRED, None)


def test_an_injected_denial_before_the_true_answer() -> None:
    injected = says(failure=NXDOMAIN, late=(HERE,))
    given = evidence(CHAT, THERE, rounds=2, resolutions=(injected, TRUE))
    assert conclusion(given) == ("name_injected", State.BLOCKED, "dns.injected")
    assert conclusion(first_round(given)) == ("name_once", State.INSUFFICIENT, None)


def test_an_injected_block_page_before_the_true_answer() -> None:
    page = "198.51.100.66"
    attempts = tls_fails(TLS_AUTHORITY, address=page, leaf="cc" * 32), THERE
    given = evidence(CHAT, *attempts, rounds=2, resolutions=(says(page, late=(HERE,)), TRUE))
    assert conclusion(given) == ("name_injected", State.BLOCKED, "dns.injected")


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(says(failure=SERVFAIL, late=(HERE,), sends=2), id="two queries, two replies"),
        pytest.param(says(HERE, late=("198.51.100.11",)), id="a CDN's two answers"),
    ],
)
def test_two_replies_are_not_always_an_injection(odd: Resolution) -> None:
    assert judge(evidence(CHAT, tls_ok(), resolutions=(odd, TRUE))).mechanism != "dns.injected"


def test_no_ipv6_address_is_no_denial() -> None:
    both = (says(HERE), says(failure=NO_ANSWER, qtype="AAAA"))
    assert judge(evidence(CHAT, tls_ok(), resolutions=both)).state is State.OK


def test_a_name_that_has_no_ipv6_anywhere_is_judged_by_ipv4() -> None:
    denied = (lie(NXDOMAIN), says(failure=NXDOMAIN, qtype="AAAA"), TRUE)
    assert judge(evidence(CHAT, THERE, rounds=2, resolutions=denied)).mechanism == "dns.nxdomain"


def test_an_independent_answer_is_no_path_of_an_app() -> None:
    """What only our own resolver finds does not get the app through."""
    assert judge(evidence(CHAT, THERE, resolutions=(lie(SERVFAIL), TRUE))).state is not State.OK
