"""What can be said of an IP address by looking at it.

The same few addresses are asked about again and again, so what was found of one is remembered.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

REMEMBERED = 1 << 16  # addresses

PRIVATE = tuple(
    ipaddress.ip_network(prefix)
    for prefix in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::/127",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)


QTYPES = {4: "A", 6: "AAAA"}  # the question to DNS for addresses of a family
SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: between a carrier and its customers


@lru_cache(REMEMBERED)
def is_private(address: str) -> bool:
    """True for addresses that no service on the internet has: loopback, private, CGNAT, link-local, multicast."""
    parsed = ipaddress.ip_address(address)
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in PRIVATE if network.version == parsed.version)


@lru_cache(REMEMBERED)
def is_public(text: str) -> bool:
    """True for an address that a service on the internet may have, in the one way of writing it that we use.

    Another spelling, a scope, or IPv4 inside IPv6 would pass for another address and be dialled once more.
    """
    if not is_address(text) or is_private(text):
        return False
    parsed = ipaddress.ip_address(text)
    return str(parsed) == text and "%" not in text and getattr(parsed, "ipv4_mapped", None) is None


@lru_cache(REMEMBERED)
def is_shared(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == SHARED.version and parsed in SHARED


@lru_cache(REMEMBERED)
def prefix_of(address: str) -> str:
    """The /24 or /48 that it lies in: enough to name its network, and shared by many."""
    return str(ipaddress.ip_network((address, 24 if family_of(address) == 4 else 48), strict=False))


@lru_cache(REMEMBERED)
def family_of(address: str) -> int:
    return ipaddress.ip_address(address).version


@lru_cache(REMEMBERED)
def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
