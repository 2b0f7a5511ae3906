"""Protocol Buffers, as little of them as is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import protobuf
from tests.servers.noise import message

NUMBERS = st.integers(1, 2**20)
VALUES = st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=300))


def test_the_documentations_examples() -> None:
    """protobuf.dev/programming-guides/encoding: Test1 {a: 150} and Test2 {b: "testing"}."""
    assert protobuf.fields(bytes.fromhex("089601")) == {1: 150}
    assert protobuf.fields(bytes.fromhex("120774657374696e67")) == {2: b"testing"}


@given(st.dictionaries(NUMBERS, VALUES, max_size=protobuf.MAX_FIELDS))
def test_what_is_packed_is_read(values: dict[int, protobuf.Value]) -> None:
    data = protobuf.pack(*values.items())
    assert data == message(*values.items())  # the tests' server packs by itself
    assert protobuf.fields(data) == values


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("08", "cut off"),
        ("0896", "cut off"),
        ("12077465", "cut off"),
        ("08ffffffffffffffffffff01", "too long"),
        ("080108ff01", "twice"),
        ("0001", "no number"),
        ("0d00000000", "wire type 5"),
        ("0b", "wire type 3"),
    ],
)
def test_what_no_sane_peer_sends(data: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        protobuf.fields(bytes.fromhex(data))


def test_too_many_fields() -> None:
    data = protobuf.pack(*((number, 1) for number in range(1, protobuf.MAX_FIELDS + 2)))
    with pytest.raises(ValueError, match="one too many"):
        protobuf.fields(data)


def test_a_field_of_another_kind_is_missing() -> None:
    with pytest.raises(ValueError, match="field 1 is missing"):
        protobuf.bytes_of({1: 7}, 1)
    with pytest.raises(ValueError, match="field 1 is missing"):
        protobuf.bytes_of({1: b"seven"}, 1, 7)
    with pytest.raises(ValueError, match="field 1 is not an integer"):
        protobuf.integer_of({1: b"seven"}, 1)
    assert protobuf.integer_of({}, 1) == 0


@given(st.binary(max_size=120))
def test_junk(data: bytes) -> None:
    try:
        read = protobuf.fields(data)
    except ValueError:
        return
    assert protobuf.fields(protobuf.pack(*read.items())) == read
