"""A Log in memory, to which tests deliver records in any order, as often as they like."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from collector.log import Appended, Record
from probe.codecs.seal import SealedBatch
from probe.model import HOUR_MS, Network


class MemoryLog:
    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.files: dict[str, bytes] = {}
        self._known: set[tuple[str, str]] = set()

    def deliver(self, records: Iterable[Record]) -> Appended:
        """What `append` does with what it made of a batch."""
        cursor, fresh, known = len(self.batches) + 1, [], 0
        for record in records:
            identity = (record.key, record.measurement.uid)
            if identity in self._known:
                known += 1
                continue
            self._known.add(identity)
            fresh.append(msgspec.structs.replace(record, cursor=cursor))
        if fresh:
            self.batches.append(fresh)
        return Appended(len(fresh), known)

    async def append(
        self,
        batch: SealedBatch,
        data: bytes,
        received_ms: int,
        network: Network,
        resolver_networks: dict[str, Network],
    ) -> Appended:
        header = batch.header
        return self.deliver(
            Record(
                cursor=0,
                key=header.key,
                measurement=measurement,
                started_ms=measurement.started_ms,
                clock_known=True,
                received_ms=received_ms,
                network=network,
                resolver_networks=resolver_networks,
                targets=header.targets,
                software=header.software,
            )
            for measurement in batch.measurements
        )

    async def put_targets(self, digest: str, body: bytes) -> None:
        self.files[digest] = body

    def targets(self, digest: str) -> bytes | None:
        return self.files.get(digest)

    def cursor(self) -> int:
        return len(self.batches)

    def records(self, after: int, limit: int) -> list[Record]:
        return [record for batch in self.batches[after : after + limit] for record in batch]

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        return [r for r in self._all() if r.measurement.target == target and first_hour <= r.hour <= last_hour]

    def siblings(self, key: str, cycle: str, target: str | None = None) -> list[Record]:
        same = [r for r in self._all() if (r.key, r.measurement.cycle) == (key, cycle)]
        return [r for r in same if target in (None, r.measurement.target)]

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        return [
            r
            for r in self._all()
            if r.key in keys and since_ms <= r.started_ms < until_ms and target in (None, r.measurement.target)
        ]

    def _all(self) -> list[Record]:
        return [record for batch in self.batches for record in batch]


def hour_start(hour: int) -> int:
    return hour * HOUR_MS
