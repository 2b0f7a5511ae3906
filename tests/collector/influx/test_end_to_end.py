"""A collector that is killed again and again, beside an InfluxDB that fails: in the end all is there, once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

from collector.facts import pseudonyms
from collector.facts.kept_targets import KeptTargets
from collector.front.access import TOKEN_FILE
from collector.front.batches import CONTENT_TYPE
from collector.influx.points import Points
from collector.influx.vocabulary import release_of
from collector.instance import TARGETS_DIRECTORY, WAREHOUSE_FILE
from collector.judging.evidence import TargetFiles
from collector.judging.rules import RULES
from collector.warehouse import outbox
from collector.warehouse.store import Warehouse
from probe import __version__
from probe import targets as targets_file
from tests.collector.batches import NOW_MS, Volunteer
from tests.collector.influx.sink import Clock, Sink, drained, forwarder
from tests.collector.influx.test_forwarder import said_by_influx, said_to_sink
from tests.patience import PATIENCE
from tests.servers.influx_shim import Failure, Shim, influx_shim
from tests.servers.influxd import Influxd

pytestmark = pytest.mark.needs("influxdb")

ROUNDS = 3
MEASUREMENTS = 5  # in a batch


@asynccontextmanager
async def collector(data: Path, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    command = [sys.executable, "-m", "collector", "serve", "--data", str(data), "--listen", "127.0.0.1:0", *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        said = (await process.stdout.readline()).decode()
        yield process, said.split()[2].rstrip(".")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def post(url: str, bodies: Sequence[bytes]) -> list[int]:
    """The statuses of the answers."""
    async with aiohttp.ClientSession() as session:
        statuses = []
        for body in bodies:
            async with session.post(f"{url}/v1/batches", data=body, headers={"Content-Type": CONTENT_TYPE}) as answer:
                statuses.append(answer.status)
        return statuses


async def until(data: Path, url: str, name: str, value: float) -> None:
    """Waits for a number among the collector's own."""
    headers = {"Authorization": f"Bearer {(data / TOKEN_FILE).read_text().strip()}"}
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(headers=headers) as session:
        while True:
            async with session.get(f"{url}/metrics") as answer:
                if f"\n{name} {value}\n" in await answer.text():
                    return
            await asyncio.sleep(0.05)


async def written(shim: Shim, before: int) -> None:
    """Waits for a write after the first `before`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if len(shim.writes) > before:
                return
            await asyncio.sleep(0.01)


def batches(volunteer: Volunteer, number: int) -> list[bytes]:
    started = [NOW_MS + (number * MEASUREMENTS + n) * 600_000 for n in range(MEASUREMENTS)]
    targets = ("whatsapp/chat", "viber/call")
    return [volunteer.seal([volunteer.measure(target, started_ms=at) for at in started]) for target in targets]


def expected(data: Path) -> set[frozenset[tuple[str, object]]]:
    """What a dictionary is told of everything in the warehouse of a collector that has ended."""
    sink, clock = Sink(), Clock()
    kept = KeptTargets(data / TARGETS_DIRECTORY)
    with closing(Warehouse(data / WAREHOUSE_FILE)) as warehouse:
        warehouse.change(outbox.mark_all)
        ids = frozenset(target.id for target in targets_file.packaged().targets)
        files, named = TargetFiles(kept, targets_file.parse), pseudonyms.load_or_create(data)
        points = Points(warehouse, RULES.cell, files, named, ids, release_of(__version__))
        forwarding = forwarder(warehouse, kept, sink.write, clock)
        forwarding._points = points
        drained(forwarding, clock)
    return said_to_sink(sink)


async def test_kills_and_failures_lose_nothing_and_double_nothing(
    tmp_path: Path, influxd_server: Influxd, influx_database: str
) -> None:
    influxd_server.create(f"{influx_database}_rollup")
    data, volunteers = tmp_path / "data", [Volunteer(number) for number in range(1, 4)]
    async with influx_shim(influxd_server) as shim:
        words = ("--influx", shim.url, "--influx-database", influx_database)
        for number in range(ROUNDS):
            shim.failures.extend([Failure(503), Failure(500, stored=True)] * (number % 2))
            before = len(shim.writes)
            async with collector(data, *words) as (process, url):
                for volunteer in volunteers:
                    assert await post(url, batches(volunteer, number)) == [200, 200]
                await written(shim, before)
                process.kill()
        shim.always = Failure(503, seconds=30)  # as good as not there: what arrives is taken and judged all the same
        async with collector(data, *words) as (_, url):
            for volunteer in volunteers:
                assert await post(url, batches(volunteer, ROUNDS)) == [200, 200]
            await until(data, url, "ringback_projection_cursor", 6.0 * (ROUNDS + 1))
            shim.always = None
        async with collector(data, *words) as (process, url):
            await until(data, url, "ringback_influx_broken", 0.0)
            await until(data, url, "ringback_influx_waiting", 0.0)
        assert process.returncode == 0
        said = await asyncio.to_thread(said_by_influx, influxd_server, influx_database)
    influxd_server.drop(f"{influx_database}_rollup")
    lasting = {row for row in said if ("measurement", "collector") not in row}
    assert lasting == await asyncio.to_thread(expected, data)
    verdicts = [row for row in lasting if ("measurement", "verdict") in row]
    assert len(verdicts) == len(volunteers) * 2 * MEASUREMENTS * (ROUNDS + 1)
    assert len(said) > len(lasting)
