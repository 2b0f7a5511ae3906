"""The gateway: what stands at the other end of this link, by which two moments behind the same router are known.

Read from files alone (proc(5)), nothing is sent; where the system does not tell it so, it is not known. It identifies a
home: what is read here is hashed with a secret of the device before it is kept, and never leaves it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from probe.net.vantage import default_interface, read

COMPLETE = 0x2  # flag of an entry in /proc/net/arp whose hardware address is known
UNSPECIFIED = ipaddress.ip_address(0), ipaddress.ip_address("::")


def gateway(root: Path) -> str | None:
    """The MAC of the default route's gateway, else its address and interface; None where there is none to tell."""
    interface = default_interface(root)
    if interface is None:
        return None
    address = _ipv4(root, interface) or _ipv6(root, interface)
    if address is None:
        return None
    return _mac(root, interface, address) or f"{address} {interface}"


def _ipv4(root: Path, interface: str) -> str | None:
    for line in read(root / "proc/net/route").splitlines():
        words = line.split()
        if len(words) > 7 and words[0] == interface and words[1] == words[7] == "00000000":
            return _spelled(words[2], reverse=True)
    return None


def _ipv6(root: Path, interface: str) -> str | None:
    for line in read(root / "proc/net/ipv6_route").splitlines():
        words = line.split()
        if len(words) > 9 and words[9] == interface and words[0] == "0" * 32 and words[1] == "00":
            return _spelled(words[4])
    return None


def _spelled(digits: str, *, reverse: bool = False) -> str | None:
    """The address; None for that of a link which needs none, and for what is no address."""
    try:
        packed = bytes.fromhex(digits)
        address = ipaddress.ip_address(packed[::-1] if reverse else packed)
    except ValueError:
        return None
    return None if address in UNSPECIFIED else str(address)


def _mac(root: Path, interface: str, address: str) -> str | None:
    for line in read(root / "proc/net/arp").splitlines()[1:]:
        words = line.split()
        if len(words) > 5 and (words[0], words[5]) == (address, interface) and _flags(words[2]) & COMPLETE:
            return words[3] if words[3].strip("0:") else None
    return None


def _flags(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0
