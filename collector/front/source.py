"""Who speaks to us: the peer of the connection, or the client that a trusted proxy names.

X-Forwarded-For is what anybody may write, so it counts only as far as trusted proxies wrote it: the list is read
from its end, and the first address that is not a trusted proxy's is the client's. A port beside it is the client's too.

A client that itself says for whom it speaks is a relay, and where it stands says nothing of a line (line_of).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from collector.facts.networks import Address, Prefix, parse_address
from probe.failure import UserError

PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")  # what relays add


def read_prefixes(words: Sequence[str]) -> tuple[Prefix, ...]:
    """The values of `--trusted-proxy`. Raises UserError."""
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as error:
        raise UserError(f"--trusted-proxy takes an address or a prefix such as 10.0.0.0/8: {error}.") from error


class Source(Struct, frozen=True):
    """A client's address, "" when it cannot be known, and its port, None when it cannot."""

    address: str = ""
    port: int | None = None


def source_of(request: web.BaseRequest, proxies: Sequence[Prefix]) -> Source:
    """Who asks."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    address, port = (str(peer[0]), int(peer[1])) if peer else ("", None)
    return named_source(address, port, _forwarded(request), proxies)


def named_source(peer: str, port: int | None, forwarded: Sequence[str], proxies: Sequence[Prefix]) -> Source:
    """The client of a connection from `peer`. `forwarded`: the values of X-Forwarded-For, in order."""
    return _followed(peer, port, forwarded, proxies)[0]


def line_of(request: web.BaseRequest, proxies: Sequence[Prefix]) -> Source:
    """Whose line asks; not known where a relay passed it on that is not trusted.

    Of what a trusted proxy hands on only X-Forwarded-For is believed: the other marks may be its own.
    """
    peer = parse_address(request.remote or "")
    trusted = peer is not None and is_within(peer, proxies)
    if not trusted:
        passed_on = any(mark in request.headers for mark in PASSED_ON)
    else:
        passed_on = bool(_followed(request.remote or "", None, _forwarded(request), proxies)[1])
    return Source() if passed_on else source_of(request, proxies)


def is_within(address: Address, prefixes: Sequence[Prefix]) -> bool:
    return any(address in prefix for prefix in prefixes)


def is_loopback(host: str) -> bool:
    """Whether a textual address is this machine's own; a name is not."""
    address = parse_address(host)
    return address is not None and address.is_loopback


def _forwarded(request: web.BaseRequest) -> Sequence[str]:
    return request.headers.getall("X-Forwarded-For", ())


def _followed(
    peer: str, port: int | None, forwarded: Sequence[str], proxies: Sequence[Prefix]
) -> tuple[Source, Sequence[str]]:
    """The client of a connection, as far as trusted proxies tell, and what the client itself had claimed."""
    address = parse_address(peer)
    claims = [claim for value in forwarded for claim in value.split(",")]
    while address is not None and is_within(address, proxies) and claims:
        address, port = _parse_claim(claims.pop())
    return (Source() if address is None else Source(str(address), port)), claims


def _parse_claim(text: str) -> tuple[Address | None, int | None]:
    """An address as proxies write it, perhaps with a port or in brackets."""
    text, port = text.strip(), ""
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
    elif text.count(":") == 1:
        text, port = text.split(":")
    number = port.removeprefix(":")
    known = number.isascii() and number.isdigit() and len(number) <= 5 and int(number) < 2**16
    return parse_address(text), int(number) if known else None
