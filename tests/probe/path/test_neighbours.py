"""A neighbour of what failed: a SYN to an address of the same announced prefix that this line reached in the cycle."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.measuring.measurer import Findings, RoundResult
from probe.model import Attempt, Grade, Link, Step, Transport
from probe.path.packets import Route, connections_that_passed, neighbour_of
from probe.path.ttl_probe import Packet
from tests.probe.builders import endpoint, target

FAILED = "203.0.113.44"
SYN = Route(step=Step.TCP, host="chat.example", packet=Packet(transport=Transport.TCP, address=FAILED, port=443))
KINDS = {SYN.kind}


def passed(address: str, transport: Transport = Transport.TCP, grade: Grade | None = Grade.BOUND) -> Attempt:
    return Attempt(host="other.example", port=5222, transport=transport, handshake="tls", address=address, grade=grade)


def found(*attempts: Attempt) -> list[Attempt]:
    result = RoundResult(
        target=target("other/chat", endpoint("tcp", "other.example", 443)),
        round=1,
        findings=Findings(started_ms=0, attempts=attempts),
        link=Link(up=True),
    )
    return connections_that_passed([result])


def test_a_neighbour_is_followed_as_a_neutral() -> None:
    (route,) = neighbour_of(SYN, found(passed("203.0.113.9"), passed("203.0.113.10")), KINDS)
    assert (route.step, route.host, route.neutral) == (Step.TCP, "other.example", True)
    assert (route.packet.address, route.packet.port, route.packet.payload) == ("203.0.113.9", 5222, b"")


@pytest.mark.parametrize(
    "beside",
    [
        passed(FAILED),
        passed("203.0.114.9"),
        passed("2001:db8::9"),
        passed("203.0.113.9", transport=Transport.UDP),
        passed("203.0.113.9", grade=None),
        passed("10.0.0.9"),
    ],
)
def test_who_is_no_neighbour(beside: Attempt) -> None:
    assert neighbour_of(SYN, found(beside), KINDS) == []


def test_only_a_syn_has_one_and_only_where_it_can_be_compared() -> None:
    neighbours = found(passed("203.0.113.9"))
    datagram = replace(SYN, step=Step.STUN, packet=replace(SYN.packet, transport=Transport.UDP))
    assert neighbour_of(datagram, neighbours, {datagram.kind}) == []
    assert neighbour_of(SYN, neighbours, set()) == []
