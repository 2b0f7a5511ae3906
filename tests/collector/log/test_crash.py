"""A collector that is killed while it is written to: what it acknowledged is there, once."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp

from collector.instance import LOG_DIRECTORY
from collector.judging import records
from collector.log.sqlite import SqliteLog
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from probe.submit.upload import UploadReport, upload
from tests.collector.batches import Volunteer

KILLS = 20
UPLOADERS = 4
BATCHES = 4  # that each of them adds before each kill
MEASUREMENTS = 3  # in a batch
ACKNOWLEDGED = 5  # before the kill, while others are under way


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


@asynccontextmanager
async def collector(data: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A real one, as a process; it is ended at the end, if it still runs."""
    command = [sys.executable, "-m", "collector", "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        said = (await process.stdout.readline()).decode()
        assert said.startswith("Listening on http://"), said
        yield process, said.split()[2].rstrip(".")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def kept(data: Path) -> Counter[tuple[str, str]]:
    """(key, uid) → how often a record of it stands in the log."""
    with closing(SqliteLog(data / LOG_DIRECTORY)) as log:
        batches = [records.opened(entry) for entry in log.read(0, 100_000)]
        each = [(batch.header.key, records.brief(batch, n)) for batch in batches for n in batch.numbers]
        return Counter((key, one.uid) for key, one in each)


def identities(uploader: Uploader, uids: set[str]) -> set[tuple[str, str]]:
    return {(uploader.volunteer.key, uid) for uid in uids}


async def kill_in_the_middle(data: Path, uploaders: list[Uploader]) -> None:
    """Serve, upload from all at once, and kill -9 at the fifth acknowledgement."""
    async with collector(data) as (process, url):
        count = itertools.count(1)

        def acknowledged() -> None:
            if next(count) == ACKNOWLEDGED:
                process.kill()

        for uploader in uploaders:
            uploader.on_acknowledged = acknowledged
        await asyncio.gather(*(uploader.upload(url) for uploader in uploaders))
        assert await process.wait() == -signal.SIGKILL


async def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    uploaders = [Uploader(tmp_path, number) for number in range(1, UPLOADERS + 1)]
    for _ in range(KILLS):
        for uploader in uploaders:
            for _ in range(BATCHES):
                uploader.measure()
        await kill_in_the_middle(data, uploaders)
        after = kept(data)
        for uploader in uploaders:
            assert identities(uploader, uploader.acknowledged) <= after.keys()
        assert set(after.values()) == {1}
    async with collector(data) as (process, url):
        for uploader in uploaders:
            uploader.on_acknowledged = lambda: None
            report = await uploader.upload(url)
            assert (report.refused, report.left, report.reason) == (0, 0, None)
    assert process.returncode == 0
    everything = {one for uploader in uploaders for one in identities(uploader, uploader.measured)}
    assert kept(data) == Counter(everything)


async def test_a_replay_is_known_and_a_poisoned_batch_holds_nobody_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    uploader = Uploader(tmp_path, 1)
    uploader.measure()
    async with collector(data) as (_, url):
        assert await uploader.upload(url) == UploadReport(sent=1)
        (replayed,) = uploader.sent.values()
        headers = {"Content-Type": "application/vnd.ringback.batch+gzip"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/v1/batches", data=replayed, headers=headers) as answer,
        ):
            said = await answer.json()
            assert (answer.status, said["stored"], said["known"]) == (200, 0, MEASUREMENTS)
        poison = uploader.put(gzip.compress(gzip.decompress(replayed).replace(b"whatsapp", b"telegram")), set())
        uploader.measure()
        assert await uploader.upload(url) == UploadReport(sent=1, refused=1)
    assert (tmp_path / "spool-1" / "refused" / poison.name).exists()
    assert kept(data) == Counter(identities(uploader, uploader.measured))
