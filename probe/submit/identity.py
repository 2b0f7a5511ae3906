"""The probe's key: one Ed25519 key pair, made on first use and kept in the data directory.

Its public half names the probe to the collector and says nothing of the person. Whoever deletes the file becomes
somebody new; whoever copies it to another device makes two lines look like one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe import durable
from probe.codecs.text import utf8
from probe.failure import UserError

FILE = "identity.key"
SEED_BYTES = 32
_TEXT = re.compile(rb"([0-9a-f]{64})\n?")


class Identity:
    """`key` is the public key, 64 hex digits. The private one has no way out of here."""

    __slots__ = ("_private", "key")

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = self._private.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(data)


def load_or_create(directory: Path, random_bytes: Callable[[int], bytes]) -> Identity:
    """The identity kept in `directory`, which is made if need be. Raises UserError."""
    path = directory / FILE
    try:
        durable.make_directory(directory)
        if not path.exists():
            durable.create(path, random_bytes(SEED_BYTES).hex().encode() + b"\n")
        found = _TEXT.fullmatch(utf8(path.read_bytes()))
    except OSError as error:
        raise UserError(f"Cannot keep the probe's key in {path}: {error.strerror}.") from error
    if found is None:
        raise UserError(f"{path} is damaged: restore it, or delete it to get a new key and a new name.")
    return Identity(bytes.fromhex(found[1].decode()))
