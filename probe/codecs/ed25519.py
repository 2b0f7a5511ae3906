"""Signatures by Ed25519 (RFC 8032): the one place where a key of 64 hex digits, as strangers write it, verifies one."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verifies(key: str, signature: str, message: bytes) -> bool:
    """Whether a signature (128 hex digits) of the message is by this public key; False for what is neither."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
