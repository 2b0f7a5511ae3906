"""A Log in memory, and an Index of it, to which tests deliver records in any order, as often as they like."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from collector.facts.lines import Said, said
from collector.judging import records
from collector.judging.index import Arrived, Hour
from collector.log import Appended, Entry, Envelope, Record

Identity = tuple[str, str]  # key, uid
Rank = tuple[int, bytes]  # of receipt, digest: the least counts


class MemoryLog:
    """The log, its index at any time complete, and the targets files, in one."""

    id = "memory"

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.files: dict[str, bytes] = {}
        self._entries: dict[int, Entry] = {}
        self._positions: dict[bytes, int] = {}
        self._ranks: dict[Identity, Rank] = {}
        self._counting: dict[Identity, Record] = {}
        self._said: list[tuple[int, Said]] = []
        self._noticed: list[tuple[int, Record]] = []  # where there turned out to be two, and both

    def deliver(self, records: Iterable[Record], rank: Rank | None = None) -> None:
        """What `append` does with what it made of a batch. Without a rank, what comes first counts."""
        cursor = len(self.batches) + 1
        self.batches.append([])
        for given in records:
            record = msgspec.structs.replace(given, cursor=cursor)
            identity = (record.key, record.measurement.uid)
            own = rank or (cursor, b"")
            if identity not in self._ranks or own < self._ranks[identity]:
                if identity in self._ranks:
                    self._noticed += [(cursor, self._counting[identity]), (cursor, record)]
                self._ranks[identity], self._counting[identity] = own, record
            else:
                self._noticed += [(cursor, self._counting[identity]), (cursor, record)]
            self.batches[-1].append(record)

    def say(self, one: Said) -> None:
        """Has the latest batch say whom a key follows."""
        self._said.append((len(self.batches), one))

    async def append(self, envelope: Envelope, sealed_ms: int) -> Appended:
        if (known := self._positions.get(envelope.digest)) is not None:
            return Appended(known, is_new=False)
        entry = Entry(len(self.batches) + 1, envelope)
        self._entries[entry.position] = entry
        self._positions[envelope.digest] = entry.position
        batch = records.opened(entry)
        read = [records.record(batch, number) for number in batch.numbers]
        self.deliver(read, (envelope.received_ms, envelope.digest))
        if (one := said(batch.header, envelope.received_ms, envelope.digest)) is not None:
            self.say(one)
        return Appended(entry.position, is_new=True)

    def latest(self) -> int:
        return len(self.batches)

    def read(self, after: int, limit: int) -> list[Entry]:
        return [self._entries[position] for position in range(after + 1, len(self.batches) + 1)][:limit]

    def close(self) -> None: ...

    # --- The index

    def position(self) -> int:
        return len(self.batches)

    def extend(self, limit: int) -> int:
        return 0

    def arrived(self, after: int, limit: int) -> Arrived:
        upto = min(len(self.batches), after + limit)
        lines = [record for batch in self.batches[after:upto] for record in batch]
        competing = [record for noticed, record in self._noticed if after < noticed <= upto]
        counting = [r for r in lines if self._counting[r.key, r.measurement.uid] is r]
        return Arrived(upto, lines + competing, counting)

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        return [r for r in self.all() if r.measurement.target == target and first_hour <= r.hour <= last_hour]

    def during(self, target: str, since_ms: int, until_ms: int) -> list[Record]:
        return [r for r in self.all() if r.measurement.target == target and since_ms <= r.started_ms < until_ms]

    def siblings(self, key: str, cycle: str, target: str | None = None, round: int | None = None) -> list[Record]:
        same = [r for r in self.all() if (r.key, r.measurement.cycle) == (key, cycle)]
        same = [r for r in same if round in (None, r.measurement.round)]
        found = [r for r in same if target in (None, r.measurement.target)]
        return sorted(found, key=lambda r: (r.measurement.round, r.measurement.uid))

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        return [
            r
            for r in self.all()
            if r.key in keys and since_ms <= r.started_ms < until_ms and target in (None, r.measurement.target)
        ]

    def hours(self) -> set[Hour]:
        return {(r.measurement.target, r.hour) for r in self.all()}

    def successions(self, after: int, upto: int) -> list[Said]:
        return [one for position, one in self._said if after < position <= upto]

    def all(self) -> list[Record]:
        """The measurements that count."""
        return sorted(self._counting.values(), key=lambda r: (r.started_ms, r.key, r.measurement.uid))

    # --- Targets files

    def targets(self, digest: str) -> bytes | None:
        return self.files.get(digest)
