"""What may be told of a resolver that stands near, by the device's own files, made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.model import Resolver
from probe.net.near import as_told, on_link
from probe.net.vantage import LinkSnapshot, describe_resolver

ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0164A8C0	0003	0	0	0	00000000	0	0	0
eth0	4064A8C0	00000000	0001	0	0	0	C0FFFFFF	0	0	0
eth0	0A6433C6	00000000	0001	0	0	0	FFFFFFFF	0	0	0
tun0	00000080	00000000	0001	0	0	0	00000080	0	0	0
eth0	006433C6	00000000	0001	0	0	0	F8FFFFFF	0	0	0
lo	0000007F	00000000	0001	0	0	0	000000FF	0	0	0
bad	line
eth0	zzzzzzzz	00000000	0001	0	0	0	C0FFFFFF	0	0	0
"""
ROUTES6 = """20010db8000700010000000000000000 40 {0} 00 {0} 00000100 00000001 00000000 00000001     eth0
20010db8000700020000000000000000 40 {0} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
20010db8000700010000000000000007 80 {0} 00 {0} 00000000 00000003 00000000 80200001       lo
80000000000000000000000000000000 01 {0} 00 {0} 00000100 00000001 00000000 00000001     tun0
""".format("0" * 32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text(ROUTES)
    (tmp_path / "proc/net/ipv6_route").write_text(ROUTES6)
    return tmp_path


def test_what_is_on_this_link_is_in_the_routing_table(root: Path) -> None:
    told = ["192.168.100.64/26", "198.51.100.0/29", "2001:db8:7:1::/64"]
    assert [str(each) for each in on_link(root)] == told


def test_without_a_table_nothing_is_known_to_be_on_link(tmp_path: Path) -> None:
    assert list(on_link(tmp_path)) == []


@pytest.mark.parametrize(
    ("address", "own", "name", "prefix"),
    [
        ("203.0.113.53", "203.0.114.7", "isp", "203.0.113.0/24"),
        ("203.0.113.53", "203.0.113.7", "isp", None),  # in the line's own /24
        ("203.0.113.53", "203.0.113.53", "private", None),  # the device itself
        ("203.0.113.53", "192.168.1.7", "isp", "203.0.113.0/24"),
        ("198.51.100.3", "192.168.1.7", "private", None),  # on-link, in an office
        ("2001:db8:7:1::1", "2001:db8:7:1::99", "private", None),  # the home's router
        ("2001:db8:7:1::1", "192.168.1.7", "private", None),  # on-link: there need be no other address
        ("2001:db8:7:2::1", "2001:db8:7:1::99", "isp", None),  # another network of the same household, or of its /48
        ("2001:db8:8::1", "2001:db8:7:1::99", "isp", "2001:db8:8::/48"),
        ("9.9.9.9", "9.9.9.7", "quad", None),
    ],
)
def test_a_resolver_that_is_near_names_no_line(
    root: Path, address: str, own: str, name: str, prefix: str | None
) -> None:

    told = describe_resolver(address, 53, [Resolver(name="quad", addresses=("9.9.9.9",))])
    line = LinkSnapshot(own_addresses=frozenset({own}), families=frozenset({4, 6}), interface="eth0")
    (seen,) = as_told([told], line, root)
    assert (seen.name, seen.prefix, seen.address) == (name, prefix, address)
