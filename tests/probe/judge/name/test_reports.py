"""Small inputs about names with their right answers, some reduced from public reports."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.failure import NXDOMAIN, REFUSED, TIMEOUT
from probe.judge import Evidence, judge
from probe.model import Attempt, Combine, Link, Network, Resolution, State, Target, Transport, Via
from tests.probe.judge import evidence as build

ALL_OF = replace(build.CHAT, combine=Combine.ALL_OF)
DUAL = replace(build.LINK, neutrals=(*build.NEUTRALS, build.neutral("tls", family=6)))
WELL = build.control(
    build.measurement(
        build.CHAT,
        build.tls_ok(),
        build.tls_ok(address=build.V6),
        resolutions=(build.says(build.HERE), build.says(build.V6, qtype="AAAA")),
    )
)
TRUE6 = build.says(build.V6, qtype="AAAA", resolver=build.PUBLIC)


@pytest.mark.parametrize("target", [build.CHAT, ALL_OF])
def test_a_resolver_that_denies_aaaa_to_everybody(target: Target) -> None:  # docker/for-mac#5088, systemd#5553
    """A works and leads to the service; AAAA is NXDOMAIN. An app connects over IPv4."""
    said = (build.says(build.HERE), build.says(failure=NXDOMAIN, qtype="AAAA"), TRUE6)
    given = build.evidence(target, build.tls_ok(), link=DUAL, controls=(WELL,), resolutions=said)
    assert judge(given).state is State.OK


def test_a_bogon_in_ipv6_hides_no_forgery() -> None:  # ooni/backend#543
    """A 10.10.34.36 and AAAA d0::11 from the network's resolver, on a line with both families; twice."""
    dead = [build.tcp_fails(TIMEOUT, address=address) for address in ("10.10.34.36", "d0::11")]
    lies = build.says("10.10.34.36"), build.says("d0::11", qtype="AAAA")
    said = (*lies, build.says(build.HERE, resolver=build.PUBLIC), TRUE6)
    met = build.tls_ok(via=Via.INDEPENDENT)
    given = build.evidence(build.CHAT, *dead, met, link=DUAL, rounds=2, controls=(WELL,), resolutions=said)
    assert (judge(given).state, judge(given).mechanism) == (State.BLOCKED, "dns.forged")


# --- A link of whose network nothing is known ----------------------------------------------------------------------

HERE, BAD = "198.51.100.20", "198.51.100.99"
HERE6, BAD6 = "2001:db8:5::20", "2001:db8:bad::1"


def said(*answers: str, resolver: str = "isp", **facts: object) -> Resolution:
    return build.says(*answers, resolver=resolver, **{"resolver_prefix": None, **facts})


def unplaced(*attempts: Attempt, said: tuple[Resolution, ...], genuine: dict[str, str], rounds: int) -> Evidence:
    told = tuple(build.says(address, qtype=qtype) for qtype, address in genuine.items())
    met = [build.tls_ok(address=address) for address in genuine.values()]
    controls = [build.control(build.measurement(build.CHAT, *met, resolutions=told), number) for number in (1, 2)]
    link: Link = build.LINK
    return build.evidence(
        build.CHAT, *attempts, rounds=rounds, controls=controls, resolutions=said, link=link, networks={},
        network=Network(),
    )  # fmt: skip


@pytest.mark.parametrize("rounds", [1, 2])
def test_ipv4_clean_and_two_different_answers_to_one_question_about_ipv6(rounds: int) -> None:
    """The first leads nowhere, the second is what controls got; so say two resolvers, each asked once."""
    raced = [said(BAD6, late=(HERE6,), qtype="AAAA", resolver=name) for name in ("isp", "world")]
    given = unplaced(
        build.tls_ok(address=HERE), build.tcp_fails(TIMEOUT, address=BAD6), said=(said(HERE), *raced),
        genuine={"A": HERE, "AAAA": HERE6}, rounds=rounds,
    )  # fmt: skip
    assert (judge(given).state, judge(given).mechanism) == (State.DEGRADED, "partial")


@pytest.mark.parametrize(
    ("rounds", "state", "mechanism"), [(1, State.INSUFFICIENT, None), (2, State.LIKELY_BLOCKED, "dns.injected")]
)
def test_led_in_clear_where_it_refuses_and_in_tls_to_the_service(
    rounds: int, state: State, mechanism: str | None
) -> None:
    """By all resolvers alike; the same resolver gives the genuine address in TLS, which is met from here."""
    asked = said(BAD), said(BAD, resolver="world"), said(HERE, resolver="world", transport=Transport.TLS)
    given = unplaced(
        build.tcp_fails(REFUSED, address=BAD), build.tls_ok(address=HERE, via=Via.INDEPENDENT), said=asked,
        genuine={"A": HERE}, rounds=rounds,
    )  # fmt: skip
    assert (judge(given).state, judge(given).mechanism) == (state, mechanism)
