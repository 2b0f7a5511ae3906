"""The little of Protocol Buffers that handshakes need: fields that are integers or bytes, each at most once.

Fields that we do not know are read over, as the format means it (protobuf.dev/programming-guides/encoding). What no
sane peer sends is refused: a field twice, groups, fixed-width numbers, more than MAX_FIELDS of them.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_FIELDS = 32
VARINT, LENGTH_DELIMITED = 0, 2  # wire types
VARINT_BITS = 64

Value = int | bytes


def fields(data: bytes) -> dict[int, Value]:
    """Field number → value. Raises ValueError."""
    found: dict[int, Value] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type not in (VARINT, LENGTH_DELIMITED):
            raise ValueError(f"a field of wire type {wire_type} is not expected")
        value, at = _varint(data, at) if wire_type == VARINT else _bytes(data, at)
        if number == 0 or number in found or len(found) == MAX_FIELDS:
            raise ValueError("a field stands twice, has no number, or is one too many")
        found[number] = value
    return found


def bytes_of(message: Mapping[int, Value], number: int, size: int | None = None) -> bytes:
    """The bytes of a field, of exactly `size` where given. Raises ValueError when there are none."""
    value = message.get(number)
    if not isinstance(value, bytes) or size not in (None, len(value)):
        raise ValueError(f"field {number} is missing or not of its kind")
    return value


def integer_of(message: Mapping[int, Value], number: int) -> int:
    """An integer field, 0 where it is absent. Raises ValueError when it holds bytes."""
    value = message.get(number, 0)
    if not isinstance(value, int):
        raise ValueError(f"field {number} is not an integer")
    return value


def pack(*values: tuple[int, Value]) -> bytes:
    """The message with these fields, in this order."""
    return b"".join(_pack(number, value) for number, value in values)


def _pack(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _pack_varint(number << 3 | VARINT) + _pack_varint(value)
    return _pack_varint(number << 3 | LENGTH_DELIMITED) + _pack_varint(len(value)) + value


def _pack_varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < VARINT_BITS:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value & ((1 << VARINT_BITS) - 1), at
    raise ValueError("an integer is cut off or too long")


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _varint(data, at)
    if size > len(data) - at:
        raise ValueError("a field is cut off")
    return data[at : at + size], at + size
