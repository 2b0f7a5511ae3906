"""Where am I: from the device's own files, made up here, and without a packet."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from probe.model import Access, Resolver, Transport
from probe.net.dialer import SocketDialer
from probe.net.vantage import (
    LinkResolver,
    default_interface,
    describe_resolver,
    detect_access,
    independent_resolvers,
    link_snapshot,
    system_resolvers,
)
from tests.scripted import OWN, ScriptedDialer, run

KNOWN = (
    Resolver(name="google", addresses=("8.8.8.8", "2001:4860:4860::8888")),
    Resolver(name="quad9", addresses=("9.9.9.10", "2620:fe::10"), independent=True),
    Resolver(name="only6", addresses=("2001:db8::53",), independent=True),
)
BOTH = frozenset({4, 6})


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- Resolvers ------------------------------------------------------------------------------------------------


def resolv(root: Path, text: str) -> list[str]:
    put(root, "etc/resolv.conf", text)
    return [each.address for each in system_resolvers(root, KNOWN)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.168.1.1\n", ["192.168.1.1"]),
        ("# x\nsearch home\nnameserver\t8.8.8.8 # google\noptions ndots:1\n", ["8.8.8.8"]),
        ("nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n", ["1.1.1.1", "2.2.2.2"]),
        ("nameserver fe80::1%wlan0\nnameserver ::1", ["fe80::1%wlan0", "::1"]),  # useless without its device
        ("nameserver\nnameserver dns.example\n;nameserver 1.1.1.1\nNAMESERVER 1.1.1.1\n", []),
        ("", []),
    ],
)
def test_the_servers_of_resolv_conf(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert resolv(tmp_path, text) == expected


def test_without_the_file_there_is_none(tmp_path: Path) -> None:
    assert system_resolvers(tmp_path, KNOWN) == []


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_bytes(b"\xff\xfe\nnameserver 1.1.1.1\n")
    assert [each.address for each in system_resolvers(tmp_path, KNOWN)] == ["1.1.1.1"]


@pytest.mark.parametrize(
    ("address", "name", "prefix"),
    [
        ("8.8.8.8", "google", None),
        ("2620:fe::10", "quad9", None),
        ("192.168.1.1", "private", None),
        ("127.0.0.53", "private", None),
        ("fe80::1%wlan0", "private", None),
        ("100.64.0.1", "private", None),
        ("198.51.100.53", "isp", "198.51.100.0/24"),
        ("2001:db8:100::53", "isp", "2001:db8:100::/48"),
    ],
)
def test_what_is_recorded_of_a_resolver(address: str, name: str, prefix: str | None) -> None:
    assert describe_resolver(address, 5353, KNOWN) == LinkResolver(name=name, address=address, port=5353, prefix=prefix)


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (frozenset({4}), {"quad9": "9.9.9.10"}),
        (frozenset({6}), {"quad9": "2620:fe::10", "only6": "2001:db8::53"}),
        (BOTH, {"quad9": "9.9.9.10", "only6": "2001:db8::53"}),
        (frozenset(), {}),
    ],
)
def test_independent_resolvers_are_asked_where_they_can_be(families: frozenset[int], expected: dict[str, str]) -> None:
    chosen = independent_resolvers(KNOWN, families)
    assert {each.name: each.address for each in chosen} == expected
    assert all(each.independent for each in chosen)


def test_those_that_can_be_asked_in_tls_are_asked_in_every_way() -> None:
    known = Resolver(name="one", addresses=("9.9.9.10",), independent=True, tls="tls.example", https="https.example")
    ways = [(each.transport, each.port, each.server_name) for each in independent_resolvers([known], BOTH)]
    assert ways == [
        (Transport.UDP, 53, None),
        (Transport.TLS, 853, "tls.example"),
        (Transport.HTTPS, 443, "https.example"),
    ]
    assert independent_resolvers([replace(known, independent=False)], BOTH) == []


# --- LinkSnapshot --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [OWN, {4: OWN[4]}, {6: OWN[6]}, {}])
def test_families_and_addresses_come_from_the_routing_table(own: dict[int, str], tmp_path: Path) -> None:
    dialer = ScriptedDialer(own=own)
    seen = run(link_snapshot(dialer, tmp_path))
    assert (seen.families, seen.own_addresses, seen.interface) == (frozenset(own), frozenset(own.values()), None)
    assert dialer.sent == []
    assert dialer.still_open == []


# --- Devices --------------------------------------------------------------------------------------------------

ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
ROUTE6 = f"{'0' * 32} 00 {'0' * 32} 00 {'fe80'.ljust(32, '0')} 00000400 00000001 00000000 00000003   {{}}\n"


def route(interface: str, destination: str = "00000000", mask: str = "00000000") -> str:
    return f"{interface}\t{destination}\t0101A8C0\t0003\t0\t0\t600\t{mask}\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("table", "table6", "expected"),
    [
        (ROUTE + route("lan0", "0001A8C0", "00FFFFFF") + route("wlan0") + route("eth0"), "", "wlan0"),
        (ROUTE, ROUTE6.format("wwan0"), "wwan0"),
        (ROUTE + route("eth0"), ROUTE6.format("wwan0"), "eth0"),
        (ROUTE + route("eth0", "00000000", "000000FE"), "", None),
        ("", ROUTE6.format("lo"), None),
        ("broken\n\n", "x", None),
        # As OpenVPN takes over a default route without replacing it: 0.0.0.0/1 and 128.0.0.0/1.
        (
            ROUTE + route("tun0", "00000000", "00000080") + route("eth0") + route("tun0", "00000080", "00000080"),
            "",
            "tun0",
        ),
    ],
)
def test_the_interface_of_the_default_route(tmp_path: Path, table: str, table6: str, expected: str | None) -> None:
    put(tmp_path, "proc/net/route", table)
    put(tmp_path, "proc/net/ipv6_route", table6)
    assert default_interface(tmp_path) == expected


def test_without_proc_there_is_no_interface(tmp_path: Path) -> None:
    assert default_interface(tmp_path) is None


@pytest.mark.parametrize(
    ("files", "access"),
    [
        ({"wireless/x": "", "type": "1", "device/x": ""}, Access.WIFI),
        ({"phy80211/x": "", "type": "1"}, Access.WIFI),
        ({"type": "1\n", "device/x": "", "uevent": "INTERFACE=eth0\n"}, Access.ETHERNET),
        ({"type": "1\n", "uevent": "INTERFACE=veth0\n"}, Access.UNKNOWN),  # no hardware
        ({"type": "1\n", "device/x": "", "uevent": "DEVTYPE=wwan\n"}, Access.UNKNOWN),
        ({"type": "512\n", "device/x": ""}, Access.UNKNOWN),  # PPP
        ({}, Access.UNKNOWN),
    ],
)
def test_access_as_far_as_the_device_shows_it(tmp_path: Path, files: dict[str, str], access: Access) -> None:
    for name, text in files.items():
        put(tmp_path, f"sys/class/net/dev0/{name}", text)
    assert detect_access(tmp_path, "dev0") is access
    assert detect_access(tmp_path, None) is Access.UNKNOWN


async def test_a_resolver_with_a_scope_can_be_dialled(tmp_path: Path) -> None:
    """NLnetLabs/ldns#176: the address has to reach connect() with its scope."""
    put(tmp_path, "etc/resolv.conf", "nameserver ::1%lo\n")
    (resolver,) = system_resolvers(tmp_path, ())
    (await SocketDialer().udp(resolver.address, 53)).close()
