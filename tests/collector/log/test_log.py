"""What every Log promises, and what the SQLite one adds. A new log is a row in LOGS."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from collector.log import Appended, Conflict, Log, LogFull, schema
from collector.log.inflated import InflatedBodies
from collector.log.sqlite import SqliteLog
from probe.codecs.seal import encode
from probe.failure import UserError
from probe.model import HOUR_MS, Measurement, Network
from tests.collector.batches import NOW_MS, Volunteer, opened

HOUR = NOW_MS // HOUR_MS
NETWORK = Network(country="MA", asn=36903, operator="Maroc Telecom")
RESOLVERS = {"212.217.0.0/16": NETWORK}
OTHER_BYTES = b'{"later":"field",'  # in place of the opening brace: other bytes, the same meaning


class ClosableLog(Log, Protocol):
    def close(self) -> None: ...


LOGS: dict[str, Callable[[Path], ClosableLog]] = {"sqlite": lambda directory: SqliteLog(directory / "log.sqlite")}


@pytest.fixture(params=LOGS)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], ClosableLog]]:
    """Closes the log, if it was open, and opens it again."""
    current: list[ClosableLog] = []

    def opens() -> ClosableLog:
        if current:
            current.pop().close()
        current.append(LOGS[request.param](tmp_path))
        return current[-1]

    yield opens
    if current:
        current.pop().close()


@pytest.fixture
def log(reopen: Callable[[], ClosableLog]) -> Log:
    return reopen()


async def append(log: Log, data: bytes, received_ms: int = NOW_MS) -> Appended:
    return await log.append(*opened(data), received_ms, NETWORK, RESOLVERS)


async def test_a_record_is_what_was_sent_and_what_the_collector_added(log: Log) -> None:
    one = Volunteer()
    seen = one.measure("whatsapp/chat", started_ms=NOW_MS - 500)
    assert await append(log, one.seal([seen]), received_ms=NOW_MS + 7) == Appended(stored=1, known=0)
    (record,) = log.records(0, 10)
    assert record.measurement == seen
    assert (record.key, record.cursor, record.software, record.targets) == (one.key, 1, "ringback 0.1", "d" * 64)
    assert (record.started_ms, record.clock_known, record.received_ms) == (NOW_MS - 500, True, NOW_MS + 7)
    assert (record.network, record.resolver_networks) == (NETWORK, RESOLVERS)


async def test_unknown_clock_stands_under_its_receipt(log: Log) -> None:
    one = Volunteer()
    await append(log, one.seal([one.measure(started_ms=5, clock_offset_ms=None)], sealed_ms=9))
    (record,) = log.measurements("whatsapp/chat", HOUR, HOUR)
    assert (record.started_ms, record.clock_known, record.measurement.started_ms) == (NOW_MS, False, 5)


async def test_records_come_by_batches_in_the_order_of_arrival(log: Log) -> None:
    one, other = Volunteer(1), Volunteer(2)
    assert log.cursor() == 0
    assert log.records(0, 10) == []
    for volunteer in (one, other, one):
        await append(log, volunteer.seal([volunteer.measure(), volunteer.measure("signal/call")]))
    assert log.cursor() == 3
    assert [(record.cursor, record.measurement.target) for record in log.records(1, 1)] == [
        (2, "whatsapp/chat"),
        (2, "signal/call"),
    ]
    assert [record.cursor for record in log.records(1, 10)] == [2, 2, 3, 3]
    assert log.records(3, 10) == []


async def test_what_is_kept_is_there_after_opening_again(reopen: Callable[[], ClosableLog]) -> None:
    one = Volunteer()
    data = one.seal([one.measure()])
    await append(reopen(), data)
    log = reopen()
    assert log.cursor() == 1
    assert await append(log, data) == Appended(stored=0, known=1)
    await append(log, one.seal([one.measure()]))
    assert [record.cursor for record in log.records(0, 10)] == [1, 2]


async def test_a_batch_received_again_is_known(log: Log) -> None:
    one = Volunteer()
    first, second = one.measure(), one.measure()
    await append(log, one.seal([first]))
    assert await append(log, one.seal([first])) == Appended(stored=0, known=1)
    assert log.cursor() == 1
    assert await append(log, one.seal([first, second])) == Appended(stored=1, known=1)
    assert [record.measurement for record in log.records(0, 10)] == [first, second]


async def test_two_keys_may_use_one_uid(log: Log) -> None:
    one, other = Volunteer(1), Volunteer(2)
    await append(log, one.seal([one.measure()]))
    assert await append(log, other.seal([other.measure()])) == Appended(stored=1, known=0)


async def test_other_bytes_under_a_known_uid_are_a_conflict_and_nothing_is_kept(log: Log) -> None:
    one = Volunteer()
    seen, fresh = one.measure(), one.measure()
    await append(log, one.seal([seen]))
    altered = OTHER_BYTES + encode(seen)[1:]
    with pytest.raises(Conflict, match=seen.uid):
        await append(log, one.seal_lines([encode(fresh), altered]))
    assert [record.measurement for record in log.records(0, 10)] == [seen]
    assert await append(log, one.seal([fresh])) == Appended(stored=1, known=0)


async def test_measurements_of_a_target_by_hour(log: Log) -> None:
    one = Volunteer()
    edges = [HOUR * HOUR_MS - 1, HOUR * HOUR_MS, (HOUR + 1) * HOUR_MS - 1, (HOUR + 1) * HOUR_MS]
    seen = [one.measure(started_ms=started) for started in reversed(edges)]
    await append(log, one.seal([*seen, one.measure("signal/call")]), received_ms=NOW_MS + 2 * HOUR_MS)
    found = log.measurements("whatsapp/chat", HOUR, HOUR)
    assert [record.started_ms for record in found] == edges[1:3]
    assert len(log.measurements("whatsapp/chat", HOUR - 1, HOUR + 1)) == 4


async def test_siblings_are_the_rounds_of_one_cycle(log: Log) -> None:
    one, other = Volunteer(1), Volunteer(2)
    second, first = one.measure(round=2), one.measure(round=1)
    await append(log, one.seal([second, one.measure("signal/call"), one.measure(cycle="e" * 32)]))
    await append(log, one.seal([first]))
    await append(log, other.seal([other.measure()]))
    assert [record.measurement for record in log.siblings(one.key, "c" * 32, "whatsapp/chat")] == [first, second]


async def test_by_keys(log: Log) -> None:
    volunteers = [Volunteer(number) for number in (1, 2, 3)]
    for volunteer in volunteers:
        await append(
            log, volunteer.seal([volunteer.measure(), volunteer.measure("signal/call", started_ms=NOW_MS - 1)])
        )
    keys = {volunteer.key for volunteer in volunteers[:2]}
    assert {record.key for record in log.by_keys(keys, NOW_MS - 1, NOW_MS + 1)} == keys
    assert {record.measurement.target for record in log.by_keys(keys, NOW_MS, NOW_MS + 1)} == {"whatsapp/chat"}
    assert len(log.by_keys(keys, NOW_MS - 1, NOW_MS + 1, "signal/call")) == 2
    assert log.by_keys([], 0, 2 * NOW_MS) == []
    assert log.by_keys(keys, NOW_MS - 1, NOW_MS - 1) == []


async def test_targets_files_are_kept_by_digest(log: Log) -> None:
    assert log.targets("a" * 64) is None
    await log.put_targets("a" * 64, b"targets: []\n")
    await log.put_targets("a" * 64, b"targets: []\n")
    assert log.targets("a" * 64) == b"targets: []\n"


async def test_many_at_once_are_all_kept_and_one_refused_harms_no_other(log: Log) -> None:
    volunteers = [Volunteer(number) for number in range(1, 41)]
    liar = Volunteer(99)
    seen = liar.measure()
    await append(log, liar.seal([seen]))
    batches = [volunteer.seal([volunteer.measure(), volunteer.measure()]) for volunteer in volunteers]
    batches.insert(7, liar.seal_lines([OTHER_BYTES + encode(seen)[1:]]))
    outcomes = await asyncio.gather(*(append(log, data) for data in batches), return_exceptions=True)
    assert isinstance(outcomes.pop(7), Conflict)
    assert outcomes == [Appended(stored=2, known=0)] * 40
    assert len(log.records(0, 100)) == 81


async def test_reading_from_another_thread_while_it_is_written(log: Log) -> None:
    one = Volunteer()
    for expected in range(1, 6):
        await append(log, one.seal([one.measure()]))
        assert await asyncio.to_thread(log.cursor) == expected
        assert len(await asyncio.to_thread(log.records, 0, 10)) == expected


async def test_one_who_gives_up_waiting_disturbs_nobody(log: Log) -> None:
    one = Volunteer()
    tasks = [asyncio.ensure_future(append(log, one.seal([one.measure()]))) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes.pop(2), asyncio.CancelledError)
    assert outcomes == [Appended(stored=1, known=0)] * 4


# --- SQLite -----------------------------------------------------------------------------------------------------


class Disk:
    """Opens the log's writing connections, with room for so many pages of 4 kB; 0 is no limit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pages = 0
        self.open = threading.Event()
        self.open.set()
        self.statements: list[str] = []

    def connect(self) -> sqlite3.Connection:
        self.open.wait()
        connection = schema.writing_connection(self.path)
        if self.pages:
            connection.execute(f"PRAGMA max_page_count = {self.pages}")
        connection.set_trace_callback(self.statements.append)
        return connection


def bulky(volunteer: Volunteer) -> list[Measurement]:
    return [volunteer.measure() for _ in range(50)]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "log.sqlite")


@pytest.fixture
def small_log(disk: Disk) -> Iterator[SqliteLog]:
    disk.pages = 40
    log = SqliteLog(disk.path, disk.connect)
    yield log
    log.close()


async def test_a_full_disk_keeps_nothing_of_a_batch_and_the_next_is_kept_when_there_is_room(
    disk: Disk, small_log: SqliteLog
) -> None:
    one = Volunteer()

    async def fill() -> None:
        while True:
            await append(small_log, one.seal(bulky(one)))

    with pytest.raises(LogFull, match="full"):
        await fill()
    kept = small_log.cursor()
    assert kept > 0
    assert len(small_log.records(0, 100)) == 50 * kept
    disk.pages = 0
    assert await append(small_log, one.seal(bulky(one))) == Appended(stored=50, known=0)
    assert small_log.cursor() == kept + 1


async def test_a_file_that_cannot_be_opened_is_a_full_disk_too(disk: Disk) -> None:
    openers = [partial(sqlite3.connect, "/nowhere/log.sqlite"), disk.connect]
    log = SqliteLog(disk.path, lambda: openers.pop(0)())
    with pytest.raises(LogFull):
        await log.put_targets("a" * 64, b"")
    await log.put_targets("a" * 64, b"")
    log.close()


async def test_appends_that_wait_share_one_commit(disk: Disk) -> None:
    disk.open.clear()
    log = SqliteLog(disk.path, disk.connect)
    volunteers = [Volunteer(number) for number in range(1, 31)]
    batches = [volunteer.seal([volunteer.measure()]) for volunteer in volunteers]
    tasks = [asyncio.ensure_future(append(log, data)) for data in batches]
    await asyncio.sleep(0)
    disk.open.set()
    await asyncio.gather(*tasks)
    assert disk.statements.count("COMMIT") <= 2  # the writer may have taken the first before the others came
    log.close()


def test_commits_are_synced_to_the_disk(disk: Disk) -> None:
    connection = disk.connect()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_text("not a database, and long enough to be told from one" * 40)
    with pytest.raises(UserError, match=r"log\.sqlite cannot be opened"):
        SqliteLog(tmp_path / "log.sqlite")


def test_a_later_log_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "log.sqlite")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(UserError, match="written by a later Ringback"):
        SqliteLog(tmp_path / "log.sqlite")


async def test_no_question_reads_the_whole_log(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.sqlite")
    one = Volunteer()
    await append(log, one.seal([one.measure()]))
    asked: list[str] = []
    log.cursor()  # opens this thread's connection
    (connection,) = log._readers
    connection.set_trace_callback(asked.append)
    log.records(0, 10)
    log.measurements("whatsapp/chat", HOUR, HOUR)
    log.siblings(one.key, "c" * 32, "whatsapp/chat")
    log.by_keys([one.key], 0, 2 * NOW_MS)
    log.by_keys([one.key], 0, 2 * NOW_MS, "whatsapp/chat")
    connection.set_trace_callback(None)
    steps = [
        step
        for statement in asked
        if not statement.startswith("--")
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    log.close()
    assert {step.split(" INDEX ")[1] for step in steps if step.startswith("SEARCH m")} == {
        "measurements_by_batch (batch=?)",
        "measurements_by_target (target=? AND started_ms>? AND started_ms<?)",
        "measurements_by_cycle (probe=? AND cycle=? AND target=?)",
        "measurements_by_probe (probe=? AND started_ms>? AND started_ms<?)",
    }
    assert {step.split()[1] for step in steps if step.startswith("SCAN")} <= {"json_each"}


def test_bodies_are_kept_within_bounds() -> None:
    read: list[int] = []

    def body(batch: int) -> bytes:
        read.append(batch)
        return gzip.compress(b"x" * 39 + b"\n")

    bodies = InflatedBodies(body, limit_bytes=100)
    for batch in (1, 2, 1, 3, 1, 2):  # there is room for two; 3 drives out 2, which was used longest ago
        assert bodies.lines(batch) == [b"x" * 39, b""]
    assert read == [1, 2, 3, 2]


def test_a_body_that_exceeds_the_bound_alone_is_not_kept() -> None:
    bodies = InflatedBodies(lambda batch: gzip.compress(b"x" * 200), limit_bytes=100)
    assert bodies.lines(1) == bodies.lines(1) == [b"x" * 200]
