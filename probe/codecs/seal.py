"""The sealed batch: measurements as a probe signs, sends and keeps them.

A batch is one gzip member around lines of JSON, each ended by a newline: a header, in format 2 then 1 to 8 contexts,
1 to 50 measurements, and `{"signature":"<128 hex digits>"}`. The signature is Ed25519, by the header's key, over

    format 1   b"ringback-batch-1\n" + SHA-256(header line) + SHA-256(measurement line) + …
    format 2   b"ringback-batch-2\n" + leaf(header line) + leaf(context line) + … + leaf(measurement line) + …

with raw digests of 32 bytes, each of a line *without* its newline. Because digests are signed and not lines, one line
can be published and checked alone, with the digests of the others and the signature; and in format 2, where a leaf is a
Merkle root of salted fields (salted.py), single fields of one line. What measurements of format 2 share, their link and
the ticket by which they belong to a network, is said once: each names its context by number (said_once.py).

The bytes of a line are the record: they are never decoded and encoded again, so fields of a later version stay.
What arrives is written by strangers, so `unseal` checks in the order of cost, each check in bounded memory:
size, one bounded inflation, number of lines, depth, header, signature, and only then the measurements.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from probe.codecs import ed25519, forms, salted, succession
from probe.codecs.said_once import MeasurementLine, context_of, whole
from probe.codecs.strict_json import LIMITS, Limits, SealError, decode, decode_all
from probe.model import BatchHeader, Context, Measurement

__all__ = [
    "CONTEXTS",
    "FORMAT",
    "LIMITS",
    "Limits",
    "SealError",
    "SealedBatch",
    "check_header",
    "count_measurements",
    "digests",
    "encode",
    "leaves",
    "measurement_at",
    "reopen",
    "seal",
    "signed_bytes",
    "unseal",
]

FORMAT = 2  # that is written; all are read
SHAPES = forms.prepared(BatchHeader, Context, Measurement, MeasurementLine)  # of lines
CONTEXTS = {1: b"ringback-batch-1\n", 2: b"ringback-batch-2\n"}  # of the signature, by format


class SealedBatch(Struct, frozen=True):
    """A batch whose signature holds. `lines` are the measurement lines as sealed, without their newlines.

    In format 2 `numbers` has for each measurement which of the `contexts` is its own.
    """

    header: BatchHeader
    lines: tuple[bytes, ...]
    measurements: tuple[Measurement, ...]
    contexts: tuple[Context, ...] = ()
    numbers: tuple[int, ...] = ()


# --- Sealing ------------------------------------------------------------------------------------------------


def encode(measurement: Measurement | Context) -> bytes:
    """The line of a measurement in format 1, or of a context, without a newline."""
    return msgspec.json.encode(measurement)


def digests(lines: Iterable[bytes]) -> list[bytes]:
    """SHA-256 of each line, 32 raw bytes; the lines come without their newlines."""
    return [hashlib.sha256(line).digest() for line in lines]


def leaves(lines: Iterable[bytes], salt: str, most: int = salted.MOST_FIELDS) -> list[bytes]:
    """The leaf of each line of a batch of format 2, the header's first. Raises SealError when a line has none, or more
    fields than so many.
    """
    try:
        key = bytes.fromhex(salt)
        return [salted.line_leaf(line, number, key, most) for number, line in enumerate(lines)]
    except ValueError as error:
        raise SealError("bad_json", f"A line has no leaf: {error}.") from None


def signed_bytes(each: Iterable[bytes], number: int = 1) -> bytes:
    """The bytes that are signed: the digests or leaves of all lines but the last, behind the format's context."""
    return CONTEXTS[number] + b"".join(each)


def _to_sign(header: BatchHeader, lines: Sequence[bytes], limits: Limits = LIMITS) -> bytes:
    each = digests(lines) if header.format == 1 else leaves(lines, header.salt, limits.keys)
    return signed_bytes(each, header.format)


def seal(
    header: BatchHeader, lines: Sequence[bytes], sign: Callable[[bytes], bytes], contexts: Sequence[bytes] = ()
) -> bytes:
    """The batch as it is sent. The same arguments give the same bytes. `sign` is Ed25519: 64 bytes.

    In format 2 `header.contexts` is the number of context lines.
    """
    if any(b"\n" in line for line in (*contexts, *lines)):
        raise ValueError("a measurement line must not contain a newline")
    signed = (msgspec.json.encode(header), *contexts, *lines)
    signature = b'{"signature":"%s"}' % sign(_to_sign(header, signed)).hex().encode()
    return gzip.compress(b"\n".join((*signed, signature, b"")), mtime=0)


# --- Unsealing ----------------------------------------------------------------------------------------------


def unseal(data: bytes, limits: Limits = LIMITS) -> SealedBatch:
    """The batch in these bytes, whole, signed and within the limits. Raises SealError and nothing else."""
    header_line, *lines, signature_line = _lines(_inflate(data, limits), limits)
    header = decode(header_line, BatchHeader, limits)
    check_header(header, limits)
    _check_number(header, lines, limits)
    _check_signature(header, signature_line, [header_line, *lines], limits)
    _check_succession(header)
    batch = _read(header, lines, limits)
    if len({measurement.uid for measurement in batch.measurements}) < len(batch.measurements):
        raise SealError("duplicate_uid", "Two measurements of the batch have the same uid.")
    return batch


def reopen(data: bytes) -> SealedBatch:
    """The batch in bytes that were unsealed when they came. Nothing is checked: today's limits undo nothing."""
    header_line, *lines, _, _ = gzip.decompress(data).split(b"\n")
    header = msgspec.json.decode(header_line, type=BatchHeader)
    own = lines[header.contexts :]
    if header.format == 1:
        seen = tuple(msgspec.json.decode(line, type=Measurement) for line in own)
        return SealedBatch(header, tuple(own), seen)
    contexts = [msgspec.json.decode(line, type=Context) for line in lines[: header.contexts]]
    return _joined(header, own, contexts, [msgspec.json.decode(line, type=MeasurementLine) for line in own])


def measurement_at(lines: Sequence[bytes], number: int) -> Measurement:
    """The measurement on one of the lines of a batch that was unsealed when it came; the header is line 0."""
    header = msgspec.json.decode(lines[0], type=BatchHeader)
    if header.format == 1:
        return msgspec.json.decode(lines[number], type=Measurement)
    said = msgspec.json.decode(lines[number], type=MeasurementLine)
    return whole(said, msgspec.json.decode(lines[1 + context_of(said)], type=Context))


def count_measurements(data: bytes, limits: Limits = LIMITS) -> int:
    """The number of measurement lines, by which a receipt counts. Raises SealError when this is no batch at all."""
    header_line, *lines, _ = _lines(_inflate(data, limits), limits)
    return len(lines) - decode(header_line, BatchHeader, limits).contexts


def _inflate(data: bytes, limits: Limits) -> bytes:
    """The content of the one gzip member; never holds more than the limit and one byte."""
    if len(data) > limits.compressed_bytes:
        raise SealError("too_large", f"The batch is larger than {limits.compressed_bytes} bytes.")
    most = min(limits.plain_bytes, max(limits.small_bytes, limits.ratio * len(data)))
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, most + 1)
    except zlib.error:
        raise SealError("not_gzip", "The batch is not gzip, or it is damaged.") from None
    if len(plain) > most:
        raise SealError("bomb", f"The batch inflates to more than {most} bytes.")
    if not inflater.eof:
        raise SealError("not_gzip", "The batch is cut short.")
    if inflater.unused_data:
        raise SealError("not_gzip", "Something follows the end of the gzip member.")
    return plain


def _lines(plain: bytes, limits: Limits) -> list[bytes]:
    """The lines: header, contexts, measurements, signature. Counted before the split: two million are a large list."""
    newlines = plain.count(b"\n")
    if newlines > limits.measurements + limits.contexts + 2:
        raise SealError("too_many", f"The batch has more than {limits.measurements} measurements.")
    if newlines < 3 or not plain.endswith(b"\n"):
        raise SealError("bad_format", "A batch is a header, measurements and a signature, each line ended.")
    return plain[:-1].split(b"\n")


def _read(header: BatchHeader, lines: Sequence[bytes], limits: Limits) -> SealedBatch:
    own = lines[header.contexts :]
    if header.format == 1:
        return SealedBatch(header, tuple(own), tuple(decode_all(own, Measurement, limits)))
    contexts = decode_all(lines[: header.contexts], Context, limits)
    said = decode_all(own, MeasurementLine, limits)
    if any(context_of(line) >= len(contexts) for line in said):
        raise SealError("bad_schema", "A measurement names a context that the batch does not have.")
    return _joined(header, own, contexts, said)


def _joined(
    header: BatchHeader, lines: Sequence[bytes], contexts: Sequence[Context], said: Sequence[Struct]
) -> SealedBatch:
    """A batch of format 2, each measurement with what its context says."""
    numbers = tuple(map(context_of, said))
    seen = tuple(whole(line, contexts[number]) for line, number in zip(said, numbers, strict=True))
    return SealedBatch(header, tuple(lines), seen, tuple(contexts), numbers)


def _hex(digits: int) -> re.Pattern[str]:
    return re.compile(f"[0-9a-f]{{{digits}}}")


_ID, _KEY = _hex(32), _hex(64)
_SOFTWARE = re.compile(r"[A-Za-z0-9 ._+-]{1,64}")
_SIGNATURE = re.compile(rb'\{"signature":"([0-9a-f]{128})"\}')


def _match(pattern: re.Pattern[str], text: str, field: str, reason: str = "bad_schema") -> None:
    if not pattern.fullmatch(text):
        raise SealError(reason, f"`{field}` is not of the form {pattern.pattern}.")


def check_header(header: BatchHeader, limits: Limits = LIMITS) -> None:
    """Raises SealError if no batch with this header will be taken."""
    if header.format not in CONTEXTS:
        raise SealError("bad_format", f"This reads batches of the formats {', '.join(map(str, CONTEXTS))} only.")
    _match(_KEY, header.key, "key", "bad_key")
    _match(_ID, header.batch, "batch")
    _match(_SOFTWARE, header.software, "software")
    _match(_KEY, header.targets, "targets")
    if header.format == 1 and (header.contexts or header.succession):
        raise SealError("bad_format", "A batch of format 1 has no contexts, and no succession.")
    if header.format != 1:
        _match(_ID, header.salt, "salt")
        if not 1 <= header.contexts <= limits.contexts:
            raise SealError("bad_format", f"A batch has 1 to {limits.contexts} contexts.")


def _check_number(header: BatchHeader, lines: Sequence[bytes], limits: Limits) -> None:
    measurements = len(lines) - header.contexts
    if measurements < 1:
        raise SealError("bad_format", "A batch is a header, measurements and a signature, each line ended.")
    if measurements > limits.measurements:
        raise SealError("too_many", f"The batch has more than {limits.measurements} measurements.")


def _check_signature(header: BatchHeader, signature_line: bytes, signed: Sequence[bytes], limits: Limits) -> None:
    found = _SIGNATURE.fullmatch(signature_line)
    if found is None:
        raise SealError("bad_format", "The last line of a batch is its signature, 128 hex digits, and no more.")
    if not ed25519.is_sound_key(header.key):
        raise SealError("bad_key", "The key is not an Ed25519 public key, or one that signs anything.")
    if not ed25519.verifies(header.key, found[1].decode(), _to_sign(header, signed, limits)):
        raise SealError("bad_signature", "The signature does not verify: the batch was altered.")


def _check_succession(header: BatchHeader) -> None:
    one = header.succession
    if one is None:
        return
    if header.key not in (one.old, one.new):
        raise SealError("bad_succession", "The succession is of other keys than the batch's.")
    if not succession.is_genuine(one):
        raise SealError("bad_succession", "The succession is not signed by both its keys, or names no two keys.")
