"""What can be said of an address by looking at it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.addresses import DOCUMENTATION, REGISTRIES, family_of, is_address, is_private, is_public, is_shared


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "192.0.0.1",  # the hop of 464XLAT and DS-Lite
        "192.0.0.8",
        "192.0.0.170",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "239.255.255.250",
        "240.0.0.1",
        "::10.0.0.1",
        "d0::11",  # what Iran's resolvers say
        "100::1",
        "64:ff9a::1",
        "64:ff9b::10.0.0.1",  # a translator's, of an IPv4 address that no service has
        "64:ff9b::192.168.1.1",
        "2002:a00:1::1",  # 6to4 of 10.0.0.1
        "2001::1",  # Teredo, as China's injectors say
        "2001:2::1",
        "2001:10::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fec0::1",
    ],
)
def test_no_service_has_these(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.2.1",  # documentation: the lab lives there
        "203.0.113.4",
        "2001:db8::1",
        "2620:fe::fe",
        "::ffff:8.8.8.8",
        "192.0.0.9",  # globally reachable, says the registry
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "28.0.0.1",
        "64:ff9b::8.8.8.8",  # through a translator
        "64:ff9b:1::1",  # through one of local use: whose it is cannot be told from it
        "2002:808:808::1",
        "2001:1::1",
        "2001:200::1",
        "2001:4:112::1",
        "2606:4700:4700::1111",
        "3ffe:ffff::1",
    ],
)
def test_services_may_have_these(address: str) -> None:
    assert not is_private(address)


def test_families_and_names() -> None:
    assert (family_of("192.0.2.1"), family_of("2001:db8::1")) == (4, 6)
    assert [is_address(text) for text in ("192.0.2.1", "::1", "chat.example", "1.2.3", "", "[::1]")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_what_a_service_may_have(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "self",
        "chat.example",
        "10.0.0.1",
        "::1",
        "203.0.113.07",
        "2001:DB8::7",
        "2001:db8:0::7",
        "2001:db8::7%eth0",
        "::ffff:203.0.113.7",
        "::ffff:cb00:7107",
        "::ffff:10.0.0.1",
        "64:ff9b::203.0.113.7",
        "64:ff9b::cb00:7107",
        "64:ff9b:1::1",
        "2002:cb00:7107::1",
        "198.18.0.1",
        "d0::11",
        "239.0.0.1",
        " 203.0.113.7",
        "203.0.113.7:1",
    ],
)
def test_what_no_service_has_or_is_written_in_another_way(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses())
def test_what_ipaddress_knows_as_special_is_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Whatever this Python's version knows; tests' own ranges and IPv4 inside IPv6 are told above."""
    inside = ("64:ff9b::/95", "64:ff9b:1::/48", "2002::/16", "::ffff:0:0/96", "192.0.0.9", "192.0.0.10")
    reachable = [prefix for prefix, known in REGISTRIES.items() if known and prefix not in ("2000::/3",)]
    told = [ipaddress.ip_network(prefix, strict=False) for prefix in (*DOCUMENTATION, *inside, *reachable)]
    if not any(address in prefix for prefix in told):
        assert is_private(str(address)) or (address.is_global and not address.is_multicast)
        assert is_public(str(address)) != is_private(str(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_decides(address: ipaddress.IPv4Address) -> None:
    plain, number = str(address), int(address)
    for outer in (f"::ffff:{plain}", f"64:ff9b::{plain}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"):
        assert (is_private(outer), is_shared(outer)) == (is_private(plain), is_shared(plain))
        assert not is_public(outer)
