"""Whether a resolver is truthful about neutral names, by what it itself said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from probe.measuring import self_check
from probe.measuring.measurer import Findings
from probe.measuring.neutral_names import check_resolver
from probe.model import (
    Access,
    Attempt,
    DnsFacts,
    Endpoint,
    Grade,
    Link,
    Operation,
    Resolution,
    ResolverCheck,
    Step,
    Transport,
    Tunnel,
    Via,
    Void,
)
from probe.net.vantage import LinkResolver, numbered
from tests.probe.builders import NOW_MS, attempt, endpoint, observation

TIMEOUT, NXDOMAIN, STATUS = "generic_timeout_error", "dns_nxdomain_error", "http_unexpected_status_code"
AUTHORITY = "ssl_unknown_authority"
ISP = LinkResolver(name="isp", address="198.51.100.53")
SECOND = LinkResolver(name="isp", address="198.51.100.54")
HOME = LinkResolver(name="private", address="192.168.1.1")
WORLD = LinkResolver(name="world", address="203.0.113.53", independent=True)

# What the shipped baseline is made of: names of four operators, and addresses that need no resolver.
PORTAL = endpoint("http", "portal.example", 80)
PORTAL2 = endpoint("http", "portal2.example", 80)
WEB = endpoint("tls", "web.example", 443)
STUN = endpoint("stun", "stun.example", 3478)
STUN2 = endpoint("stun", "stun2.example", 19302)
NAMED = (PORTAL, PORTAL2, WEB, STUN, STUN2)
LITERAL = (endpoint("tls", "9.9.9.9", 443), endpoint("stun", "74.125.128.127", 19302))
GENUINE = ("142.250.1.1", "34.107.2.2", "93.184.3.3", "74.125.4.4", "162.159.5.5")
TRUE = dict(zip((each.host for each in NAMED), GENUINE, strict=True))


def asked(host: str, *answers: str, failure: str | None = None, resolver: LinkResolver = ISP) -> Resolution:
    facts = DnsFacts(resolver=resolver.name, resolver_index=resolver.index, answers=answers)
    return Resolution(host=host, observation=observation(Step.DNS, failure, dns=facts))


def met(where: Endpoint, address: str | None = None, **more: Any) -> Attempt:
    """It answered as it should."""
    grade = Grade.TRANSPORT if where.handshake in ("http", "tcp") else Grade.BOUND
    via = Via.LITERAL if address is None else Via.SYSTEM
    return attempt(where, observation(Step.TCP), address=address, **{"grade": grade, "via": via, **more})


def missed(where: Endpoint, address: str, failure: str = TIMEOUT, *, accepted: bool = False, **more: Any) -> Attempt:
    opened = (observation(Step.TCP),) if accepted else ()
    last = observation(Step.TCP if not accepted else Step.TLS, failure, operation=Operation.READ)
    return attempt(where, *opened, last, address=address, **{"via": Via.SYSTEM, **more})


def link(*attempts: Attempt, said: Sequence[Resolution] = (), resolvers: Sequence[LinkResolver] = (ISP,)) -> Link:
    findings = {"baseline/all": Findings(started_ms=NOW_MS, attempts=attempts, resolutions=tuple(said))}
    told = {"tunnel": Tunnel.UNKNOWN, "declared": Access.UNKNOWN, "detected": Access.UNKNOWN, "behind": Access.UNKNOWN}
    return self_check.conclude(findings, resolvers, **told)  # type: ignore[arg-type]


def check(*attempts: Attempt, said: Sequence[Resolution]) -> bool | None:
    (seen,) = link(*attempts, said=said).resolvers
    return seen.truthful


def literal_met() -> list[Attempt]:
    return [met(each) for each in LITERAL]


# --- An honest resolver -------------------------------------------------------------------------------------------


def test_a_resolver_that_led_to_a_proof_is_truthful() -> None:
    said = [asked(host, address) for host, address in TRUE.items()]
    seen = link(*(met(each, TRUE[each.host]) for each in NAMED), *literal_met(), said=said)
    assert [each.truthful for each in seen.resolvers] == [True]
    assert seen.void is None


def test_a_proof_at_an_address_that_it_did_not_give_is_no_proof_of_it() -> None:
    assert check(met(WEB, "93.184.3.3"), said=[asked(WEB.host, "93.184.3.3")]) is True
    assert check(met(WEB, "93.184.3.3"), said=[asked(WEB.host, "93.184.3.9")]) is None
    assert check(met(WEB, "93.184.3.3", via=Via.INDEPENDENT), said=[asked(WEB.host)]) is None
    assert check(met(LITERAL[0]), said=[asked(WEB.host, "93.184.3.9")]) is None


def test_who_gave_the_same_address_is_as_truthful_whoever_was_asked_first() -> None:
    said = [asked(WEB.host, "93.184.3.3"), asked(WEB.host, "93.184.3.3", resolver=HOME)]
    seen = link(met(WEB, "93.184.3.3"), said=said, resolvers=[ISP, HOME])
    assert [each.truthful for each in seen.resolvers] == [True, True]


def test_a_page_in_clear_or_a_bare_accept_proves_nothing() -> None:
    bare = endpoint("tcp", WEB.host, 443)
    assert check(met(PORTAL, "142.250.1.1"), said=[asked(PORTAL.host, "142.250.1.1")]) is None
    assert check(met(bare, "93.184.3.3"), said=[asked(WEB.host, "93.184.3.3")]) is None
    assert check(met(bare, "93.184.3.3"), *literal_met(), said=[asked(WEB.host, "93.184.3.3")]) is False


@pytest.mark.parametrize("failure", [NXDOMAIN, "dns_no_answer", "dns_servfail_error", "dns_refused_error", TIMEOUT])
def test_a_resolver_that_fails_most_neutral_names_is_not(failure: str) -> None:
    lies = (asked("a.example", failure=failure), asked("b.example", failure=failure), asked("c.example"))
    assert check(said=lies) is False
    assert check(said=lies[1:]) is None  # half is not most
    web = asked(WEB.host, "93.184.3.3")
    assert check(met(WEB, "93.184.3.3"), said=[*lies[:2], web]) is False


def test_a_name_fails_when_each_of_its_questions_does() -> None:
    assert check(said=[asked("a.example"), asked("a.example", failure="dns_no_answer")]) is None  # no IPv6, say


@pytest.mark.parametrize("failure", ["interrupted", "unknown_failure: OSError"])
def test_what_nobody_listened_to_makes_nobody_a_liar(failure: str) -> None:
    deaf = [asked(f"{number}.example", failure=failure) for number in range(9)]
    assert check(said=deaf) is None
    assert check(said=[asked("a.example", failure="dns_nxdomain_error"), *deaf]) is False
    there = [endpoint("tls", f"{number}.example", 443) for number in range(3)]
    unheard = [missed(where, f"{n}.9.9.9", failure) for n, where in enumerate(there, 60)]
    said = [asked(where.host, f"{n}.9.9.9") for n, where in enumerate(there, 60)]
    assert check(*literal_met(), *unheard, said=said) is None


def test_what_another_resolver_said_does_not_count() -> None:
    assert check(said=[asked("a.example", failure=NXDOMAIN, resolver=WORLD)]) is None


def test_two_resolvers_of_one_name_are_checked_apart() -> None:
    """One of the operator's two servers may lie, and the other not."""
    first, second = numbered([ISP, SECOND, ISP])
    said = [asked(WEB.host, failure=NXDOMAIN), asked(WEB.host, "93.184.3.3", resolver=second)]
    seen = link(met(WEB, "93.184.3.3"), said=said, resolvers=[first, second, WORLD])
    assert seen.resolvers == (
        ResolverCheck(resolver="isp", truthful=False),
        ResolverCheck(resolver="isp", index=1, truthful=True),
    )


def test_without_questions_nothing_can_be_said() -> None:
    assert link().resolvers == (ResolverCheck(resolver="isp", truthful=None),)


def test_a_service_that_is_banned_among_the_neutrals_makes_nobody_a_liar() -> None:
    """One operator's names lead nowhere, or into the ban's own page, and most do not."""
    banned = {**TRUE, PORTAL.host: "10.10.34.36", STUN2.host: "10.10.34.36"}
    said = [asked(host, address) for host, address in banned.items()]
    lost = [missed(each, banned[each.host]) for each in (PORTAL, STUN2)]
    others = [met(each, TRUE[each.host]) for each in (PORTAL2, WEB, STUN)]
    seen = link(*lost, *others, *literal_met(), said=said)
    assert [each.truthful for each in seen.resolvers] == [True]
    assert seen.void is None


# --- Walled gardens, homes and proxies that answer every name themselves --------------------------------------------

INVENTED = {
    "a walled garden": ["10.10.10.10"] * 5,
    "a home": ["192.168.1.1"] * 5,
    "a benchmark range": [f"198.18.0.{number}" for number in range(5, 10)],
    "somebody's own": [f"28.0.0.{number}" for number in range(5, 10)],
    "the line itself": ["self"] * 5,
}


@pytest.mark.parametrize("name", INVENTED)
def test_answers_that_are_made_up_are_untrue_whoever_answers_there(name: str) -> None:
    told = dict(zip(TRUE, INVENTED[name], strict=True))
    said = [asked(host, address) for host, address in told.items()]
    dead = [missed(each, told[each.host]) for each in NAMED]
    through = [met(each, told[each.host]) for each in NAMED]
    for behind in (dead, through):
        for literal in (literal_met(), []):
            findings = [Findings(started_ms=NOW_MS, attempts=(*behind, *literal), resolutions=tuple(said))]
            if literal or not told[WEB.host].startswith("28."):
                assert check_resolver(ISP.key, findings).truthful is False


@pytest.mark.parametrize("name", ["a benchmark range", "somebody's own"])
def test_a_proxy_that_lets_everything_through_voids_the_cycle(name: str) -> None:
    """No false ok either: what is met there is the proxy's, over whichever line it goes."""
    told = dict(zip(TRUE, INVENTED[name], strict=True))
    said = [asked(host, address) for host, address in told.items()]
    seen = link(*(met(each, told[each.host]) for each in NAMED), *literal_met(), said=said)
    assert (seen.void, [each.truthful for each in seen.resolvers]) == (Void.PROXY, [False])


def test_a_proxy_that_accepts_every_connection_voids_the_cycle() -> None:
    told = dict(zip(TRUE, INVENTED["somebody's own"], strict=True))
    said = [asked(host, address) for host, address in told.items()]
    accepted = [missed(each, told[each.host], AUTHORITY, accepted=True) for each in NAMED]
    assert link(*accepted, *literal_met(), said=said).void is Void.PROXY


def test_a_walled_garden_by_dns_is_the_resolvers_and_not_the_cycles() -> None:
    """Its page answers at a private address; who needs no name gets through."""
    said = [asked(host, "10.10.10.10") for host in TRUE]
    pages = [missed(each, "10.10.10.10", STATUS, accepted=True) for each in (PORTAL, PORTAL2)]
    others = [missed(each, "10.10.10.10") for each in (WEB, STUN, STUN2)]
    seen = link(*pages, *others, *literal_met(), said=said)
    assert (seen.up, seen.void, [each.truthful for each in seen.resolvers]) == (True, None, [False])


def test_addresses_at_which_nobody_proves_himself_are_untrue_where_addresses_answer() -> None:
    """Public ones, each in a network of its own: only what is met there tells."""
    said = [asked(host, address) for host, address in TRUE.items()]
    pages = [missed(each, TRUE[each.host], STATUS, accepted=True) for each in (PORTAL, PORTAL2)]
    others = [missed(each, TRUE[each.host], AUTHORITY, accepted=True) for each in (WEB, STUN, STUN2)]
    assert check(*pages, *others, *literal_met(), said=said) is False
    assert check(*pages, *others, said=said) is None  # the link itself may be dead


def test_names_of_one_world_are_no_pool_where_its_addresses_lie_in_it_too() -> None:
    """A laboratory, or an island with one hoster."""
    said = [asked(each.host, f"203.0.113.{number}") for number, each in enumerate(NAMED)]
    through = [met(each, f"203.0.113.{number}") for number, each in enumerate(NAMED)]
    seen = link(*through, met(endpoint("tls", "203.0.113.99", 443)), said=said)
    assert ([each.truthful for each in seen.resolvers], seen.void) == ([True], None)


# --- Portals ------------------------------------------------------------------------------------------------------


def test_a_portal_that_lets_the_check_through_is_seen() -> None:
    """The check's own page comes; other pages are the portal's, and so is every certificate."""
    check_passes = met(PORTAL, "142.250.1.1")
    other_page = missed(PORTAL2, "34.107.2.2", STATUS, accepted=True)
    foreign = [missed(each, each.host, AUTHORITY, accepted=True, via=Via.LITERAL) for each in LITERAL[:1]]
    named = missed(WEB, "93.184.3.3", TIMEOUT)
    assert link(check_passes, other_page, *foreign, named).void is Void.PORTAL
    assert link(check_passes, other_page, met(LITERAL[0])).void is None  # a ban of one page
    assert link(check_passes, *foreign, named).void is None  # whoever replaces certificates: the judge sees that
    timed = endpoint("http", "8.8.8.8", 443, transport=Transport.TLS)
    assert (
        link(check_passes, other_page, *foreign, attempt(timed, observation(Step.HTTP), grade=Grade.BOUND)).void is None
    )


def test_a_bare_accept_is_no_link_and_no_family() -> None:
    bare = endpoint("tcp", "203.0.113.4", 443)
    seen = link(met(bare))
    assert not seen.up
    assert self_check.usable_families(frozenset({4, 6}), seen.neutrals) == {6}
