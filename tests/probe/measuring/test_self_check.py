"""What the baseline says about the link itself."""

from __future__ import annotations

from typing import Any

import pytest

from probe.measuring import self_check as links
from probe.measuring.measurer import Findings
from probe.model import (
    Access,
    Attempt,
    Endpoint,
    Grade,
    Link,
    Neutral,
    NotAttempted,
    Operation,
    Resolution,
    Step,
    Transport,
    Tunnel,
    Void,
)
from probe.net.vantage import LinkResolver
from tests.probe.builders import NOW_MS, attempt, endpoint, observation, target

STUN = endpoint("stun", "203.0.113.4")
HTTP = endpoint("http", "203.0.113.80", 80)
TLS = endpoint("tls", "203.0.113.44", 443)
DNS = endpoint("dns", "203.0.113.53", 53)
TIMEOUT, NXDOMAIN, STATUS = "generic_timeout_error", "dns_nxdomain_error", "http_unexpected_status_code"
ISP = LinkResolver(name="isp", address="198.51.100.53")
SECOND = LinkResolver(name="isp", address="198.51.100.54")
WORLD = LinkResolver(name="world", address="203.0.113.53", independent=True)


def passed(where: Endpoint, address: str | None = None, grade: Grade = Grade.BOUND, **more: Any) -> Attempt:
    return attempt(where, observation(Step.STUN), address=address, grade=grade, **more)


def failed(where: Endpoint, failure: str = TIMEOUT, address: str | None = None, **more: Any) -> Attempt:
    return attempt(where, observation(Step.STUN, failure, operation=Operation.READ), address=address, **more)


def found(*attempts: Attempt, resolutions: tuple[Resolution, ...] = ()) -> Findings:
    return Findings(started_ms=NOW_MS, attempts=attempts, resolutions=resolutions)


def conclude(*findings: Findings, **changes: Any) -> Link:
    given: dict[str, Any] = {
        "tunnel": Tunnel.NOT_SEEN,
        "declared": Access.ADSL,
        "detected": Access.WIFI,
        "behind": Access.UNKNOWN,
    }
    named = {f"baseline/{number}": each for number, each in enumerate(findings)}
    return links.conclude(named, changes.pop("resolvers", []), **{**given, **changes})


# --- Is there a link --------------------------------------------------------------------------------------------


def test_one_neutral_answer_is_a_link() -> None:
    link = conclude(found(failed(TLS)), found(failed(DNS), passed(STUN)))
    assert (link.up, link.void) == (True, None)
    assert (link.declared, link.detected) == (Access.ADSL, Access.WIFI)


def test_no_answer_is_no_link() -> None:
    assert not conclude().up
    assert not conclude(found()).up
    assert not conclude(found(failed(STUN), failed(TLS, "connection_refused"))).up


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.3.4", "169.254.1.1", "::1", "fd00::1"]
)
def test_an_answer_from_a_private_address_is_no_link(address: str) -> None:
    assert not conclude(found(passed(STUN, address))).up


def test_a_dns_error_is_no_link() -> None:
    resolver_answered = Resolution(host="x.example", observation=observation(Step.DNS, NXDOMAIN))
    assert not conclude(found(failed(DNS, "dns_refused_error"), resolutions=(resolver_answered,))).up


# --- Neutrals ---------------------------------------------------------------------------------------------------


def test_neutrals_say_how_each_attempt_went() -> None:
    link = conclude(found(passed(STUN), failed(TLS, address="2001:db8::44")))
    assert link.neutrals == (
        Neutral(
            target="baseline/0",
            handshake="stun",
            transport=Transport.UDP,
            port=3478,
            family=4,
            failure=None,
            flights=1,
        ),
        Neutral(
            target="baseline/0",
            handshake="tls",
            transport=Transport.TCP,
            port=443,
            family=6,
            failure=TIMEOUT,
            operation=Operation.READ,
        ),
    )


def test_what_was_not_tried_is_no_neutral() -> None:
    assert conclude(found(attempt(STUN, not_attempted=NotAttempted.NO_FAMILY))).neutrals == ()


# --- Portal, tunnel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["interrupted", "unknown_failure: OSError"])
def test_what_nobody_listened_to_is_no_neutral(failure: str) -> None:
    link = conclude(found(failed(STUN, failure), passed(TLS)))
    assert [each.handshake for each in link.neutrals] == ["tls"]
    assert not conclude(found(failed(STUN, failure))).neutrals


def test_http_answered_by_somebody_else_is_a_portal() -> None:
    portal = failed(HTTP, STATUS)
    assert conclude(found(portal), found(failed(TLS, "ssl_unknown_authority"))).void is Void.PORTAL
    assert conclude(found(portal)).void is Void.PORTAL


def test_no_portal_where_something_verifies_or_the_page_is_right() -> None:
    portal = failed(HTTP, STATUS)
    assert conclude(found(portal, passed(TLS))).void is None
    assert conclude(found(portal, passed(HTTP, grade=Grade.TRANSPORT))).void is None
    assert conclude(found(failed(HTTP), failed(TLS))).void is None


def test_a_tunnel_voids_and_a_portal_comes_first() -> None:
    assert conclude(found(passed(STUN)), tunnel=Tunnel.SEEN).void is Void.VPN
    assert conclude(found(failed(HTTP, STATUS)), tunnel=Tunnel.SEEN).void is Void.PORTAL


# --- Families -----------------------------------------------------------------------------------------------------


def neutrals(*pairs: tuple[int, str | None]) -> list[Neutral]:
    return [
        Neutral(target="baseline/x", handshake="stun", transport=Transport.UDP, port=1, family=family, failure=failure)
        for family, failure in pairs
    ]


@pytest.mark.parametrize(
    ("routed", "tried", "usable"),
    [
        ({4, 6}, [(4, None), (6, None)], {4, 6}),
        ({4, 6}, [(4, None), (6, TIMEOUT)], {4}),  # an IPv6 route that leads nowhere
        ({4, 6}, [(4, TIMEOUT), (4, None), (6, TIMEOUT), (6, None)], {4, 6}),
        ({4, 6}, [(4, None), (6, "ssl_unknown_authority")], {4, 6}),  # somebody answers
        ({4, 6}, [(4, None)], {4, 6}),  # nothing was tried, nothing is known against it
        ({4}, [(4, None), (6, None)], {4}),
        (set(), [(4, None)], set()),
    ],
)
def test_usable_families(routed: set[int], tried: list[tuple[int, str | None]], usable: set[int]) -> None:
    assert links.usable_families(frozenset(routed), neutrals(*tried)) == usable


def test_the_baseline_is_a_service_of_its_own() -> None:
    assert links.is_baseline(target("baseline/stun", STUN))
    assert not links.is_baseline(target("viber/call", STUN))
