"""Who speaks to us: the peer of the connection, or the client that a trusted proxy names.

X-Forwarded-For is what anybody may write, so it counts only as far as trusted proxies wrote it: the list is read
from its end, and the first address that is not a trusted proxy's is the client's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from collector.facts.networks import Address, Prefix, parse_address
from probe.failure import UserError


def read_prefixes(words: Sequence[str]) -> tuple[Prefix, ...]:
    """The values of `--trusted-proxy`. Raises UserError."""
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as error:
        raise UserError(f"--trusted-proxy takes an address or a prefix such as 10.0.0.0/8: {error}.") from error


def source_address(peer: str | None, forwarded: Sequence[str], proxies: Sequence[Prefix]) -> str:
    """The client's address, "" when it cannot be known. `forwarded`: the values of X-Forwarded-For, in order."""
    source = parse_address(peer or "")
    claims = [claim for value in forwarded for claim in value.split(",")]
    while source is not None and is_within(source, proxies) and claims:
        source = _parse_claim(claims.pop())
    return "" if source is None else str(source)


def is_within(address: Address, prefixes: Sequence[Prefix]) -> bool:
    return any(address in prefix for prefix in prefixes)


def is_loopback(host: str) -> bool:
    """Whether a textual address is this machine's own; a name is not."""
    address = parse_address(host)
    return address is not None and address.is_loopback


def _parse_claim(text: str) -> Address | None:
    """An address as proxies write it, perhaps with a port or in brackets."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return parse_address(text)
