"""Where plain DNS is intercepted, independent resolvers lie too: what one says in TLS is believed before them."""

from __future__ import annotations

from typing import Any

import pytest

from probe.failure import NXDOMAIN, TIMEOUT, TLS_HOSTNAME
from probe.judge import judge
from probe.judge.name.resolvers import own_resolutions
from probe.model import Attempt, Resolution, State, Transport, Via
from tests.probe.judge.evidence import (
    CHAT,
    FORGED,
    HERE,
    ISP,
    PUBLIC,
    evidence,
    measurement,
    says,
    tls_fails,
    tls_ok,
)

IN_TLS = pytest.mark.parametrize("transport", [Transport.TLS, Transport.HTTPS])
THERE = tls_ok(via=Via.INDEPENDENT)
ELSEWHERE = tls_fails(TLS_HOSTNAME, address=FORGED)


def judged(*attempts: Attempt, resolutions: tuple[Resolution, ...], **more: Any) -> tuple[str, State, str | None]:
    """Without any control, which would know better than a resolver."""
    verdict = judge(evidence(CHAT, *attempts, rounds=2, controls=(), resolutions=resolutions, **more))
    return verdict.rule, verdict.state, verdict.mechanism


@IN_TLS
def test_a_forged_address_that_plain_independent_resolvers_repeat(transport: Transport) -> None:
    agreeing = (says(FORGED), says(FORGED, resolver=PUBLIC))
    assert judged(ELSEWHERE, resolutions=agreeing)[1] is State.INSUFFICIENT
    told = (*agreeing, says(HERE, resolver=PUBLIC, transport=transport))
    assert judged(ELSEWHERE, THERE, resolutions=told) == ("name_forged", State.BLOCKED, "dns.forged")


@IN_TLS
def test_a_name_that_is_denied_for_all_resolvers_in_the_clear(transport: Transport) -> None:
    denied = (says(failure=NXDOMAIN), says(failure=NXDOMAIN, resolver=PUBLIC))
    assert judged(resolutions=denied)[0] == "name_unknown"
    told = (*denied, says(HERE, resolver=PUBLIC, transport=transport))
    assert judged(THERE, resolutions=told) == ("name_denied", State.BLOCKED, "dns.nxdomain")


def test_without_the_service_behind_it_nothing_is_proved() -> None:
    denied = (says(failure=NXDOMAIN), says(HERE, resolver=PUBLIC, transport=Transport.HTTPS))
    assert judged(tls_fails(TIMEOUT, via=Via.INDEPENDENT), resolutions=denied)[:2] == (
        "name_unproved",
        State.INSUFFICIENT,
    )


def test_a_resolver_that_fails_in_tls_leaves_the_plain_ones_to_be_believed() -> None:
    told = (
        says(failure=NXDOMAIN),
        says(HERE, resolver=PUBLIC),
        says(failure=TIMEOUT, resolver=PUBLIC, transport=Transport.TLS),
    )
    assert judged(THERE, resolutions=told) == ("name_denied", State.BLOCKED, "dns.nxdomain")


def test_a_line_that_uses_a_public_resolver_has_it_independently_in_tls() -> None:
    told = (says(failure=NXDOMAIN), says(HERE, resolver=ISP, transport=Transport.TLS))
    assert own_resolutions(measurement(CHAT, resolutions=told)) == [told[0]]
