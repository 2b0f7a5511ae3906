"""Which addresses are worth dialling from elsewhere, and which requests to dial are an endpoint's."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.attempts import failing_addresses, is_at
from probe.failure import NXDOMAIN, RESET, TIMEOUT
from probe.model import AlsoDial, Attempt, NotAttempted, Step, Transport, Via, Void
from tests.probe.judge.evidence import (
    BOGON,
    CALL,
    CHAT,
    HERE,
    HOST,
    LINK,
    STUN,
    TCP,
    TLS,
    TURN,
    V6,
    attempt,
    measurement,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
)

DIAL = AlsoDial(target=CHAT.id, host=HOST, port=443, transport=Transport.TCP, handshake="tls", address=HERE)


@pytest.mark.parametrize(
    "failed",
    [
        tcp_fails(TIMEOUT),
        tls_fails(RESET),
        tcp_fails(RESET, TCP),
        tcp_fails(TIMEOUT, address=V6),
        turn_fails(),
        attempt(STUN, seen(Step.STUN, TIMEOUT)),
    ],
)
def test_an_address_that_dns_or_the_targets_file_gave(failed: Attempt) -> None:
    (dial,) = failing_addresses(measurement(CHAT, failed))
    assert dial.target == CHAT.id
    assert all(getattr(dial, name) == getattr(failed, name) for name in dial.__struct_fields__ if name != "target")


@pytest.mark.parametrize(
    "other",
    [
        tls_ok(),
        tcp_fails(TIMEOUT, via=Via.INDEPENDENT),
        tcp_fails(TIMEOUT, via=Via.ALSO),
        tcp_fails(TIMEOUT, address=BOGON),
        tcp_fails(TIMEOUT, address="self", via=Via.SYSTEM),
        attempt(TLS, seen(Step.TCP), seen(Step.UNKNOWN, TIMEOUT)),
        attempt(TLS, seen(Step.DNS, NXDOMAIN)),
        attempt(TLS, not_attempted=NotAttempted.NO_FAMILY),
    ],
)
def test_nothing_else(other: Attempt) -> None:
    assert failing_addresses(measurement(CHAT, other)) == ()


@pytest.mark.parametrize(
    "changed",
    [{"simulated": True}, {"link": replace(LINK, void=Void.PORTAL)}, {"link": replace(LINK, up=False)}],
)
def test_what_is_void_or_simulated_names_no_address(changed: dict[str, Any]) -> None:
    assert failing_addresses(measurement(CHAT, tcp_fails(TIMEOUT), **changed)) == ()


def test_each_once_as_tried() -> None:
    found = failing_addresses(measurement(CHAT, tcp_fails(TIMEOUT, address=V6), tls_fails(RESET), tcp_fails(TIMEOUT)))
    assert found == (replace(DIAL, address=V6), DIAL)


def test_a_dial_is_of_one_endpoint() -> None:
    assert is_at(DIAL, TLS)
    assert not is_at(DIAL, TCP)


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "other.example"},
        {"port": 444},
        {"transport": Transport.UDP},
        {"handshake": "http"},
        {"address": "192.168.1.1"},
        {"address": HOST},
    ],
)
def test_and_of_no_other(changed: dict[str, Any]) -> None:
    assert not is_at(replace(DIAL, **changed), TLS)


def test_an_endpoint_given_as_an_address_has_only_that() -> None:
    (dial,) = failing_addresses(measurement(CALL, turn_fails()))
    assert is_at(dial, TURN)
    assert not is_at(replace(dial, address="198.51.100.11"), TURN)
