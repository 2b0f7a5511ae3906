"""Whether a VPN carries the traffic: from the device's own files, made up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from probe.model import Access, Tunnel
from probe.net.tunnel import is_tunnel, system_interfaces, tunnel_of
from probe.net.vantage import LinkSnapshot, default_interface, detect_access, system_resolvers

LINE = LinkSnapshot(own_addresses=frozenset(), families=frozenset({4}), interface="dev0")


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("files", "tunnel"),
    [
        ({"tun_flags": "0x1001"}, True),
        ({"uevent": "DEVTYPE=wireguard\nINTERFACE=wg0\n"}, True),
        ({"uevent": "DEVTYPE=wlan\n"}, False),
        ({"uevent": ""}, False),
    ],
)
def test_a_tunnel(tmp_path: Path, files: dict[str, str], tunnel: bool) -> None:
    for name, text in files.items():
        put(tmp_path, f"sys/class/net/dev0/{name}", text)
    assert is_tunnel(tmp_path, "dev0") is tunnel
    assert tunnel_of(tmp_path, LINE) is (Tunnel.SEEN if tunnel else Tunnel.NOT_SEEN)
    assert tunnel_of(tmp_path, replace(LINE, interface=None)) is Tunnel.NOT_SEEN


def test_a_tunnel_that_leaves_the_default_route_alone(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/net/wg0/uevent", "DEVTYPE=wireguard\n")
    put(tmp_path, "proc/net/if_inet6", "20010db8000000000000000000000007 02 80 00 80      wg0\n")
    inside = LinkSnapshot(own_addresses=frozenset({"2001:db8::7"}), families=frozenset({6}), interface="eth0")
    assert tunnel_of(tmp_path, inside) is Tunnel.SEEN
    assert tunnel_of(tmp_path, replace(inside, own_addresses=frozenset({"2001:db8::8"}))) is Tunnel.NOT_SEEN


@pytest.mark.parametrize(
    ("interfaces", "interface", "tunnel"),
    [
        (["en0", "lo0"], "en0", Tunnel.UNKNOWN),  # none of its name is no proof that there is none
        (["en0", "utun3"], "utun3", Tunnel.SEEN),
        (["wlan0", "tun0"], None, Tunnel.UNKNOWN),  # one stands there, and nothing shows that it is used
        ([], None, Tunnel.UNKNOWN),
    ],
)
def test_where_the_system_does_not_describe_its_devices(
    tmp_path: Path, interfaces: list[str], interface: str | None, tunnel: Tunnel
) -> None:
    assert tunnel_of(tmp_path, replace(LINE, interface=interface), lambda: interfaces) is tunnel


def test_a_tunnels_address_is_known_without_sys(tmp_path: Path) -> None:
    put(tmp_path, "proc/net/if_inet6", "20010db8000000000000000000000007 02 80 00 80      tun0\n")
    inside = LinkSnapshot(own_addresses=frozenset({"2001:db8::7"}), families=frozenset({6}), interface=None)
    assert tunnel_of(tmp_path, inside, lambda: ["wlan0", "tun0"]) is Tunnel.SEEN


def closed(*_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("method", ["iterdir", "exists", "read_text", "read_bytes", "is_dir", "open", "stat"])
def test_a_device_that_tells_nothing_is_unknown_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Android since 10: /sys/class/net and /proc/net are closed to apps."""
    put(tmp_path, "sys/class/net/dev0/uevent")
    put(tmp_path, "etc/resolv.conf", "nameserver 192.168.1.1\n")
    monkeypatch.setattr(Path, method, closed)
    assert tunnel_of(tmp_path, LINE, lambda: ["dev0"]) in (Tunnel.UNKNOWN, Tunnel.NOT_SEEN)
    assert detect_access(tmp_path, "dev0") is Access.UNKNOWN
    assert default_interface(tmp_path) is None
    assert len(system_resolvers(tmp_path, ())) <= 1
    if method in ("iterdir", "exists", "stat"):
        assert tunnel_of(tmp_path, LINE, lambda: ["dev0"]) is Tunnel.UNKNOWN


def test_this_machine_tells_its_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lo" in system_interfaces()
    monkeypatch.setattr("socket.if_nameindex", closed)
    assert system_interfaces() == []
