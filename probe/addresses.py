"""What can be said of an IP address by looking at it.

An address is special as IANA's two registries say (RFC 6890). Their table stands here, for `ipaddress` tells other
things of the same address from one Python to the next: 192.0.0.8, 64:ff9b:1::1 and 2002::/16 changed between 3.11 and
3.13. An IPv4 address inside an IPv6 one decides for both. The same few addresses are asked about again and again, so
what was found of one is remembered.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

REMEMBERED = 1 << 16  # addresses

# No network routes them, so no service has them. Here they count as public: all tests and all vectors are made of them.
DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")

# IANA IPv4 and IPv6 Special-Purpose Address Registries, 2025-10: prefix → globally reachable; where the registry says
# neither (N/A), no service is there. The longest prefix decides. Beside them: multicast, and IPv6 that is not unicast.
REGISTRIES = {
    "0.0.0.0/8": False,  # this network
    "10.0.0.0/8": False,
    "100.64.0.0/10": False,  # between a carrier and its customers
    "127.0.0.0/8": False,
    "169.254.0.0/16": False,
    "172.16.0.0/12": False,
    "192.0.0.0/24": False,  # IETF protocols: the hop of 464XLAT and DS-Lite among them
    "192.0.0.9/32": True,  # port control, anycast
    "192.0.0.10/32": True,  # TURN, anycast
    "192.88.99.0/24": False,  # relays of 6to4, deprecated
    "192.168.0.0/16": False,
    "198.18.0.0/15": False,  # benchmarks; proxies at home make names up in it
    "224.0.0.0/4": False,  # multicast
    "240.0.0.0/4": False,
    "::/0": False,  # all but what follows: unassigned, link-local, unique local, multicast
    "64:ff9b::/96": True,  # IPv4 behind a translator
    "64:ff9b:1::/48": False,  # the same, of local use
    "2000::/3": True,  # unicast
    "2001::/23": False,  # IETF protocols: Teredo, benchmarks
    "2001:1::1/128": True,
    "2001:1::2/128": True,
    "2001:1::3/128": True,
    "2001:3::/32": True,
    "2001:4:112::/48": True,
    "2001:20::/28": True,
    "2001:30::/28": True,
    "3fff::/20": False,  # documentation
} | dict.fromkeys(DOCUMENTATION, True)

LONGEST_FIRST = sorted(
    ((ipaddress.ip_network(prefix), reachable) for prefix, reachable in REGISTRIES.items()),
    key=lambda row: -row[0].prefixlen,
)
SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
TRANSLATED_LOCALLY = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215: where in it the IPv4 address is, is not known

QTYPES = {4: "A", 6: "AAAA"}  # the question to DNS for addresses of a family


@lru_cache(REMEMBERED)
def is_private(address: str) -> bool:
    """True for addresses that no service on the internet has: loopback, private, CGNAT, link-local, multicast, …

    What a translator of local use leads to cannot be told from its address: it may be any service.
    """
    parsed = ipaddress.ip_address(address)
    if parsed in TRANSLATED_LOCALLY:
        return False
    return not _is_reachable(_embedded(parsed) or parsed)


@lru_cache(REMEMBERED)
def is_public(text: str) -> bool:
    """True for an address that a service on the internet may have, in the one way of writing it that we use.

    Another spelling, a scope, or IPv4 inside IPv6 would pass for another address and be dialled once more.
    """
    if not is_address(text):
        return False
    parsed = ipaddress.ip_address(text)
    return str(parsed) == text and "%" not in text and _embedded(parsed) is None and _is_reachable(parsed)


@lru_cache(REMEMBERED)
def is_shared(address: str) -> bool:
    """True for one between a carrier and its customers."""
    parsed = ipaddress.ip_address(address)
    return (_embedded(parsed) or parsed) in SHARED


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


def _is_reachable(address: Address) -> bool:
    """By the longest prefix of the registries that it lies in; of IPv4, all that they do not list."""
    return next((reachable for prefix, reachable in LONGEST_FIRST if address in prefix), address.version == 4)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside one of IPv6: mapped, translated, or of 6to4."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    translated = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in TRANSLATED else None
    return address.ipv4_mapped or translated or address.sixtofour
