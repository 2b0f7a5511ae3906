"""Verifying XEdDSA signatures: Ed25519 signatures made with a Curve25519 key (signal.org/docs/specifications/xeddsa).

A Curve25519 public key is the u of a point and leaves the sign of its Edwards form open. Signal's libraries, and with
them WhatsApp's, keep that sign in the highest bit of the signature.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PRIME = 2**255 - 19
SIGN = 0x80
SIGNATURE_BYTES = 64


def is_signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """The signature (64 bytes) of the message is by the Curve25519 key `public` (32 bytes). Never raises."""
    if len(public) != 32 or len(signature) != SIGNATURE_BYTES:
        return False
    plain = signature[:-1] + bytes([signature[-1] & ~SIGN])
    try:
        Ed25519PublicKey.from_public_bytes(edwards(public, bool(signature[-1] & SIGN))).verify(plain, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def edwards(public: bytes, negative: bool) -> bytes:
    """The Ed25519 public key on the other side of the birational map (RFC 7748 section 4.1): y = (u - 1) / (u + 1)."""
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    y = (u - 1) * pow(u + 1, PRIME - 2, PRIME) % PRIME
    return (y | (1 << 255 if negative else 0)).to_bytes(32, "little")
