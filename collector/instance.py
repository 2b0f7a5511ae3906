"""An instance: a data directory, its lock, and the parts of the collector that works in it.

    DATA/lock  log/  targets/  index.sqlite  warehouse.duckdb  admin.token  collector.key  pseudonyms.key
    buckets.key

One process at a time holds a data directory; `lock` says so before any file is touched, and where that one listens.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypedDict

from msgspec import Struct
from prometheus_client import CollectorRegistry

from collector.facts import buckets, collector_key, operators, pseudonyms
from collector.facts.buckets import Buckets
from collector.facts.collector_key import CollectorKey
from collector.facts.kept_targets import KeptTargets
from collector.facts.networks_file import TABLE_FILE, NetworksFile
from collector.facts.own_clock import EARLIEST_MS, OwnClock
from collector.facts.pseudonyms import Pseudonyms
from collector.front.batches import Ingest
from collector.front.origins import Origins
from collector.front.signed_gets import SignedGets
from collector.front.source import read_prefixes
from collector.front.tickets import Tickets
from collector.influx.client import Client, Server
from collector.influx.events import Told
from collector.influx.forwarder import Forwarder
from collector.influx.points import Points
from collector.influx.vitals import Vitals
from collector.influx.vocabulary import release_of
from collector.judging.controls import control_keys
from collector.judging.evidence import TargetFiles
from collector.judging.forgetting import Forgetting, forget
from collector.judging.frozen import Frozen
from collector.judging.index import SqliteIndex
from collector.judging.process.messages import Start
from collector.judging.process.parent import JudgingProcess
from collector.judging.projector import Projector
from collector.judging.retention import Retention
from collector.judging.rules import Rules
from collector.log import Log, freezes, moving, operator, soundness
from collector.log.sqlite import SqliteLog
from collector.metrics import Metrics
from collector.warehouse import owed
from collector.warehouse.store import Warehouse
from probe import __version__, durable
from probe import targets as targets_file
from probe.failure import UserError
from probe.model import Targets

logger = logging.getLogger(__name__)

CLOCK_BEHIND = (
    "This machine's clock is behind what was received last, or behind this program's date: nothing is received until it"
    " is right. Set it; if it was wrong before and is right now, start with --trust-clock."
)

LOOK_S = 0.2  # between two looks at how far the projection is
LOCK_FILE, LOG_DIRECTORY, TARGETS_DIRECTORY = "lock", "log", "targets"
INDEX_FILE, WAREHOUSE_FILE = "index.sqlite", "warehouse.duckdb"
OLD_LOG_FILE = "log.sqlite"  # of a directory that was not opened since the log has a file a day
OURS = (
    *("lock", "log*", "targets", "index*", "warehouse*", "*.token", "*.secret", "*.key"),
    *("networks.csv", TABLE_FILE, "page.html", "probe"),
)


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command line; None and () where not given."""

    data: Path
    networks: Path | None = None
    targets: Path | None = None
    control_keys: tuple[str, ...] = ()
    simulated: bool = False  # takes what is simulated only; every line is established and a source of its own
    trusted_proxies: tuple[str, ...] = ()
    influx: Server | None = None
    trust_clock: bool = False  # whatever the log says of the time
    keep_bodies: int | None = None  # for how many days; None: no body goes


class Parts(Struct, frozen=True, kw_only=True):
    """The parts of a collector. `controls` are keys in hex; `targets` is the file that probes are told to use."""

    log: Log
    index: SqliteIndex
    kept_targets: KeptTargets
    ingest: Ingest
    projector: Projector
    warehouse: Warehouse
    targets: Targets
    controls: frozenset[str]
    key: CollectorKey
    pseudonyms: Pseudonyms
    networks: NetworksFile
    tickets: Tickets
    signed_gets: SignedGets
    metrics: Metrics
    now_ms: Callable[[], int]
    blocked: Callable[[], frozenset[str]]  # the keys that count for nothing now, hex
    forwarder: Forwarder | None = None  # where there is an InfluxDB
    simulated: bool = False  # takes what is simulated only


class DirectoryInUse(UserError):
    """Another process holds the data directory; `address` is where it listens, None when it does not, or not yet."""

    def __init__(self, data: Path, address: str | None) -> None:
        super().__init__(f"Another ringback-collector runs on {data}: stop it, or give another --data.")
        self.address = address


def holds_log(data: Path) -> bool:
    return (data / LOG_DIRECTORY).exists() or (data / OLD_LOG_FILE).exists()


def require_log(data: Path) -> None:
    """Requires a collector's files: what cares for them must not make new ones. Raises UserError."""
    if not holds_log(data):
        raise UserError(f"{data} holds no log: give --data, the directory of a collector.")


@contextmanager
def opened(
    options: Options,
    rules: Rules,
    clock: Callable[[], int] | None = None,
    told: Sequence[Told] = (),
    *,
    apart: bool = False,
) -> Iterator[Parts]:
    """The parts of a collector; closes the files at the end. Raises UserError.

    `clock` gives the time in ms; None: this machine's. Another one is for what is simulated, as is what is `told`.
    `apart`: it judges in a process of its own while it runs, by the rules of this version whatever `rules` are.
    """
    trusted = options.trust_clock or clock is not None
    clock = clock or now_ms
    targets = targets_file.packaged() if options.targets is None else targets_file.load(options.targets)
    controls = control_keys(options.control_keys)
    proxies = read_prefixes(options.trusted_proxies)
    metrics = Metrics(CollectorRegistry())
    networks = _networks(options, clock, metrics)
    with (
        held(options.data),
        closing(_log(options.data, kept := KeptTargets(options.data / TARGETS_DIRECTORY))) as log,
        closing(SqliteIndex(options.data / INDEX_FILE, log, (frozen := _frozen(options.data)).freezes)) as index,
        closing(Warehouse(options.data / WAREHOUSE_FILE)) as warehouse,
        nullcontext() if options.influx is None else closing(Client(options.influx)) as client,
    ):
        key, lines = collector_key.load_or_create(options.data), pseudonyms.load_or_create(options.data)
        working = _working(options, log, index, warehouse, frozen, metrics, key)
        if apart:
            working["elsewhere"] = _elsewhere(options, controls, log, index, warehouse)
        projector = Projector(log, index, kept, warehouse, controls, rules=rules, parse=targets_file.parse, **working)
        points = _points(warehouse, rules, kept, lines, targets, told)
        vitals = Vitals(log, warehouse, targets, metrics.registry, clock, networks.age_ms)
        forwarder = Forwarder(warehouse, points, client.write, metrics, clock, vitals.lines) if client else None
        own = _own_clock(clock, log, metrics, trusted=trusted)
        sources = Buckets(options.data / buckets.FILE, clock)
        tickets = Tickets(networks, sources, key, own.now_ms, proxies)
        origins = Origins(networks, sources, tickets, proxies)

        def stored() -> None:
            own.kept()
            projector.announce()

        yield Parts(
            log=log,
            index=index,
            kept_targets=kept,
            ingest=Ingest(log, networks, key, origins, metrics, own.now_ms, stored, simulated=options.simulated),
            projector=projector,
            warehouse=warehouse,
            targets=targets,
            controls=controls,
            key=key,
            pseudonyms=lines,
            networks=networks,
            tickets=tickets,
            signed_gets=SignedGets(controls, key, now_ms, working["blocked"]),
            metrics=metrics,
            now_ms=clock,
            blocked=working["blocked"],
            forwarder=forwarder,
            simulated=options.simulated,
        )


def _points(
    warehouse: Warehouse,
    rules: Rules,
    kept: KeptTargets,
    lines: Pseudonyms,
    targets: Targets,
    told: Sequence[Told],
) -> Points:
    """What makes points for an InfluxDB."""
    files, ids = TargetFiles(kept, targets_file.parse), frozenset(target.id for target in targets.targets)
    return Points(warehouse, rules.cell, files, lines, ids, release_of(__version__), told=told)


def _own_clock(clock: Callable[[], int], log: Log, metrics: Metrics, *, trusted: bool) -> OwnClock:
    """The clock, held against what the log says of the time, unless it is trusted."""
    own = OwnClock(clock, 0 if trusted else _newest_ms(log), 0 if trusted else EARLIEST_MS)
    metrics.clock_behind.set_function(lambda: own.behind_ms() / 1000)
    if own.behind_ms():
        logger.warning(CLOCK_BEHIND)
    return own


def _frozen(data: Path) -> Frozen:
    """What is frozen in the log of a data directory. Raises UserError."""
    freezes.drop_older(data / LOG_DIRECTORY)
    return Frozen(data / LOG_DIRECTORY)


def _rest(
    options: Options, log: SqliteLog, index: SqliteIndex, warehouse: Warehouse, frozen: Frozen, metrics: Metrics
) -> Callable[[], None]:
    """What the projector does when all is judged: old bodies go, where this was asked for."""
    if options.keep_bodies is None:
        return lambda: None
    return Retention(
        log,
        index,
        warehouse,
        frozen,
        days=options.keep_bodies,
        holds=operator.held_in(options.data / LOG_DIRECTORY),
        gone=metrics.bodies_gone,
        clock=time.monotonic,
    ).run


def _elsewhere(
    options: Options, controls: frozenset[str], log: SqliteLog, index: SqliteIndex, warehouse: Warehouse
) -> JudgingProcess:
    """The process that judges for this one."""
    start = Start(
        log=str(options.data / LOG_DIRECTORY),
        index=str(options.data / INDEX_FILE),
        targets=str(options.data / TARGETS_DIRECTORY),
        warehouse=str(options.data / WAREHOUSE_FILE),
        controls=controls,
        told=options.simulated,
        is_ahead=warehouse.cursor() > log.latest(),
    )
    return JudgingProcess(start, warehouse, index)


def _networks(options: Options, clock: Callable[[], int], metrics: Metrics) -> NetworksFile:
    """The table of networks that was named; else the data directory's own, which may lack. Raises UserError."""
    own = options.data / TABLE_FILE
    path = options.networks or own
    networks = NetworksFile(path, operators.packaged(), clock, optional=path == own)
    metrics.networks_age.set_function(lambda: _seconds(networks.age_ms()))
    return networks


def _seconds(ms: int | None) -> float:
    return math.nan if ms is None else ms / 1000


class _Working(TypedDict):
    told: bool
    blocked: Callable[[], frozenset[str]]
    frozen: Frozen
    at_rest: Callable[[], None]
    forget: Callable[[Callable[[], None]], None]
    elsewhere: JudgingProcess | None


def _working(
    options: Options,
    log: SqliteLog,
    index: SqliteIndex,
    warehouse: Warehouse,
    frozen: Frozen,
    metrics: Metrics,
    key: CollectorKey,
) -> _Working:
    """What a projector works with, beside what it keeps up. Raises UserError."""
    forgetting = Forgetting(options.data / LOG_DIRECTORY, log, frozen, key.key, key.sign)
    return {
        "told": options.simulated,
        "blocked": _blocked(options.data),
        "frozen": frozen,
        "at_rest": _rest(options, log, index, warehouse, frozen, metrics),
        "forget": partial(forget, forgetting, index, warehouse),
        "elsewhere": None,
    }


def _blocked(data: Path) -> Callable[[], frozenset[str]]:
    """Asks who is blocked; once now, so that a collector which cannot know it does not start. Raises UserError."""
    blocked = operator.blocked_in(data / LOG_DIRECTORY)
    blocked()
    return blocked


def _newest_ms(log: Log) -> int:
    """When the newest batch was received; 0 where there is none."""
    return max((entry.envelope.received_ms for entry in log.read(log.latest() - 1, 1)), default=0)


def _log(data: Path, kept: KeptTargets) -> SqliteLog:
    """The log of a data directory, moved to a file a day where it is an old one's. Raises UserError."""
    moving.move(data / OLD_LOG_FILE, data / LOG_DIRECTORY, kept.put)
    return SqliteLog(data / LOG_DIRECTORY)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def is_judged(warehouse: Warehouse, cursor: int) -> bool:
    """Whether all up to this position in the log is judged, and added up to cells."""
    return warehouse.cursor() >= cursor and not warehouse.select(owed.ANY)


async def judged(parts: Parts, cursor: int) -> None:
    """Waits until all up to this position in the log is judged and added up."""
    while True:
        if await asyncio.to_thread(is_judged, parts.warehouse, cursor):
            return
        await asyncio.sleep(LOOK_S)


def glance_at_log(data: Path) -> None:
    """Says in the operator's log when the newest part of the log is damaged; it is kept and served all the same."""
    for path in soundness.files(data)[-1:]:
        for fault in soundness.glance(path).faults:
            logger.error("The log is damaged: %s `ringback-collector verify --data %s` tells all.", fault, data)


def running_at(data: Path) -> str:
    """The base URL of the collector that holds a data directory. Raises UserError when none does, or not yet."""
    require_log(data)
    with open(data / LOCK_FILE) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            address = file.read()
        else:
            address = ""
    if not address:
        raise UserError(f"No ringback-collector listens for {data}: start it with `serve` or `local`.")
    return address


def _tighten(data: Path) -> None:
    """Closes to others what is ours in the directory; whatever else stands there is not touched."""
    loose = durable.tighten(path for pattern in OURS for path in data.glob(pattern))
    if loose:
        logger.warning("Until now, others on this machine could read %d of the files in %s.", loose, data)


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Holds the data directory, which is made when it lacks. Raises UserError when another process has it."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"The data directory {data} cannot be used: {error.strerror}. Give another.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise DirectoryInUse(data, (data / LOCK_FILE).read_text() or None) from error
        raise
    try:
        os.truncate(descriptor, 0)  # who held it before listens no more
        _tighten(data)
        yield
    finally:
        os.close(descriptor)
