"""The receipt: what an independent reader of the docstring would sign and verify, and whom it convinces of what."""

from __future__ import annotations

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs.receipt import HandOver, hand_over, is_for, is_key, issue, succeeds


class Signer:
    def __init__(self, number: int) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))
        self.key = self._private.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)


ONE, TWO, THREE = (Signer(number) for number in (1, 2, 3))


def test_what_is_signed_is_what_the_docstring_says() -> None:
    receipt = issue(b"a batch", 2, 1, 1_456_500_000_000, ONE.key, ONE.sign)
    signed = b"ringback-receipt-1\n" + hashlib.sha256(b"a batch").digest() + struct.pack(">4Q", 3, 2, 1, 1456500000000)
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(ONE.key)).verify(bytes.fromhex(receipt.signature), signed)
    step = hand_over(ONE.key, TWO.key, ONE.sign)
    handed = b"ringback-hand-over-1\n" + bytes.fromhex(ONE.key + TWO.key)
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(ONE.key)).verify(bytes.fromhex(step.signature), handed)


@given(st.binary(max_size=64), st.integers(0, 50), st.integers(0, 50), st.integers(0, 2**53))
def test_a_receipt_is_for_its_batch_and_no_other(data: bytes, stored: int, known: int, received_ms: int) -> None:
    receipt = issue(data, stored, known, received_ms, ONE.key, ONE.sign)
    assert is_for(receipt, data, stored + known)
    assert not is_for(receipt, data + b"x", stored + known)
    assert not is_for(receipt, data, stored + known + 1)
    assert not is_for(replace(receipt, received_ms=received_ms + 1), data, stored + known)
    assert not is_for(replace(receipt, stored=stored + 1, known=known - 1), data, stored + known)
    assert not is_for(replace(receipt, key=TWO.key), data, stored + known)


@given(st.text(max_size=200), st.text(max_size=200), st.integers())
def test_junk_convinces_nobody(key: str, signature: str, number: int) -> None:
    receipt = issue(b"", 1, 0, 0, ONE.key, ONE.sign)
    assert not is_for(replace(receipt, key=key), b"", 1)
    assert not is_for(replace(receipt, signature=signature), b"", 1)
    assert is_for(replace(receipt, received_ms=number), b"", 1) is (number == 0)
    assert not succeeds(TWO.key, ONE.key, [HandOver(old=ONE.key, new=key, signature=signature)])
    assert not succeeds(TWO.key, key, [HandOver(old=key, new=TWO.key, signature=signature)])


def test_a_chain_of_hand_overs_is_followed_to_its_end() -> None:
    chain = [hand_over(ONE.key, TWO.key, ONE.sign), hand_over(TWO.key, THREE.key, TWO.sign)]
    assert succeeds(THREE.key, ONE.key, chain)
    assert succeeds(TWO.key, ONE.key, chain)
    assert not succeeds(ONE.key, THREE.key, chain)
    assert not succeeds(THREE.key, ONE.key, chain[1:])


def test_a_circle_of_hand_overs_ends() -> None:
    circle = [hand_over(ONE.key, TWO.key, ONE.sign), hand_over(TWO.key, ONE.key, TWO.sign)]
    assert not succeeds(THREE.key, ONE.key, circle)


def test_how_a_key_is_written() -> None:
    assert is_key(ONE.key)
    assert not any(map(is_key, ["", ONE.key.upper(), ONE.key + "\n", ONE.key[:-1], "g" * 64]))
