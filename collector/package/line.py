"""A line's pseudonym: who holds two exports can tell that two verdicts are of one line, and not whose.

A probe's key stays the same at home, at work and on the way; published, it would draw the volunteer's day. So a line is
a key on one network and access: another network, another line.
"""

from __future__ import annotations

import hashlib

CONTEXT = b"ringback-line-1\n"
DIGITS = 16


def pseudonym(key: str, country: str, asn: int, access: str) -> str:
    """The pseudonym, 16 hex digits. It follows from the key: it stays from export to export, and does not lead back."""
    return hashlib.sha256(CONTEXT + f"{key}|{country}|{asn}|{access}".encode()).hexdigest()[:DIGITS]
