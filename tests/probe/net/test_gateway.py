"""The gateway, as files in the form of proc(5) tell it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.net.gateway import gateway

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
DEFAULT = "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
NEAR = "wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n"
POINT = "wwan0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0\n"
ARP = "IP address       HW type     Flags       HW address            Mask     Device\n"
KNOWN = "192.168.1.1      0x1         0x2         52:54:00:12:34:56     *        wlan0\n"
ROUTE6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 23}a1b2c 00000400 00000001 00000000 00450003 eth0\n"


@pytest.mark.parametrize(
    ("routes", "arp", "routes6", "told"),
    [
        (NEAR + DEFAULT, KNOWN, "", "52:54:00:12:34:56"),
        (DEFAULT, KNOWN.replace("0x2", "0x0"), "", "192.168.1.1 wlan0"),
        (DEFAULT, KNOWN.replace("52:54:00:12:34:56", "00:00:00:00:00:00"), "", "192.168.1.1 wlan0"),
        (DEFAULT, KNOWN.replace("wlan0", "eth0"), "", "192.168.1.1 wlan0"),
        (DEFAULT, "", "", "192.168.1.1 wlan0"),
        (POINT, "", "", None),
        (NEAR, KNOWN, "", None),
        ("", "", ROUTE6, "fe80::a:1b2c eth0"),
        ("", "", "", None),
    ],
)
def test_the_gateway_is_told_by_its_mac_else_by_address_and_interface(
    tmp_path: Path, routes: str, arp: str, routes6: str, told: str | None
) -> None:
    files = tmp_path / "proc/net"
    files.mkdir(parents=True)
    (files / "route").write_text(ROUTES + routes)
    (files / "arp").write_text(ARP + arp)
    (files / "ipv6_route").write_text(routes6)
    assert gateway(tmp_path) == told


def test_where_the_system_does_not_tell_it_is_not_known(tmp_path: Path) -> None:
    assert gateway(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_file_breaks_it(tmp_path: Path, routes: bytes, arp: bytes) -> None:
    files = tmp_path / "proc/net"
    files.mkdir(parents=True, exist_ok=True)
    for name, said in (("route", DEFAULT.encode() + routes), ("arp", arp), ("ipv6_route", routes)):
        (files / name).write_bytes(said)
    assert gateway(tmp_path) is not None
