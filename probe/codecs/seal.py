"""The sealed batch: measurements as a probe signs, sends and keeps them.

A batch is one gzip member around lines of JSON, each ended by a newline: a header, 1 to 50 measurements, and
`{"signature":"<128 hex digits>"}`. The signature is Ed25519, by the header's key, over

    b"ringback-batch-1\\n" + SHA-256(header line) + SHA-256(first measurement line) + …

with raw digests of 32 bytes, each of a line *without* its newline. Because digests are signed and not lines,
one line can be published and checked alone, with the header line, the digests of the others and the signature.

The bytes of a line are the record: they are never decoded and encoded again, so fields of a later version stay.
What arrives is written by strangers, so `unseal` checks in the order of cost, each check in bounded memory:
size, one bounded inflation, number of lines, depth, header, signature, and only then the measurements.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from probe.codecs import ed25519, forms
from probe.model import BatchHeader, Json, Measurement

FORMAT = 1
CONTEXT = b"ringback-batch-1\n"

T = TypeVar("T", bound=Struct)


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
    depth: int = 16
    keys: int = 200  # of one object
    integer: int = 2**53 - 1  # either side of zero: what every reader of JSON can hold


LIMITS = Limits()


class SealedBatch(Struct, frozen=True):
    """A batch whose signature holds. `lines` are the measurement lines as sealed, without their newlines."""

    header: BatchHeader
    lines: tuple[bytes, ...]
    measurements: tuple[Measurement, ...]


# --- Sealing ------------------------------------------------------------------------------------------------


def encode(measurement: Measurement) -> bytes:
    """The line of a measurement, without a newline."""
    return msgspec.json.encode(measurement)


def digests(lines: Iterable[bytes]) -> list[bytes]:
    """SHA-256 of each line, 32 raw bytes; the lines come without their newlines."""
    return [hashlib.sha256(line).digest() for line in lines]


def signed_bytes(line_digests: Iterable[bytes]) -> bytes:
    """The bytes that are signed: the digests of the header line and of the measurement lines, in order."""
    return CONTEXT + b"".join(line_digests)


def seal(header: BatchHeader, lines: Sequence[bytes], sign: Callable[[bytes], bytes]) -> bytes:
    """The batch as it is sent. The same arguments give the same bytes. `sign` is Ed25519: 64 bytes."""
    if any(b"\n" in line for line in lines):
        raise ValueError("a measurement line must not contain a newline")
    signed = (msgspec.json.encode(header), *lines)
    signature = b'{"signature":"%s"}' % sign(signed_bytes(digests(signed))).hex().encode()
    return gzip.compress(b"\n".join((*signed, signature, b"")), mtime=0)


# --- Unsealing ----------------------------------------------------------------------------------------------


def unseal(data: bytes, limits: Limits = LIMITS) -> SealedBatch:
    """The batch in these bytes, whole, signed and within the limits. Raises SealError and nothing else."""
    header_line, *lines, signature_line = _lines(_inflate(data, limits), limits)
    header = _decode(header_line, BatchHeader, limits)
    check_header(header)
    _check_signature(header.key, signature_line, [header_line, *lines])
    measurements = tuple(_decode(line, Measurement, limits) for line in lines)
    if len({measurement.uid for measurement in measurements}) < len(measurements):
        raise SealError("duplicate_uid", "Two measurements of the batch have the same uid.")
    return SealedBatch(header, tuple(lines), measurements)


def count_measurements(data: bytes, limits: Limits = LIMITS) -> int:
    """The number of measurement lines, by which a receipt counts. Raises SealError when this is no batch at all."""
    return len(_lines(_inflate(data, limits), limits)) - 2


def _inflate(data: bytes, limits: Limits) -> bytes:
    """The content of the one gzip member; never holds more than the limit and one byte."""
    if len(data) > limits.compressed_bytes:
        raise SealError("too_large", f"The batch is larger than {limits.compressed_bytes} bytes.")
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, limits.plain_bytes + 1)
    except zlib.error:
        raise SealError("not_gzip", "The batch is not gzip, or it is damaged.") from None
    if len(plain) > limits.plain_bytes:
        raise SealError("bomb", f"The batch inflates to more than {limits.plain_bytes} bytes.")
    if not inflater.eof:
        raise SealError("not_gzip", "The batch is cut short.")
    if inflater.unused_data:
        raise SealError("not_gzip", "Something follows the end of the gzip member.")
    return plain


def _lines(plain: bytes, limits: Limits) -> list[bytes]:
    """The lines: header, measurements, signature. They are counted before the split: two million are a large list."""
    newlines = plain.count(b"\n")
    if newlines > limits.measurements + 2:
        raise SealError("too_many", f"The batch has more than {limits.measurements} measurements.")
    if newlines < 3 or not plain.endswith(b"\n"):
        raise SealError("bad_format", "A batch is a header, measurements and a signature, each line ended.")
    return plain[:-1].split(b"\n")


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


def _decode(line: bytes, shape: type[T], limits: Limits) -> T:
    _check_shape(line, limits)
    try:
        _check_values(line, limits)
        forms.check(line, shape)
        return msgspec.json.decode(line, type=shape)
    except SealError:
        raise
    except msgspec.ValidationError as error:
        reason = "too_many" if "`array` of length" in str(error) else "bad_schema"
        raise SealError(reason, f"A line does not fit: {str(error)[:200]}.") from None
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise SealError("bad_json", "A line is not valid JSON in UTF-8.") from None


def _hex(digits: int) -> re.Pattern[str]:
    return re.compile(f"[0-9a-f]{{{digits}}}")


_ID, _KEY = _hex(32), _hex(64)
_SOFTWARE = re.compile(r"[A-Za-z0-9 ._+-]{1,64}")
_SIGNATURE = re.compile(rb'\{"signature":"([0-9a-f]{128})"\}')


def _match(pattern: re.Pattern[str], text: str, field: str, reason: str = "bad_schema") -> None:
    if not pattern.fullmatch(text):
        raise SealError(reason, f"`{field}` is not of the form {pattern.pattern}.")


def check_header(header: BatchHeader) -> None:
    """Raises SealError if no batch with this header will be taken."""
    if header.format != FORMAT:
        raise SealError("bad_format", f"This reads batches of format {FORMAT} only.")
    _match(_KEY, header.key, "key", "bad_key")
    _match(_ID, header.batch, "batch")
    _match(_SOFTWARE, header.software, "software")
    _match(_KEY, header.targets, "targets")


def _check_signature(key: str, signature_line: bytes, signed: Sequence[bytes]) -> None:
    found = _SIGNATURE.fullmatch(signature_line)
    if found is None:
        raise SealError("bad_format", "The last line of a batch is its signature, 128 hex digits, and no more.")
    if not ed25519.is_sound_key(key):
        raise SealError("bad_key", "The key is not an Ed25519 public key, or one that signs anything.")
    if not ed25519.verifies(key, found[1].decode(), signed_bytes(digests(signed))):
        raise SealError("bad_signature", "The signature does not verify: the batch was altered.")
