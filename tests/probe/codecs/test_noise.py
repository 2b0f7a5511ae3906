"""Noise XX: a published vector, another implementation as the other half, and junk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection

from probe.codecs.noise import LEAST, Initiator

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "noise" / "xx-25519-aesgcm-sha256.json").read_text()
)
FIRST, SECOND = VECTOR["messages"][:2]


def vectors_initiator() -> Initiator:
    return Initiator(bytes.fromhex(VECTOR["init_prologue"]), bytes.fromhex(VECTOR["init_ephemeral"]))


def responder(prologue: bytes, static: bytes) -> NoiseConnection:
    theirs = NoiseConnection.from_name(b"Noise_XX_25519_AESGCM_SHA256")
    theirs.set_as_responder()
    theirs.set_prologue(prologue)
    theirs.set_keypair_from_private_bytes(Keypair.STATIC, static)
    theirs.start_handshake()
    return theirs


def test_the_published_vector_to_its_second_message() -> None:
    ours = vectors_initiator()
    assert ours.first(bytes.fromhex(FIRST["payload"])).hex() == FIRST["ciphertext"]
    second = ours.second(bytes.fromhex(SECOND["ciphertext"]))
    assert second.payload.hex() == SECOND["payload"]
    static = responder(b"", bytes.fromhex(VECTOR["resp_static"])).noise_protocol.keypairs["s"].public_bytes
    assert second.static == static


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=600))
def test_another_implementation_is_understood(prologue: bytes, hello: bytes, payload: bytes) -> None:
    ours, theirs = Initiator(prologue, os.urandom(32)), responder(prologue, os.urandom(32))
    assert theirs.read_message(ours.first(hello)) == hello
    second = ours.second(bytes(theirs.write_message(payload)))
    assert second.payload == payload
    assert second.static == theirs.noise_protocol.keypairs["s"].public_bytes


def test_a_payload_that_is_left_out_is_not_an_empty_one() -> None:
    ours, theirs = Initiator(b"", os.urandom(32)), responder(b"", os.urandom(32))
    theirs.read_message(ours.first())  # which hashes the empty payload
    with pytest.raises(ValueError, match="not encrypted for this session"):
        ours.second(bytes(theirs.write_message(b"")))


@given(st.integers(0, len(SECOND["ciphertext"]) // 2 - 1), st.integers(1, 255))
def test_every_byte_of_the_second_message_counts(position: int, change: int) -> None:
    """Also the highest of an X25519 key, which RFC 7748 leaves out of the arithmetic: the transcript has it."""
    ours = vectors_initiator()
    ours.first(bytes.fromhex(FIRST["payload"]))
    data = bytearray.fromhex(SECOND["ciphertext"])
    data[position] ^= change
    with pytest.raises(ValueError, match=r"not encrypted for this session|Error computing shared key"):
        ours.second(bytes(data))


def test_the_answer_to_somebody_else_is_no_answer() -> None:
    ours = Initiator(bytes.fromhex(VECTOR["init_prologue"]), os.urandom(32))
    ours.first(bytes.fromhex(FIRST["payload"]))
    with pytest.raises(ValueError, match="not encrypted for this session"):
        ours.second(bytes.fromhex(SECOND["ciphertext"]))


@pytest.mark.parametrize("size", [0, 1, 32, LEAST - 1])
def test_what_is_too_short_is_said_to_be(size: int) -> None:
    with pytest.raises(ValueError, match="at least 96 bytes"):
        Initiator(b"", os.urandom(32)).second(bytes(size))


@given(st.binary(max_size=200))
def test_junk(data: bytes) -> None:
    ours = vectors_initiator()
    ours.first()
    with pytest.raises(ValueError, match=r".+"):
        ours.second(data)
