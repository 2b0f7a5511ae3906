"""The signed GET: by it a collector knows one of its controls, and shows it where lines failed.

    Authorization: Ringback key=<64 hex digits>, at=<ms>, signature=<128 hex digits>

Signed are, in this order,

    b"ringback-get-1\\n" + key + collector (32 bytes each) + at in 8 bytes, the highest first
    + method + " " + path with its query, as they stand in the request line

`collector` is the key of the collector that is asked, not its host: a collector cannot know by which names it is
reached, so that another one, asked by the same control, could hand the request on to it under its own name. The path
is below the base URL at which the collector is known; a proxy in front may serve it deeper.

It is good for five minutes on either side of the collector's clock, and within these as often as it is sent. That
needs no memory of what was seen: a GET changes nothing, and whoever could repeat one has read its answer beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from probe.codecs.ed25519 import verifies

CONTEXT = b"ringback-get-1\n"
FRESH_MS = 5 * 60_000  # clocks differ
_HEADER = re.compile(r"Ringback key=([0-9a-f]{64}), at=([0-9]{1,16}), signature=([0-9a-f]{128})")


class SignedGet(Struct, frozen=True, kw_only=True):
    """What the header says. Key and signature are hex; `at_ms` is Unix time by the asker's clock."""

    key: str
    at_ms: int
    signature: str


def header(key: str, collector: str, path: str, at_ms: int, sign: Callable[[bytes], bytes]) -> str:
    """The value of `Authorization` for a GET of this path, query and all; `sign` is the key's."""
    signature = sign(_signed(key, collector, "GET", path, at_ms)).hex()
    return f"Ringback key={key}, at={at_ms}, signature={signature}"


def parse(value: str) -> SignedGet | None:
    """What the value of `Authorization` says; None for any other than `header` writes."""
    found = _HEADER.fullmatch(value)
    return None if found is None else SignedGet(key=found[1], at_ms=int(found[2]), signature=found[3])


def is_genuine(said: SignedGet, collector: str, method: str, path: str) -> bool:
    """Whether its key signed this request, to this collector."""
    try:
        return verifies(said.key, said.signature, _signed(said.key, collector, method, path, said.at_ms))
    except (ValueError, OverflowError):
        return False


def is_fresh(said: SignedGet, now_ms: int) -> bool:
    """Whether it was signed within five minutes of now, by the collector's clock."""
    return abs(now_ms - said.at_ms) <= FRESH_MS


def _signed(key: str, collector: str, method: str, path: str, at_ms: int) -> bytes:
    """Raises ValueError or OverflowError for what cannot be signed."""
    names = bytes.fromhex(key) + bytes.fromhex(collector)
    return CONTEXT + names + at_ms.to_bytes(8) + f"{method} {path}".encode(errors="surrogateescape")
