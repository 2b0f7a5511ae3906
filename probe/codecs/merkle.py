"""The Merkle tree (RFC 9162, section 2.1): one digest for a list, of which single members can be shown to belong to it.

    leaf(data) = SHA-256(0x00 + data)        node(left, right) = SHA-256(0x01 + left + right)

A list is split where the left half holds the greatest power of two that leaves something for the right. The root of
no leaves is SHA-256 of nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(data: bytes) -> bytes:
    """The digest of one member, 32 bytes."""
    return hashlib.sha256(b"\0" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The digest of the list, 32 bytes. Pairs are joined level by level; who has no partner rises alone."""
    level = list(leaves) or [hashlib.sha256().digest()]
    while len(level) > 1:
        level = _joined(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The digests that lead from the leaf at `index` to the root, the nearest first. Raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    level, beside = list(leaves), []
    while len(level) > 1:
        if index ^ 1 < len(level):
            beside.append(level[index ^ 1])
        level, index = _joined(level), index >> 1
    return tuple(beside)


def root_by_path(one: bytes, index: int, size: int, beside: Sequence[bytes]) -> bytes:
    """The root of a list of `size` leaves that has `one` at `index`. Raises ValueError when none can have it."""
    if not 0 <= index < size:
        raise ValueError(f"A list of {size} has no member {index}.")
    digest, left, last = one, list(beside), size - 1
    while last:
        if index ^ 1 <= last:
            if not left:
                raise ValueError("The path is too short.")
            other = left.pop(0)
            digest = _node(other, digest) if index & 1 else _node(digest, other)
        index, last = index >> 1, last >> 1
    if left:
        raise ValueError("The path is too long.")
    return digest


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _joined(level: list[bytes]) -> list[bytes]:
    sha256, members = hashlib.sha256, iter(level)  # both halves of a pair are taken from the one
    joined = [sha256(b"\1" + left + right).digest() for left, right in zip(members, members, strict=False)]
    return joined + level[-1:] if len(level) % 2 else joined
