"""The log: batches as received, durable, the only truth. Whatever else the collector shows is rebuilt from it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

from probe.codecs.seal import SealedBatch
from probe.model import HOUR_MS, Measurement, Network


class Record(Struct, frozen=True, kw_only=True):
    """One measurement as it stands in the log, with what the collector added at ingest."""

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
    bucket: str | None = None  # keyed hash of the source on the day of receipt; None: received before there were any
    line: int = 0  # within its batch, counted from 1; 0: not known
    damage: str | None = None  # why it cannot be read any more, an exception's class; then `measurement` is a stub

    @property
    def hour(self) -> int:
        """The hour of the start, since 1970, UTC."""
        return self.started_ms // HOUR_MS


class Appended(Struct, frozen=True):
    stored: int
    known: int


class Conflict(Exception):
    """The same (key, uid) was received before with other bytes."""


class LogFull(Exception):
    """The disk refuses to keep more."""


class Log(Protocol):
    """`append` returns only after the batch is on disk. Everything else may be called from any one other thread."""

    async def append(
        self,
        batch: SealedBatch,
        data: bytes,
        received_ms: int,
        network: Network,
        resolver_networks: dict[str, Network],
    ) -> Appended: ...

    def cursor(self) -> int: ...

    def records(self, after: int, limit: int) -> list[Record]:
        """The measurements of at most `limit` batches that follow the cursor `after`, in the order of arrival."""
        ...

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        """The measurements of one target with first_hour ≤ hour ≤ last_hour."""
        ...

    def siblings(self, key: str, cycle: str, target: str | None = None) -> list[Record]:
        """The rounds of one target, or of all, in one cycle of one probe."""
        ...

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        """The measurements of these keys with since_ms ≤ started_ms < until_ms."""
        ...

    async def put_targets(self, digest: str, body: bytes) -> None: ...

    def targets(self, digest: str) -> bytes | None: ...
