"""Whether an address lies so near that it names the household: on this link, in the line's own /64, /48 or /24.

A home router announces its own public address as a resolver, and an operator's server may stand in the line's own /24.
The prefix of such a resolver would name the line, and the first is no operator's resolver at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from probe.addresses import family_of, is_private, prefix_of
from probe.net.vantage import LinkResolver, LinkSnapshot, read

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

OWN_BITS = {4: 32, 6: 64}  # a subscriber's own: one address, or one network
ON_LINK_BITS = {4: 16, 6: 64}  # shorter ones are a tunnel's half of the internet, not a link
NO_GATEWAY = {4: "0" * 8, 6: "0" * 32}


def as_told(resolvers: Iterable[LinkResolver], line: LinkSnapshot, root: Path) -> list[LinkResolver]:
    """The resolvers as they may be told of: one that is near loses its prefix, one at home is `private`."""
    links = list(on_link(root))
    return [_as_told(resolver, line.own_addresses, links) for resolver in resolvers]


def _as_told(resolver: LinkResolver, own: frozenset[str], links: Sequence[Network]) -> LinkResolver:
    if resolver.prefix is None:
        return resolver
    ours = [each for each in own if family_of(each) == family_of(resolver.address) and not is_private(each)]
    homes = [ipaddress.ip_network((each, OWN_BITS[family_of(each)]), strict=False) for each in ours]
    address = ipaddress.ip_address(resolver.address)
    if any(address in network for network in (*homes, *links)):
        return replace(resolver, name="private", prefix=None)
    return replace(resolver, prefix=None) if resolver.prefix in map(prefix_of, ours) else resolver


def on_link(root: Path) -> Iterator[Network]:
    """The networks that the device reaches without a router: proc(5), /proc/net/route and /proc/net/ipv6_route."""
    rows = [line.split() for line in read(root / "proc/net/route").splitlines()]
    for words in rows:
        if len(words) > 7 and words[2] == NO_GATEWAY[4] and words[0] != "lo":
            yield from _network(4, _reversed(words[1]), _reversed(words[7]))
    rows = [line.split() for line in read(root / "proc/net/ipv6_route").splitlines()]
    for words in rows:
        if len(words) > 9 and words[4] == NO_GATEWAY[6] and words[-1] != "lo":
            yield from _network(6, words[0], words[1])


def _network(family: int, base: str, extent: str) -> Iterator[Network]:
    """The network; None for what cannot be read, for one host, and for half of the internet."""
    try:
        bits = int(extent, 16) if family == 6 else int(extent, 16).bit_count()
        network = ipaddress.ip_network((bytes.fromhex(base), bits))
    except ValueError:
        return
    if ON_LINK_BITS[family] <= bits < network.max_prefixlen:
        yield network


def _reversed(word: str) -> str:
    """The address with its bytes in order: on many machines the kernel prints them reversed."""
    return "".join(reversed([word[at : at + 2] for at in range(0, len(word), 2)]))
