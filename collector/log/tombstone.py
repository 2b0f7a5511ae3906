"""The tombstone: a collector's word that it erased a batch, when and why. It stands in the log in the batch's place.

Signed are b"ringback-tombstone-1\\n" + SHA-256 of the batch (32 bytes) + at_ms (8 bytes, the highest first) + the word
why.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec import Struct

from probe.codecs.ed25519 import verifies
from probe.codecs.receipt import is_key

CONTEXT = b"ringback-tombstone-1\n"

Sign = Callable[[bytes], bytes]


class Why(StrEnum):
    ASKED = "asked"  # by the volunteer whose it was
    LAW = "law"  # a law or a court
    IDENTIFIES = "identifies"  # it says who somebody is
    MISTAKE = "mistake"  # it should never have been sent


class Tombstone(Struct, frozen=True, kw_only=True):
    """`digest` is the hex SHA-256 of the batch; key, the collector's, and signature are hex."""

    digest: str
    at_ms: int
    why: Why
    key: str
    signature: str


_TOMBSTONE = msgspec.json.Decoder(Tombstone)


def issue(digest: bytes, at_ms: int, why: Why, key: str, sign: Sign) -> bytes:
    """The tombstone of a batch, as it stands in the log."""
    signature = sign(_signed(digest, at_ms, why)).hex()
    return msgspec.json.encode(Tombstone(digest=digest.hex(), at_ms=at_ms, why=why, key=key, signature=signature))


def is_for(signed: bytes, digest: bytes) -> bool:
    """Whether these bytes are a tombstone of the batch with that digest, and hold their own signature."""
    try:
        one = _TOMBSTONE.decode(signed)
    except msgspec.MsgspecError:
        return False
    if one.digest != digest.hex() or not is_key(one.key) or not 0 <= one.at_ms < 2**63:
        return False
    return verifies(one.key, one.signature, _signed(digest, one.at_ms, one.why))


def _signed(digest: bytes, at_ms: int, why: Why) -> bytes:
    return CONTEXT + digest + at_ms.to_bytes(8) + why.value.encode()
