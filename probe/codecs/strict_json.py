"""Lines of JSON that every reader takes alike: no name twice, no number that somebody rounds, nothing without end.

What a probe of this version writes is recognised at once: decoded into its type and encoded again it is the same
bytes, so there is nothing in it that the type does not have, and the closed forms (forms.py) bound the rest. Any
other line, a later version's say, takes the careful path, which reads it in Python: in time that is linear, and of
which a batch has little (`Limits.tokens`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from probe.codecs import forms
from probe.model import Json

T = TypeVar("T", bound=Struct)
_ENCODER = msgspec.json.Encoder()


class SealError(ValueError):
    """The reason for which a batch is refused: `reason` is one word for machines, the message a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of a batch; sizes in bytes, `string_bytes` as written in JSON."""

    measurements: int = 50
    compressed_bytes: int = 256_000
    plain_bytes: int = 2_000_000
    string_bytes: int = 4_000
    ratio: int = 60  # plain to compressed: honest batches of 50 have 15 to 21
    small_bytes: int = 64_000  # plain: no ratio is asked of so little
    contexts: int = 8
    tokens: int = 100_000  # quotation marks, commas and brackets in the lines that take the careful path
    careful_bytes: int = 1_000_000  # of these lines
    depth: int = 16
    keys: int = 200  # of one object
    integer: int = 2**53 - 1  # either side of zero: what every reader of JSON can hold


LIMITS = Limits()


def decode(line: bytes, shape: type[T], limits: Limits = LIMITS) -> T:
    """The value of one line, which must be of this type. Raises SealError."""
    return decode_all([line], shape, limits)[0]


def decode_all(lines: Sequence[bytes], shape: type[T], limits: Limits = LIMITS) -> list[T]:
    """The values of lines that are all of this type. Raises SealError."""
    values = [_recognised(line, shape) for line in lines]
    others = [line for line, value in zip(lines, values, strict=True) if value is None]
    if sum(map(_tokens, others)) > limits.tokens or sum(map(len, others)) > limits.careful_bytes:
        raise SealError("too_many", "There is too much in these lines that this version does not know.")
    return [
        _checked(line, shape, limits) if value is None else value for line, value in zip(lines, values, strict=True)
    ]


def _recognised(line: bytes, shape: type[T]) -> T | None:
    """The value of a line as this version writes it; None: look closer."""
    try:
        value = _decoder(shape).decode(line)
        if _ENCODER.encode(value) != line:
            return None
        forms.check(line, shape)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    found: T = value
    return found


@cache
def _decoder(shape: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def _tokens(line: bytes) -> int:
    return sum(map(line.count, (b'"', b",", b"[", b"{")))


# A quoted string, or what is left of one that never ends. It matches at every quotation mark, so a search never
# goes back, and takes time in proportion to the line, whoever wrote it.
_STRING = re.compile(rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _check_shape(line: bytes, limits: Limits) -> None:
    """Checks depth and lengths of strings, before any decoder recurses into the line."""
    if len(line) > limits.string_bytes:
        longest = max((match.end() - match.start() for match in _STRING.finditer(line)), default=0)
        if longest > limits.string_bytes:
            raise SealError("too_large", f"A string is longer than {limits.string_bytes} bytes.")
    depth = 0
    for bracket in _STRING.sub(b"", line).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise SealError("too_deep", f"A line is nested deeper than {limits.depth}.")


def _check_values(line: bytes, limits: Limits) -> None:
    """Refuses what msgspec lets pass and another reader may take otherwise: a name given twice, a large number."""

    def unique(pairs: list[tuple[str, Json]]) -> None:
        if len(pairs) > limits.keys:
            raise SealError("too_many", f"An object has more than {limits.keys} names.")
        if len({name for name, _ in pairs}) < len(pairs):
            raise SealError("bad_json", "A name stands twice in one object.")

    def bounded(digits: str) -> None:
        # Sixteen digits and a sign hold the limit; longer texts are not even converted.
        if len(digits) > 17 or abs(int(digits)) > limits.integer:
            raise SealError("bad_schema", "A number is outside ±2^53.")

    def constant(word: str) -> None:
        raise SealError("bad_json", "NaN and Infinity are not JSON.")

    json.loads(line.decode(), object_pairs_hook=unique, parse_int=bounded, parse_constant=constant)


def _checked(line: bytes, shape: type[T], limits: Limits) -> T:
    """The value of a line that may hold what this version does not know."""
    _check_shape(line, limits)
    try:
        _check_values(line, limits)
        forms.check(line, shape)
        value: T = _decoder(shape).decode(line)
        return value
    except SealError:
        raise
    except msgspec.ValidationError as error:
        reason = "too_many" if "`array` of length" in str(error) else "bad_schema"
        raise SealError(reason, f"A line does not fit: {str(error)[:200]}.") from None
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise SealError("bad_json", "A line is not valid JSON in UTF-8.") from None
