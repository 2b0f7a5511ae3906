"""The first half of Threema's handshake with a chat server: enough to prove the server, too little to log in.

We send a fresh X25519 key and a cookie of 16 random bytes; the server answers with a cookie of its own and a NaCl box
(X25519, XSalsa20, Poly1305) made with its permanent key for our fresh one, under its cookie and a counter as nonce:
its own fresh key, and our cookie. Whoever makes a box that opens holds the permanent key or the one that we made.
Source: threema-desktop, structbuf/csp/handshake.ts; the keys are in Threema's own clients.
"""

from __future__ import annotations

from collections.abc import Iterable

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

KEY_BYTES = 32
COOKIE_BYTES = 16
ANSWER_BYTES = 80  # a cookie, a box of a key and a cookie, the box's authenticator of 16
COUNTER = (1).to_bytes(8, "little")


class Session:
    """One handshake, as the client has it. `secret` is 32 random bytes, `cookie` 16."""

    def __init__(self, secret: bytes, cookie: bytes) -> None:
        self._secret = PrivateKey(secret)
        self._cookie = cookie
        self._read = b""

    def hello(self) -> bytes:
        """The 48 bytes that open the conversation."""
        return bytes(self._secret.public_key) + self._cookie

    def receive(self, data: bytes) -> bytes | None:
        """The server's hello; None while more is to come. Raises ValueError as soon as it cannot be one."""
        self._read += data
        if self._read[:COOKIE_BYTES] == self.hello()[:COOKIE_BYTES]:
            raise ValueError("That is what we said.")
        if len(self._read) > ANSWER_BYTES:
            raise ValueError(f"Threema's server says {ANSWER_BYTES} bytes, and waits.")
        return self._read if len(self._read) == ANSWER_BYTES else None

    def is_proved(self, answer: bytes, keys: Iterable[bytes]) -> bool:
        """The answer was made with one of these permanent keys, for this very session."""
        return any(self._opens(answer, key) for key in keys)

    def _opens(self, answer: bytes, key: bytes) -> bool:
        cookie, box = answer[:COOKIE_BYTES], answer[COOKIE_BYTES:]
        try:
            inside = Box(self._secret, PublicKey(key)).decrypt(box, cookie + COUNTER)
        except (CryptoError, ValueError):  # ValueError: a key that is no point of the curve
            return False
        return cookie != self._cookie and inside[KEY_BYTES:] == self._cookie
