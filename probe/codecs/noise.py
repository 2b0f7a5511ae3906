"""The first half of Noise_XX_25519_AESGCM_SHA256 (Noise Protocol Framework, revision 34), as its initiator.

    → e                 `first`: our ephemeral key, in the clear
    ← e, ee, s, es      `second`: the responder's ephemeral key, its static key and a payload, both encrypted

The static key that `second` gives belongs to whoever answered us just now: nobody else can have encrypted it, since
that takes our ephemeral key of this very session. Whose key it is, a certificate has to say. The third message would
tell the responder who we are; there is no function for it.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

NAME = b"Noise_XX_25519_AESGCM_SHA256"
KEY_BYTES = 32
TAG_BYTES = 16
LEAST = KEY_BYTES + KEY_BYTES + TAG_BYTES + TAG_BYTES  # of a second message: two keys, two tags, an empty payload


class Second(Struct, frozen=True):
    """The second message, decrypted."""

    static: bytes  # its X25519 public key
    payload: bytes


class Initiator:
    """One session. `ephemeral` is 32 random bytes, never used again."""

    def __init__(self, prologue: bytes, ephemeral: bytes) -> None:
        self._ephemeral = X25519PrivateKey.from_private_bytes(ephemeral)
        self._state = _Symmetric()
        self._state.mix_hash(prologue)

    def first(self, payload: bytes | None = None) -> bytes:
        """The first message. With None the payload is left out of the transcript, as WhatsApp does; b"" is hashed, as
        section 5.3 has it."""
        public = self._ephemeral.public_key().public_bytes_raw()
        self._state.mix_hash(public)
        if payload is not None:
            self._state.mix_hash(payload)  # not encrypted: there is no key yet
        return public + (payload or b"")

    def second(self, message: bytes) -> Second:
        """The second message. Raises ValueError when it is too short, or does not answer our first one."""
        if len(message) < LEAST:
            raise ValueError("a second message of Noise XX has at least 96 bytes")
        ephemeral, static = message[:KEY_BYTES], message[KEY_BYTES : 2 * KEY_BYTES + TAG_BYTES]
        self._state.mix_hash(ephemeral)
        self._mix_shared(ephemeral)
        opened = self._state.decrypt(static)
        self._mix_shared(opened)
        return Second(opened, self._state.decrypt(message[2 * KEY_BYTES + TAG_BYTES :]))

    def _mix_shared(self, public: bytes) -> None:
        """Mixes the shared secret in. Raises ValueError for a public key of small order, whose secret is none."""
        self._state.mix_key(self._ephemeral.exchange(X25519PublicKey.from_public_bytes(public)))


class _Symmetric:
    """The transcript hash, the chaining key, and the key that they have led to (section 5.2)."""

    def __init__(self) -> None:
        self._hash = self._chain = NAME.ljust(hashlib.sha256().digest_size, b"\0")
        self._key = b""
        self._count = 0

    def mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """Mixes a secret into the key, by HKDF with two outputs (section 4.3)."""
        early = hmac.digest(self._chain, secret, "sha256")
        self._chain = hmac.digest(early, b"\x01", "sha256")
        self._key = hmac.digest(early, self._chain + b"\x02", "sha256")
        self._count = 0

    def decrypt(self, data: bytes) -> bytes:
        """The plain text. Raises ValueError when the tag does not fit the transcript."""
        nonce = bytes(4) + self._count.to_bytes(8)
        try:
            opened = AESGCM(self._key).decrypt(nonce, data, self._hash)
        except InvalidTag as error:
            raise ValueError("it was not encrypted for this session") from error
        self._count += 1
        self.mix_hash(data)
        return opened
