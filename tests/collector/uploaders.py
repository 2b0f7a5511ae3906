"""Probes that upload to a collector which may be killed, and what must be in its log afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiohttp

from collector.instance import LOG_DIRECTORY
from collector.judging import records
from collector.log.sqlite import SqliteLog
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from probe.submit.upload import UploadReport, upload
from tests.collector.batches import Volunteer

Identity = tuple[str, str]  # key, uid
MEASUREMENTS = 3  # in a batch
READ_AT_ONCE = 500


class Uploader:
    """A probe with a spool, which tells when the collector has acknowledged a batch."""

    def __init__(self, directory: Path, number: int) -> None:
        self.volunteer = Volunteer(number)
        self.spool = _TellingSpool(directory / f"spool-{number}", self._acknowledged)
        self.pins = Pins(directory / f"spool-{number}")
        self.sent: dict[str, bytes] = {}  # file name → batch
        self.measured: set[str] = set()
        self.acknowledged: set[str] = set()
        self.on_acknowledged: Callable[[], None] = lambda: None
        self._uids: dict[str, set[str]] = {}

    def measure(self) -> None:
        seen = [self.volunteer.measure() for _ in range(MEASUREMENTS)]
        self.put(self.volunteer.seal(seen), {one.uid for one in seen})

    def put(self, data: bytes, uids: set[str]) -> Path:
        path = self.spool.put(self.volunteer.number(), data)
        self.sent[path.name], self._uids[path.name] = data, uids
        self.measured |= uids
        return path

    async def upload(self, url: str) -> UploadReport:
        async with aiohttp.ClientSession() as session:
            return await upload(self.spool, Collector(url), self.pins, session=session, attempts=1)

    def _acknowledged(self, path: Path) -> None:
        self.acknowledged |= self._uids[path.name]
        self.on_acknowledged()


class _TellingSpool(Spool):
    def __init__(self, directory: Path, tell: Callable[[Path], None]) -> None:
        super().__init__(directory)
        self._tell = tell

    def accepted(self, path: Path) -> None:
        super().accepted(path)
        self._tell(path)


def kept(data: Path, after: int = 0) -> Counter[Identity]:
    """(key, uid) → how often a record of it stands in the log, behind a position."""
    found: Counter[Identity] = Counter()
    with closing(SqliteLog(data / LOG_DIRECTORY)) as log:
        position = after
        while entries := log.read(position, READ_AT_ONCE):
            position = entries[-1].position
            for batch in map(records.opened, entries):
                found.update((batch.header.key, records.brief(batch, number).uid) for number in batch.numbers)
    return found


def identities(uploader: Uploader, uids: set[str]) -> set[Identity]:
    return {(uploader.volunteer.key, uid) for uid in uids}
