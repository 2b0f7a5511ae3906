"""A collector that is killed while it is written to: what it acknowledged is there, once."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from probe.submit.upload import UploadReport
from tests.collector.uploaders import MEASUREMENTS, Uploader, identities, kept

KILLS = 20
UPLOADERS = 4
BATCHES = 4  # that each of them adds before each kill
ACKNOWLEDGED = 5  # before the kill, while others are under way


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
