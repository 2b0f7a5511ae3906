"""Keys that sign anything, and other spellings of what is one key or one signature, are nobody's."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probe.codecs.ed25519 import ORDER, PRIME, SMALL_ORDER, is_sound_key, verifies

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw().hex()
MESSAGES = [b"message %d" % number for number in range(40)]
ENCODINGS = [(y | sign << 255).to_bytes(32, "little") for y in sorted(SMALL_ORDER) for sign in (0, 1)]
IDENTITY = (1).to_bytes(32, "little")


def times_order(y: int) -> int:
    """The y of eight times the points with this y, by doubling; of a point of small order it is the neutral one's."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    for _ in range(3):
        xx = (y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME
        y = (y * y + xx) * pow(1 - d * xx * y * y, -1, PRIME) % PRIME
    return y


def test_the_table_is_of_points_of_small_order_and_whole() -> None:
    assert {times_order(y % PRIME) for y in SMALL_ORDER} == {1}
    assert len({y % PRIME for y in SMALL_ORDER}) == 5
    assert {y % PRIME + PRIME for y in SMALL_ORDER if y % PRIME + PRIME < 2**255} <= SMALL_ORDER
    assert len(ENCODINGS) == 14


@pytest.mark.parametrize("key", ENCODINGS, ids=bytes.hex)
def test_a_key_of_small_order_verifies_nothing(key: bytes) -> None:
    """Of the constant signatures (R of small order, S = 0), the library itself takes some under some of the keys."""
    assert not is_sound_key(key.hex())
    for encoded in ENCODINGS:
        assert not any(verifies(key.hex(), (encoded + bytes(32)).hex(), message) for message in MESSAGES)


def test_the_library_alone_would_let_one_signature_stand_for_all_messages() -> None:
    key = Ed25519PublicKey.from_public_bytes(IDENTITY)
    for message in MESSAGES:
        key.verify(IDENTITY + bytes(32), message)


@pytest.mark.parametrize("y", [PRIME + 2, PRIME + 18, 2**255 - 1])
def test_a_key_that_is_not_reduced_is_refused(y: int) -> None:
    assert not is_sound_key(y.to_bytes(32, "little").hex())
    assert not is_sound_key((y | 1 << 255).to_bytes(32, "little").hex())


def test_an_honest_signature_verifies_in_one_spelling_only() -> None:
    signature = PRIVATE.sign(b"message")
    assert is_sound_key(PUBLIC)
    assert verifies(PUBLIC, signature.hex(), b"message")
    assert not verifies(PUBLIC, signature.hex(), b"another")
    more = int.from_bytes(signature[32:], "little") + ORDER
    assert not verifies(PUBLIC, (signature[:32] + more.to_bytes(32, "little")).hex(), b"message")
    assert not verifies(PUBLIC, signature.hex() + "00", b"message")
    assert not verifies(PUBLIC[:62], signature.hex(), b"message")
    assert not verifies("x" * 64, signature.hex(), b"message")


def test_what_is_no_point_verifies_nothing() -> None:
    key = (2).to_bytes(32, "little")
    with pytest.raises((ValueError, InvalidSignature)):
        Ed25519PublicKey.from_public_bytes(key).verify(bytes(64), b"")
    assert not verifies(key.hex(), PRIVATE.sign(b"").hex(), b"")
