"""The owner's link and cookie: words that only who holds the admin token can have made.

A browser sends no bearer token, and that a request comes from this machine shows nothing: every user of it may ask,
and so may a proxy on it. So its owner opens a link, once, and has a cookie from then on. Both say when they were made
and are signed with the token: nothing of them is kept, whoever may read DATA/admin.token makes another, and another
token ends them all. A collector takes no link that was made before it started, so that one used before a restart does
not open again.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets

from msgspec import Struct

LINK_MS = 24 * 3_600_000
COOKIE_MS = 7 * 24 * 3_600_000
LINK, COOKIE = "link", "cookie"  # what a word is for: one does not pass for the other
PATH = "/owner/"

MADE_BYTES, NONCE_BYTES, MAC_BYTES = 6, 10, 16

_WORD = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes


class Word(Struct, frozen=True):
    """A signed word: when it was made, ms, and what tells it from all others."""

    made_ms: int
    nonce: bytes


def sign(token: str, purpose: str, now_ms: int) -> str:
    """A new word for a purpose, in base64url: 43 characters, so that a link fits one line of a terminal."""
    said = now_ms.to_bytes(MADE_BYTES) + secrets.token_bytes(NONCE_BYTES)
    return base64.urlsafe_b64encode(said + _mac(token, purpose, said)).rstrip(b"=").decode()


def read(token: str, purpose: str, text: str) -> Word | None:
    """The word, when it was signed with this token for this purpose; how old it may be, its reader says."""
    if not _WORD.fullmatch(text):
        return None
    word = base64.urlsafe_b64decode(text + "=")
    said, mac = word[:-MAC_BYTES], word[-MAC_BYTES:]
    if not hmac.compare_digest(_mac(token, purpose, said), mac):
        return None
    return Word(int.from_bytes(said[:MADE_BYTES]), said[MADE_BYTES:])


def cookie_name(port: int) -> str:
    """The name of the cookie: a browser tells apart the collectors of one machine by it, for it ignores ports."""
    return f"ringback-owner-{port}"


def link(address: str, token: str, now_ms: int) -> str:
    """A link that opens the collector at this address once."""
    return f"{address}{PATH}{sign(token, LINK, now_ms)}"


def _mac(token: str, purpose: str, said: bytes) -> bytes:
    return hmac.digest(token.encode(), f"ringback-owner-{purpose}\n".encode() + said, "sha256")[:MAC_BYTES]
