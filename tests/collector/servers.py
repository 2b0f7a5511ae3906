"""A real collector on loopback for the tests, with a clock and limits that they set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import msgspec
from prometheus_client import CollectorRegistry

from collector.facts.buckets import Buckets
from collector.facts.collector_key import CollectorKey
from collector.facts.kept_targets import KeptTargets
from collector.facts.networks import Prefix, PrefixTable
from collector.facts.networks_file import TABLE_FILE, NetworksFile
from collector.front.access import OwnerAccess
from collector.front.batches import CONTENT_TYPE, INGEST_LIMITS, Ingest, IngestLimits
from collector.front.connections import Site
from collector.front.door import Door
from collector.front.limits import LIMITS
from collector.front.listening import open_socket
from collector.front.origins import Origins
from collector.front.server import create_app, runner
from collector.front.signed_gets import SignedGets
from collector.front.tickets import Tickets
from collector.instance import Parts
from collector.judging.index import SqliteIndex
from collector.judging.projector import Projector
from collector.judging.rules import Rules
from collector.log import Record
from collector.log.segment import writing_connection
from collector.log.sqlite import Open, SqliteLog
from collector.metrics import Metrics
from collector.warehouse.store import Warehouse
from probe.codecs.receipt import Receipt, is_for
from probe.codecs.seal import count_measurements
from probe.model import Network, Targets
from tests.collector.batches import NOW_MS
from tests.collector.judging.evidence import RULES, parse
from tests.collector.rows import PSEUDONYMS
from tests.patience import PATIENCE

TOKEN = "the-admin-token"
TARGETS = Targets(targets=(), digest="7" * 64, body=b"targets: {}\n")


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what happens soon, and fails when it does not."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


class Clock:
    """A wall clock that stands where it is set, in ms."""

    def __init__(self, now: int = NOW_MS) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Serving:
    """A collector that listens, and how to speak to it."""

    def __init__(self, parts: Parts, log: SqliteLog, session: aiohttp.ClientSession, url: str) -> None:
        self.parts, self.log, self.session, self.url = parts, log, session, url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def post(self, data: bytes, **headers: str) -> tuple[int, dict[str, object]]:
        """Status and JSON of the answer to an upload; a header is given with _ for -."""
        named = {"Content-Type": CONTENT_TYPE} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(f"{self.url}/v1/batches", data=data, headers=named) as answer:
            said = await answer.json()
        return answer.status, self._checked(said, data) if answer.status == 200 else said

    def _checked(self, said: dict[str, object], data: bytes) -> dict[str, object]:
        """What a receipt counts, once it is seen to be the collector's, and for these bytes."""
        given = msgspec.convert(said, Receipt)
        assert given.key == self.parts.key.key
        assert is_for(given, data, count_measurements(data))
        return {"stored": given.stored, "known": given.known}

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(f"{self.url}{path}", headers=named) as answer:
            return answer.status, await answer.text()

    def counted(self, outcome: str) -> float:
        return self.parts.metrics.registry.get_sample_value("ringback_batches_total", {"outcome": outcome}) or 0

    def records(self) -> list[Record]:
        """All that the log holds, in the order of arrival."""
        self.parts.projector.index()
        return self.parts.index.arrived(0, 100_000).records

    def is_empty(self) -> bool:
        return self.log.latest() == 0


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    connect: Open = writing_connection,
    limits: IngestLimits = INGEST_LIMITS,
    networks: Sequence[tuple[Prefix, Network]] = (),
    cgn: Sequence[Prefix] = (),
    proxies: tuple[Prefix, ...] = (),
    controls: frozenset[str] = frozenset(),
    owner: bool = True,
    rules: Rules = RULES,
    targets: Targets = TARGETS,
    simulated: bool = False,
    clock: Callable[[], int] = lambda: NOW_MS,
    door: Door | None = None,
) -> AsyncIterator[Serving]:
    """Files in `directory`. The session is the owner's, or anybody's."""
    metrics = Metrics(CollectorRegistry())
    kept = KeptTargets(directory / "targets")
    with (
        closing(SqliteLog(directory / "log", connect)) as log,
        closing(SqliteIndex(directory / "index.sqlite", log)) as index,
        closing(Warehouse(None)) as warehouse,
    ):
        projector = Projector(log, index, kept, warehouse, controls, rules=rules, parse=parse)
        key = CollectorKey(bytes(32))
        table = PrefixTable(networks, cgn)
        path = directory / TABLE_FILE
        buckets = Buckets(directory / "buckets.key", clock)
        tickets = Tickets(table, buckets, key, clock, proxies)
        origins = Origins(table, buckets, tickets, proxies)
        ingest = Ingest(
            log, table, key, origins, metrics, clock, projector.announce, simulated=simulated, limits=limits
        )
        parts = Parts(
            log=log,
            index=index,
            kept_targets=kept,
            ingest=ingest,
            projector=projector,
            warehouse=warehouse,
            targets=targets,
            controls=controls,
            key=key,
            networks=NetworksFile(path, (), clock, optional=True),
            tickets=tickets,
            signed_gets=SignedGets(controls, key, clock),
            pseudonyms=PSEUDONYMS,
            metrics=metrics,
            now_ms=clock,
            blocked=frozenset,
        )
        limits = door.limits if door is not None else LIMITS
        served = runner(create_app(parts, OwnerAccess(TOKEN, clock), limits), door)
        await served.setup()
        try:
            site = Site(served, open_socket("127.0.0.1", 0))
            await site.start()
            headers = {"Authorization": f"Bearer {TOKEN}"} if owner else {}
            async with aiohttp.ClientSession(auto_decompress=False, headers=headers) as session:
                yield Serving(parts, log, session, f"http://127.0.0.1:{served.addresses[0][1]}")
        finally:
            await served.cleanup()
