"""The log: batches as received, durable, the only truth. Whatever else the collector shows is rebuilt from it.

It appends and reads envelopes, and nothing else: what can be asked of measurements is an index's to answer, which is
made of the log (collector/judging/index.py).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from msgspec import Struct

from probe.model import HOUR_MS, Measurement, Network


class Envelope(Struct, frozen=True, kw_only=True):
    """A batch as received, and the only facts that the collector adds to it; all else is derived."""

    received_ms: int  # by the collector's clock as it was
    network: Network  # of the source's address, which is forgotten
    named: dict[str, Network]  # prefix → network: of resolvers, of routers on the path, of what was dialled
    # Keyed hashes of the source under the secrets of the day and of the day before, 16 bytes each, 0 where not known;
    # one byte more where thousands of subscribers share the source (collector/facts/buckets.py).
    bucket: bytes | None = None  # None: received before there were buckets
    body: bytes  # exactly as received

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body: the identity of a batch."""
        return hashlib.sha256(self.body).digest()


class Entry(Struct, frozen=True):
    """An envelope at its place in the log. Later ones have greater positions; nothing else follows from a position."""

    position: int
    envelope: Envelope


class Appended(Struct, frozen=True):
    """Where a batch stands in the log; `is_new` is False when it stood there before."""

    position: int
    is_new: bool


class LogFull(Exception):
    """The disk refuses to keep more."""


class Log(Protocol):
    """The log's interface. `append` returns only after the envelope is on disk; the others are asked by any thread."""

    @property
    def id(self) -> str:
        """Names the log: a projection of another one is made again."""
        ...

    async def append(self, envelope: Envelope, sealed_ms: int) -> Appended:
        """Keeps an envelope, unless the same body is known; `sealed_ms`, of its header, says how far back to look."""
        ...

    def read(self, after: int, limit: int) -> list[Entry]:
        """At most `limit` envelopes whose positions are greater than `after`, in order."""
        ...

    def latest(self) -> int:
        """The position of the latest envelope; 0 when there is none."""
        ...


class Record(Struct, frozen=True, kw_only=True):
    """One measurement as it follows from its envelope."""

    cursor: int  # position of its batch in the log
    key: str
    measurement: Measurement
    started_ms: int  # corrected start; where the clock is unknown, the time of receipt
    clock_known: bool
    received_ms: int
    network: Network
    resolver_networks: dict[str, Network]  # prefix → network: of resolvers, and of routers on the path
    targets: str  # digest of the targets file that was measured
    software: str
    bucket: str | None = None  # as in the envelope, hex; None: received before there were any
    line: int = 0  # within its batch, counted from 1; 0: not known
    damage: str | None = None  # why it cannot be read any more, an exception's class; then `measurement` is a stub

    @property
    def hour(self) -> int:
        """The hour of the start, since 1970, UTC."""
        return self.started_ms // HOUR_MS
