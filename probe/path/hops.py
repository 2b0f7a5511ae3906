"""What is kept of a router that said something: its kind, and the prefix by which its network can be named. Pure.

Never its address, and nothing that points at the line: a home router may answer with the line's own public address,
and its operator's first router may be in the line's own /24.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from probe.addresses import family_of, is_private, is_shared, prefix_of
from probe.model import Hop, HopKind
from probe.path.ttl_probe import Reply

OWN_BITS = 64  # of IPv6: a home's own network


def describe(ttl: int, reply: Reply, own: Iterable[str]) -> Hop:
    """The hop that a reply shows. `own`: the line's own addresses, as the device and as the internet sees them;
    without a public one among them for this family no prefix is kept."""
    if len(reply.sender) not in (4, 16):
        return Hop(ttl=ttl, came=reply.came)
    sender = str(ipaddress.ip_address(reply.sender))
    ours = [address for address in own if family_of(address) == family_of(sender)]
    kind = kind_of(sender, ours)
    known = any(not is_private(address) for address in ours)
    prefix = prefix_of(sender) if kind is HopKind.PUBLIC and known else None
    return Hop(ttl=ttl, came=reply.came, kind=kind, prefix=prefix)


def kind_of(sender: str, ours: Iterable[str]) -> HopKind:
    """The kind of the sender's address. `ours` are addresses of its family."""
    public = [address for address in ours if not is_private(address)]
    if is_shared(sender):
        return HopKind.SHARED
    if is_private(sender):
        return HopKind.PRIVATE
    if any(_is_ours(sender, address) for address in public):
        return HopKind.OWN
    return HopKind.NEAR if prefix_of(sender) in map(prefix_of, public) else HopKind.PUBLIC


def _is_ours(sender: str, address: str) -> bool:
    bits = OWN_BITS if family_of(address) == 6 else 32
    return ipaddress.ip_address(sender) in ipaddress.ip_network((address, bits), strict=False)
