"""Signatures by Ed25519 (RFC 8032): the one place where a key of 64 hex digits, as strangers write it, verifies one.

A point of small order is a public key for which one constant signature verifies over a good part of all messages, or
over all: what is "signed" by it can be altered by anybody. A number that is not reduced is another spelling of the
same key or signature, under which the same signer would count twice. Neither is ever made by honest software.
Source: RFC 8032, 5.1.3 and 5.1.7; Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs (2020), table 1.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES, SIGNATURE_BYTES = 32, 64
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
WITHOUT_SIGN = (1 << 255) - 1  # the top bit says which of two x is meant


# The points whose order divides 8, as encoded, without the sign: of orders 4, 1, 8, 8 and 2, then two of these again
# in numbers that are not reduced. With either sign, 14 encodings.
SMALL_ORDER = frozenset(
    int.from_bytes(bytes.fromhex(encoded), "little")
    for encoded in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


def is_sound_key(key: str) -> bool:
    """True for 64 hex digits that can stand for one signer: reduced, and not of small order.

    Whether it is a point at all, `verifies` finds out.
    """
    return len(key) == 2 * KEY_BYTES and _is_sound_point(bytes.fromhex(key))


def verifies(key: str, signature: str, message: bytes) -> bool:
    """Whether a signature (128 hex digits) of the message is by this public key; False for what is no sound one."""
    try:
        public, signed = bytes.fromhex(key), bytes.fromhex(signature)
        if not (is_sound_key(key) and _is_canonical(signed)):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signed, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_canonical(signature: bytes) -> bool:
    point, number = signature[:KEY_BYTES], signature[KEY_BYTES:]
    return len(signature) == SIGNATURE_BYTES and _is_sound_point(point) and int.from_bytes(number, "little") < ORDER


def _is_sound_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & WITHOUT_SIGN
    return y < PRIME and y not in SMALL_ORDER
