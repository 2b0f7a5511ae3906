"""What settings of entries mean, and that the device that they lay out is what the probe takes it for."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.model import Access
from probe.net.tunnel import is_tunnel
from probe.net.vantage import default_interface, detect_access
from tests.lab.fork import room_for
from tests.lab.plan import ACCESSES, OPERATORS
from tests.lab.settings import Settings, device_of, lay_out, parse, resolver_addresses


def test_an_ordinary_run_says_nothing() -> None:
    assert parse({}) == Settings()
    assert resolver_addresses(Settings(), OPERATORS["inwi"]) == ("30.19.0.53",)


def test_lists_of_a_rerun_are_read_as_well() -> None:
    assert parse({"families": [4], "resolvers": ["home", "192.0.2.9"]}).families == (4,)
    settings = parse({"resolvers": ("home", "world", "192.0.2.9")})
    assert resolver_addresses(settings, OPERATORS["iam"]) == ("192.168.1.1", "203.0.113.53", "192.0.2.9")
    assert resolver_addresses(parse({"resolvers": ["operator6"]}), OPERATORS["iam"]) == ("2001:db8:a::53",)


@pytest.mark.parametrize("wrong", [{"colour": 1}, {"nat": "full"}, {"controls": "many"}, {"egress": "nobody"}])
def test_what_has_no_meaning_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse(wrong)


@pytest.mark.parametrize(
    ("device", "access", "tunnel"),
    [
        ("wlan0", Access.WIFI, False),
        ("eth0", Access.ETHERNET, False),
        ("wwan0", Access.UNKNOWN, False),
        ("tun0", Access.UNKNOWN, True),
        ("wg0", Access.UNKNOWN, True),
    ],
)
def test_the_probe_takes_the_device_for_what_it_is(tmp_path: Path, device: str, access: Access, tunnel: bool) -> None:
    lay_out(tmp_path, parse({"device": device}).device or "eth0")
    assert default_interface(tmp_path) == device
    assert detect_access(tmp_path, device) is access
    assert is_tunnel(tmp_path, device) is tunnel


def test_the_route_moves(tmp_path: Path) -> None:
    lay_out(tmp_path, "wlan0")
    lay_out(tmp_path, "wwan0")
    assert default_interface(tmp_path) == "wwan0"


def test_the_device_fits_the_access() -> None:
    assert [device_of(Settings(), access) for access in ACCESSES.values()] == ["wwan0", "wwan0", "wlan0", "eth0"]
    assert device_of(Settings(device="tun0"), ACCESSES["adsl"]) == "tun0"


def test_a_device_with_few_files_has_so_many_beside_those_of_its_parent() -> None:
    assert room_for(40, set()) == 40
    assert room_for(40, set(range(300))) == 340
    assert room_for(3, {0, 2, 9}) == 5  # 1, 3 and 4 are free
