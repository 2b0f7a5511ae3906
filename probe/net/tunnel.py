"""Whether a VPN carries the traffic, as far as this device tells: what is measured then is the VPN, not the line.

Linux tells a tunnel by its device's files in /sys. Where these cannot be read (Android closes them to apps) or do not
exist (macOS), a device of a tunnel's usual name from which we send is one; without such a device nothing is known, for
a tunnel may have any name.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Collection
from pathlib import Path

from probe.model import Tunnel
from probe.net.vantage import LinkSnapshot, exists, read

SIOCGIFADDR = 0x8915  # linux/sockios.h
USUAL_NAMES = ("tun", "tap", "utun", "wg", "ipsec")


def system_interfaces() -> list[str]:
    """The names of the interfaces, which every system tells; None where this one does not."""
    try:
        return [name for _, name in socket.if_nameindex()]
    except OSError:
        return []


def tunnel_of(root: Path, line: LinkSnapshot, interfaces: Callable[[], Collection[str]] = system_interfaces) -> Tunnel:
    """Some VPNs leave the default route alone and steer by marks; then a tunnel's address is the one we send from."""
    described = _described(root)
    names = interfaces() if described is None else described
    tunnels = [name for name in names if (_looks_like_one(name) if described is None else is_tunnel(root, name))]
    if line.interface in tunnels or any(_addresses_of(root, name) & line.own_addresses for name in tunnels):
        return Tunnel.SEEN
    return Tunnel.UNKNOWN if described is None else Tunnel.NOT_SEEN


def is_tunnel(root: Path, interface: str) -> bool:
    device = root / "sys/class/net" / interface
    return exists(device / "tun_flags") or "DEVTYPE=wireguard" in read(device / "uevent")


def _described(root: Path) -> list[str] | None:
    """The devices that /sys describes; None where it describes none, or not to us."""
    try:
        names = [each.name for each in (root / "sys/class/net").iterdir()]
        for name in names:
            (root / "sys/class/net" / name / "uevent").exists()  # listed, and closed all the same
    except OSError:
        return None
    return names or None


def _looks_like_one(interface: str) -> bool:
    return interface.startswith(USUAL_NAMES)


def _addresses_of(root: Path, interface: str) -> set[str]:
    """The addresses of an interface, of both families: netdevice(7), SIOCGIFADDR; proc(5), /proc/net/if_inet6."""
    fields = [line.split() for line in read(root / "proc/net/if_inet6").splitlines()]
    v6 = {str(ipaddress.IPv6Address(bytes.fromhex(words[0]))) for words in fields if words[-1:] == [interface]}
    return v6 | _v4_of(interface)


def _v4_of(interface: str) -> set[str]:
    try:
        import fcntl
    except ImportError:  # no Unix
        return set()
    request = struct.pack("256s", interface.encode()[:15])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            answer = fcntl.ioctl(sock, SIOCGIFADDR, request)
    except OSError:
        return set()
    return {str(ipaddress.IPv4Address(answer[20:24]))}
