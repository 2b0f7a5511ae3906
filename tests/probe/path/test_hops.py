"""What is kept of a router: its kind and prefix, never what points at the line."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Hop, HopKind, ReplyKind
from probe.path.hops import describe
from probe.path.ttl_probe import Reply

BEHIND_NAT = frozenset({"192.168.1.7", "198.51.100.77"})  # the device's address, and the one that others see
V6 = frozenset({"2001:db8:7:7::7"})


def answered_ttls(sender: str, own: frozenset[str] = BEHIND_NAT | V6) -> Hop:
    return describe(3, Reply(came=ReplyKind.EXCEEDED, sender=ipaddress.ip_address(sender).packed), own)


@pytest.mark.parametrize(
    ("sender", "kind", "prefix"),
    [
        ("192.168.1.1", HopKind.PRIVATE, None),
        ("10.20.0.1", HopKind.PRIVATE, None),
        ("100.64.3.1", HopKind.SHARED, None),
        ("198.51.100.77", HopKind.OWN, None),  # the home router's outer side
        ("198.51.100.1", HopKind.NEAR, None),
        ("198.51.101.1", HopKind.PUBLIC, "198.51.101.0/24"),
        ("2001:db8:7:7::1", HopKind.OWN, None),  # the home router's inner side
        ("2001:db8:7:8::1", HopKind.NEAR, None),
        ("2001:db8:8::1", HopKind.PUBLIC, "2001:db8:8::/48"),
        ("fe80::1", HopKind.PRIVATE, None),
        ("192.0.0.1", HopKind.PRIVATE, None),  # the device's own end of 464XLAT, or a home router's of DS-Lite
        ("198.18.0.1", HopKind.PRIVATE, None),  # a proxy at home
        ("64:ff9b::10.0.0.1", HopKind.PRIVATE, None),  # IPv4 routers behind a translator
        ("64:ff9b::100.64.0.1", HopKind.SHARED, None),
        ("d0::1", HopKind.PRIVATE, None),
    ],
)
def test_a_router_is_described_and_not_named(sender: str, kind: HopKind, prefix: str | None) -> None:
    assert answered_ttls(sender) == Hop(ttl=3, came=ReplyKind.EXCEEDED, kind=kind, prefix=prefix)


def test_no_prefix_is_kept_while_the_lines_own_address_is_not_known() -> None:
    """The router that speaks may be the home's, with the line's own address on its outer side."""
    assert answered_ttls("198.51.100.77", frozenset({"192.168.1.7"})) == Hop(
        ttl=3, came=ReplyKind.EXCEEDED, kind=HopKind.PUBLIC
    )
    assert answered_ttls("2001:db8:8::1", BEHIND_NAT) == Hop(ttl=3, came=ReplyKind.EXCEEDED, kind=HopKind.PUBLIC)


@pytest.mark.parametrize("sender", [b"", b"abc"])
def test_a_word_without_a_sender(sender: bytes) -> None:
    assert describe(2, Reply(came=ReplyKind.EXCEEDED, sender=sender), BEHIND_NAT) == Hop(ttl=2, came=ReplyKind.EXCEEDED)


@given(st.ip_addresses(), st.ip_addresses())
def test_no_address_is_kept_whole(sender: ipaddress.IPv4Address, own: ipaddress.IPv4Address) -> None:
    hop = answered_ttls(str(sender), frozenset({str(own)}))
    if hop.prefix is not None:
        network = ipaddress.ip_network(hop.prefix)
        assert network.prefixlen == (24 if sender.version == 4 else 48)
        assert own not in network
