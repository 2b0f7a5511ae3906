"""The signed GET: what an independent signer makes of the docstring, and that it is good for nothing else."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs.signed_get import SignedGet, header, is_fresh, is_genuine, parse

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PRIVATE.public_key().public_bytes_raw().hex()
COLLECTOR, OTHER = "ab" * 32, "cd" * 32
NOW_MS = 1_772_000_000_000
PATH = "/v1/addresses?since=5"
PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map("/".__add__)


def said(path: str = PATH, at_ms: int = NOW_MS) -> SignedGet:
    found = parse(header(KEY, COLLECTOR, path, at_ms, PRIVATE.sign))
    assert found is not None
    return found


def test_what_is_signed_is_what_the_docstring_says() -> None:
    signed = b"ringback-get-1\n" + bytes.fromhex(KEY + COLLECTOR) + struct.pack(">Q", NOW_MS) + f"GET {PATH}".encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEY)).verify(bytes.fromhex(said().signature), signed)


@given(PATHS, st.integers(0, 10**16 - 1))
def test_what_is_written_is_read(path: str, at_ms: int) -> None:
    found = said(path, at_ms)
    assert (found.key, found.at_ms) == (KEY, at_ms)
    assert is_genuine(found, COLLECTOR, "GET", path)


@given(PATHS, PATHS)
def test_it_is_good_for_its_path_only(path: str, other: str) -> None:
    assert is_genuine(said(path), COLLECTOR, "GET", other) == (path == other)


@given(st.integers(0, 10**16 - 1))
def test_it_is_good_for_its_time_only(at_ms: int) -> None:
    assert is_genuine(replace(said(), at_ms=at_ms), COLLECTOR, "GET", PATH) == (at_ms == NOW_MS)


@given(st.integers(0, 511))
def test_a_signature_with_another_bit_is_none(bit: int) -> None:
    flipped = int(said().signature, 16) ^ (1 << bit)
    assert not is_genuine(replace(said(), signature=f"{flipped:0128x}"), COLLECTOR, "GET", PATH)


@pytest.mark.parametrize(
    "asked",
    [
        (OTHER, "GET", PATH),
        (KEY, "GET", PATH),
        (COLLECTOR, "HEAD", PATH),
        (COLLECTOR, "POST", PATH),
        (COLLECTOR, "GET", "/v1/addresses"),
        (COLLECTOR, "GET", PATH + "0"),
        (COLLECTOR, "GET ", PATH),
        (COLLECTOR, "", "GET " + PATH),
        ("x", "GET", PATH),
    ],
)
def test_another_collector_method_or_path_is_not_meant(asked: tuple[str, str, str]) -> None:
    assert is_genuine(said(), COLLECTOR, "GET", PATH)
    assert not is_genuine(said(), *asked)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": OTHER},
        {"key": "00" * 32},
        {"key": "5a"},
        {"key": "x"},
        {"at_ms": -1},
        {"at_ms": 2**64},
        {"signature": ""},
    ],
)
def test_what_is_altered_is_not_genuine(changes: dict[str, Any]) -> None:
    assert not is_genuine(replace(said(), **changes), COLLECTOR, "GET", PATH)


@pytest.mark.parametrize(
    ("apart_ms", "fresh"), [(0, True), (300_000, True), (-300_000, True), (300_001, False), (-300_001, False)]
)
def test_it_is_fresh_for_five_minutes_either_side(apart_ms: int, fresh: bool) -> None:
    assert is_fresh(said(), NOW_MS + apart_ms) == fresh


WRITTEN = header(KEY, COLLECTOR, PATH, NOW_MS, PRIVATE.sign)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer abc",
        WRITTEN.lower(),
        WRITTEN + "\n",
        WRITTEN + ", more=1",
        WRITTEN.replace(", ", ","),
        WRITTEN.replace("at=", "at=-"),
        WRITTEN.replace("at=", "at=9999"),  # 17 digits
        WRITTEN.replace("at=1", "at=\N{ARABIC-INDIC DIGIT ONE}"),
        WRITTEN.replace(KEY, KEY.upper()),
        WRITTEN[:-1],
    ],
)
def test_any_other_spelling_says_nothing(value: str) -> None:
    assert parse(WRITTEN) is not None
    assert parse(value) is None
