"""What can be said of an address by looking at it."""

from __future__ import annotations

import pytest

from probe.addresses import family_of, is_address, is_private, is_public


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
        " 203.0.113.7",
        "203.0.113.7:1",
    ],
)
def test_what_no_service_has_or_is_written_in_another_way(text: str) -> None:
    assert not is_public(text)
