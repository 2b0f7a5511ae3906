"""Source buckets: which lines share a source, without a word about which source it is (design.md, section 1).

    DATA/buckets.key   {"day":…,"secret":"<32 hex digits>","before":"<32 hex digits>"}, for its owner alone

A bucket is a keyed hash of the source's /24 or /48; where a carrier's NAT puts thousands behind one address, with the
block of 1,024 ports. Its first 6 bytes are a keyed hash of the wider prefix alone, the /16 or /32, so that those of one
wider prefix can be told. Buckets made before there was such a part are each of a wider prefix of its own.

The secret is another each UTC day. That of the day before is kept too, so that two days can be compared within 24
hours, and then none can be made again, by anybody.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.facts.networks import Address, parse_address
from probe import durable
from probe.failure import UserError
from probe.judge.cells import SHARED

FILE = "buckets.key"
SECRET_BYTES, BUCKET_BYTES = 16, 16
WIDER_BYTES = 6  # of a bucket, at its beginning
DAY_MS = 86_400_000
PORTS = 1_024  # of a block that a carrier's NAT gives one line
BITS = {4: 24, 6: 48}
WIDER_BITS = {4: 16, 6: 32}
NOWHERE = "0" * 32  # of a source that is not known; all such are one

Held = tuple[str, str]  # under the secret of a day, and of the day before it; NOWHERE where it is not known


class Bucket(Struct, frozen=True):
    """A source's bucket under the secret of `day` (since 1970) and that of the day before, 32 hex digits each."""

    bucket: str = NOWHERE
    before: str = NOWHERE
    day: int = 0

    def held(self, day: int) -> Held:
        """What an envelope of `day` holds of it: the hashes under that day's secret and under the day's before."""
        known = {self.day: self.bucket, self.day - 1: self.before}
        return known.get(day, NOWHERE), known.get(day - 1, NOWHERE)


def packed(held: Held, *, shared: bool = False) -> bytes:
    """The two hashes as an envelope keeps them, 32 bytes, and one more where thousands share the source."""
    return bytes.fromhex("".join(held)) + (b"\1" if shared else b"")


def of_day(kept: str, days: int) -> str:
    """The bucket, so many days before the one of an envelope: hex, and SHARED where thousands share it.
    NOWHERE where it is not known.
    """
    digits = 2 * BUCKET_BYTES
    bucket = kept[days * digits :][:digits] if days in (0, 1) else ""
    if bucket in ("", NOWHERE):
        return NOWHERE
    return bucket + SHARED if len(kept) > 2 * digits else bucket


def wider(bucket: str) -> str:
    """What the buckets of one day and one wider prefix have in common."""
    return bucket[: 2 * WIDER_BYTES]


class _Secrets(Struct, frozen=True, kw_only=True):
    day: int
    secret: str
    before: str


class Buckets:
    """`now_ms` is the wall clock. Raises UserError when the secrets cannot be read or kept."""

    def __init__(
        self, path: Path, now_ms: Callable[[], int], random_hex: Callable[[int], str] = secrets.token_hex
    ) -> None:
        self._path, self._now_ms, self._random_hex = path, now_ms, random_hex
        self._lock = threading.Lock()
        self._secrets = _read(path)
        self._today()

    def of(self, address: str, port: int | None = None) -> Bucket:
        """The bucket of a source; `port` where its network is behind a carrier's NAT."""
        parsed, today = parse_address(address), self._today()
        if parsed is None:
            return Bucket()
        block = b"" if port is None else (port // PORTS).to_bytes(2)
        wide, narrow = _named(parsed, WIDER_BITS), _named(parsed, BITS) + block
        return Bucket(_hash(wide, narrow, today.secret), _hash(wide, narrow, today.before), today.day)

    def _today(self) -> _Secrets:
        """The secrets of now; at midnight others, and the oldest is gone. A clock that goes back changes nothing."""
        day = self._now_ms() // DAY_MS
        with self._lock:
            kept = self._secrets
            if kept is None or kept.day < day:
                before = kept.secret if kept is not None and kept.day == day - 1 else self._random_hex(SECRET_BYTES)
                kept = _Secrets(day=day, secret=self._random_hex(SECRET_BYTES), before=before)
                _write(self._path, kept)
                self._secrets = kept
            return kept


def _named(address: Address, bits: Mapping[int, int]) -> bytes:
    """The prefix of an address that has so many bits, by IP version."""
    prefix = int(address) >> (address.max_prefixlen - bits[address.version])
    return bytes([address.version]) + prefix.to_bytes(6)


def _hash(wide: bytes, narrow: bytes, secret: str) -> str:
    key = bytes.fromhex(secret)
    first = hashlib.blake2s(wide, key=key, digest_size=WIDER_BYTES, person=b"wider")
    return first.hexdigest() + hashlib.blake2s(narrow, key=key, digest_size=BUCKET_BYTES - WIDER_BYTES).hexdigest()


def _read(path: Path) -> _Secrets | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Secrets)
        return kept if all(len(bytes.fromhex(each)) == SECRET_BYTES for each in (kept.secret, kept.before)) else None
    except (FileNotFoundError, ValueError, msgspec.MsgspecError):
        return None  # of a day's secret nothing depends but that day
    except OSError as error:
        raise UserError(f"The buckets' secrets {path} cannot be read: {error.strerror}.") from error


def _write(path: Path, kept: _Secrets) -> None:
    try:
        durable.write(path, msgspec.json.encode(kept) + b"\n")
    except OSError as error:
        raise UserError(f"The buckets' secrets {path} cannot be kept: {error.strerror}.") from error
