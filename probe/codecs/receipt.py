"""The receipt: a collector's word that the bytes of one batch are on its disk.

It is signed, because a probe forgets what it measured for it: the network under measurement carries the answer, and
whoever stands there can write 200 and any JSON. Signed are, in this order,

    b"ringback-receipt-1\\n" + SHA-256 of the batch as sent (32 bytes)
    + lines + stored + known + received_ms, each in 8 bytes, the highest first

`lines` counts the measurement lines of the batch: those that were new (`stored`) and those that were known. It means
that these bytes are durable and no more; a batch that comes again gets one too.

A collector changes its key by a hand-over that the old key signs: b"ringback-hand-over-1\\n" + old key + new key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from probe.codecs.ed25519 import verifies

CONTEXT = b"ringback-receipt-1\n"
HAND_OVER = b"ringback-hand-over-1\n"
LONGEST_CHAIN = 64  # hand-overs between a pinned key and today's
_KEY = re.compile(r"[0-9a-f]{64}")

Sign = Callable[[bytes], bytes]


class Receipt(Struct, frozen=True, kw_only=True):
    """The answer to an upload. `batch` is the hex SHA-256 of the bytes; key and signature are hex."""

    batch: str
    lines: int
    stored: int
    known: int
    received_ms: int
    key: str
    signature: str


class HandOver(Struct, frozen=True, kw_only=True):
    """The word of a collector's `old` key that `new` is its successor."""

    old: str
    new: str
    signature: str


class PublicKey(Struct, frozen=True, kw_only=True):
    """What a collector says of its key: today's, and how it came to be that, oldest hand-over first."""

    key: str
    hand_overs: tuple[HandOver, ...] = ()


def is_key(text: str) -> bool:
    """Whether this is written as a public key: 64 hex digits in small letters."""
    return bool(_KEY.fullmatch(text))


def issue(data: bytes, stored: int, known: int, received_ms: int, key: str, sign: Sign) -> Receipt:
    """The receipt for the batch `data`, whose measurements were new or known, by the collector's key."""
    digest = hashlib.sha256(data).digest()
    signature = sign(_signed(digest, stored + known, stored, known, received_ms)).hex()
    return Receipt(
        batch=digest.hex(),
        lines=stored + known,
        stored=stored,
        known=known,
        received_ms=received_ms,
        key=key,
        signature=signature,
    )


def is_for(receipt: Receipt, data: bytes, lines: int) -> bool:
    """Whether its own key signed the receipt for exactly these bytes, all their measurement lines accounted for."""
    numbers = (receipt.lines, receipt.stored, receipt.known, receipt.received_ms)
    if not all(0 <= number < 2**63 for number in numbers) or receipt.stored + receipt.known != lines:
        return False
    digest = hashlib.sha256(data).digest()
    whole = receipt.lines == lines and receipt.batch == digest.hex()
    return whole and is_key(receipt.key) and verifies(receipt.key, receipt.signature, _signed(digest, *numbers))


def hand_over(old: str, new: str, sign: Sign) -> HandOver:
    """The hand-over; `sign` is the old key's."""
    return HandOver(old=old, new=new, signature=sign(_handed(old, new)).hex())


def succeeds(key: str, pinned: str, hand_overs: Iterable[HandOver]) -> bool:
    """Whether hand-overs, each signed by the key before it, lead from the pinned key to this one."""
    following = {each.old: each for each in hand_overs}
    for _ in range(LONGEST_CHAIN):
        step = following.get(pinned)
        if step is None or not is_key(step.old) or not is_key(step.new):
            return False
        if not verifies(step.old, step.signature, _handed(step.old, step.new)):
            return False
        if step.new == key:
            return True
        pinned = step.new
    return False


def _signed(digest: bytes, lines: int, stored: int, known: int, received_ms: int) -> bytes:
    return CONTEXT + digest + b"".join(number.to_bytes(8) for number in (lines, stored, known, received_ms))


def _handed(old: str, new: str) -> bytes:
    return HAND_OVER + bytes.fromhex(old) + bytes.fromhex(new)
