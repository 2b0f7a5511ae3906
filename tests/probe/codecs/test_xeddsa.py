"""XEdDSA: libsignal's own vector, keys of the tests' signer, and what must not pass."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from probe.codecs.xeddsa import is_signed_by
from tests.servers.noise import Signer

# libsignal, Curve25519Test.testSignature: a signature of an ephemeral key by an identity key.
PUBLIC = bytes.fromhex("ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64")
MESSAGE = bytes.fromhex("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
SIGNATURE = bytes.fromhex(
    "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"
    "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
)


def test_libsignals_vector() -> None:
    assert is_signed_by(PUBLIC, MESSAGE, SIGNATURE)


@given(st.integers(0, 511))
def test_every_bit_of_the_signature_counts(bit: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_signed_by(PUBLIC, MESSAGE, bytes(changed))


@given(st.integers(0, 8 * len(MESSAGE) - 1))
def test_every_bit_of_the_message_counts(bit: int) -> None:
    changed = bytearray(MESSAGE)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_signed_by(PUBLIC, bytes(changed), SIGNATURE)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80))
def test_a_key_signs_for_itself_only(seed: bytes, message: bytes) -> None:
    signer = Signer(seed)
    assert is_signed_by(signer.public, message, signer.sign(message))
    assert not is_signed_by(Signer(os.urandom(32)).public, message, signer.sign(message))


@given(st.binary(max_size=33), st.binary(max_size=8), st.binary(max_size=65))
def test_junk_is_signed_by_nobody(public: bytes, message: bytes, signature: bytes) -> None:
    assert not is_signed_by(public, message, signature)


def test_points_outside_the_map_sign_nothing() -> None:
    for public in (bytes(32), (2**255 - 20).to_bytes(32, "little"), b"\xff" * 32):
        assert not is_signed_by(public, MESSAGE, SIGNATURE)
