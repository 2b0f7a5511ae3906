"""What every Log promises, and what the SQLite one adds. A new log is a row in LOGS."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from collector.log import Appended, Entry, Envelope, Log, LogFull, segment
from collector.log.reading import ReadingLog
from collector.log.segment import DAY_MS, PAGE_BYTES
from collector.log.sqlite import LATEST, SqliteLog
from probe.failure import UserError
from probe.model import Measurement
from tests.collector.batches import NAMED, NETWORK, NOW_MS, Volunteer, enveloped
from tests.collector.log.memory_log import MemoryLog

TODAY, TOMORROW = "2026-02-25.sqlite", "2026-02-26.sqlite"


class ClosableLog(Log, Protocol):
    def close(self) -> None: ...


LOGS: dict[str, Callable[[Path], ClosableLog]] = {
    "memory": lambda directory: MemoryLog(),
    "sqlite": lambda directory: SqliteLog(directory / "log"),
}


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with closing(LOGS[request.param](tmp_path)) as log:
        yield log


async def append(log: Log, body: bytes, received_ms: int = NOW_MS) -> Appended:
    return await log.append(*enveloped(body, received_ms))


def bodies(log: Log) -> list[bytes]:
    return [entry.envelope.body for entry in log.read(0, 1000)]


async def test_an_envelope_is_what_was_received_and_what_the_collector_added(log: Log) -> None:
    one = Volunteer()
    body = one.seal([one.measure()])
    envelope = Envelope(received_ms=NOW_MS + 7, network=NETWORK, named=NAMED, bucket=b"\x01" * 16, body=body)
    assert await log.append(envelope, NOW_MS) == Appended(1, is_new=True)
    assert log.read(0, 10) == [Entry(1, envelope)]


async def test_an_envelope_may_have_no_bucket(log: Log) -> None:
    one = Volunteer()
    await append(log, one.seal([one.measure()]))
    (entry,) = log.read(0, 10)
    assert entry.envelope.bucket is None


async def test_envelopes_come_in_the_order_of_arrival(log: Log) -> None:
    volunteers = [Volunteer(number) for number in (1, 2, 1)]
    assert (log.latest(), log.read(0, 10)) == (0, [])
    sent = [one.seal([one.measure(cycle=f"{number:032x}")]) for number, one in enumerate(volunteers)]
    positions = [(await append(log, body)).position for body in sent]
    assert positions == sorted(set(positions))
    assert log.latest() == positions[-1]
    assert bodies(log) == sent
    assert [entry.position for entry in log.read(positions[0], 1)] == positions[1:2]
    assert [entry.position for entry in log.read(positions[0], 10)] == positions[1:]
    assert log.read(positions[-1], 10) == []


async def test_a_body_received_again_is_known(log: Log) -> None:
    one = Volunteer()
    first, second = one.measure(), one.measure()
    body = one.seal([first])
    await append(log, body)
    assert await append(log, body, NOW_MS + 5) == Appended(1, is_new=False)
    assert await append(log, body, NOW_MS + 5 * DAY_MS) == Appended(1, is_new=False)
    assert (log.latest(), bodies(log)) == (1, [body])
    assert (await append(log, one.seal([first, second]))).is_new  # other bytes: what they repeat is the index's to see


async def test_many_at_once_are_all_kept(log: Log) -> None:
    sent = [one.seal([one.measure()]) for one in map(Volunteer, range(1, 41))]
    outcomes = await asyncio.gather(*(append(log, body) for body in [*sent, *sent]))
    assert sum(one.is_new for one in outcomes) == 40
    assert sorted(bodies(log)) == sorted(sent)


async def test_reading_from_another_thread_while_it_is_written(log: Log) -> None:
    one = Volunteer()
    for expected in range(1, 6):
        await append(log, one.seal([one.measure()]))
        assert await asyncio.to_thread(log.latest) == expected
        assert len(await asyncio.to_thread(log.read, 0, 10)) == expected


async def test_one_who_gives_up_waiting_disturbs_nobody(log: Log) -> None:
    one = Volunteer()
    tasks = [asyncio.ensure_future(append(log, one.seal([one.measure()]))) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [each for each in outcomes if isinstance(each, Appended)]
    assert len(kept) >= 4
    assert len({each.position for each in kept}) == len(kept)


# --- SQLite -----------------------------------------------------------------------------------------------------


class Disk:
    """Opens the log's writing connections, with room for so many pages; 0 is no limit."""

    def __init__(self) -> None:
        self.pages = 0
        self.failing: list[OSError | sqlite3.OperationalError] = []
        self.open = threading.Event()
        self.open.set()
        self.statements: list[str] = []

    def connect(self, path: Path) -> sqlite3.Connection:
        self.open.wait()
        if self.failing:
            raise self.failing.pop()
        connection = segment.writing_connection(path)
        if self.pages:
            connection.execute(f"PRAGMA max_page_count = {self.pages}")
        connection.set_trace_callback(self.statements.append)
        return connection


def bulky(volunteer: Volunteer) -> list[Measurement]:
    return [volunteer.measure() for _ in range(50)]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def sqlite_log(tmp_path: Path, disk: Disk) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log", disk.connect)) as log:
        yield log


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.suffix == ".sqlite")


async def test_what_is_kept_is_there_after_opening_again(tmp_path: Path) -> None:
    one = Volunteer()
    body = one.seal([one.measure()])
    with closing(SqliteLog(tmp_path / "log")) as log:
        await append(log, body)
        id = log.id
    with closing(SqliteLog(tmp_path / "log")) as log:
        assert (log.latest(), log.id) == (1, id)
        assert await append(log, body) == Appended(1, is_new=False)
        assert await append(log, one.seal([one.measure()])) == Appended(2, is_new=True)


def test_two_logs_have_two_names(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "one")) as one, closing(SqliteLog(tmp_path / "other")) as other:
        assert one.id != other.id


async def test_a_day_has_a_file_and_what_was_closed_is_only_read(tmp_path: Path, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    sent = [one.seal([one.measure()]) for _ in range(4)]
    for number, body in enumerate(sent):
        await append(sqlite_log, body, NOW_MS + (number // 2) * DAY_MS)
    assert files(tmp_path / "log") == [TODAY, TOMORROW]
    assert not (tmp_path / "log" / f"{TODAY}-wal").exists()
    assert (tmp_path / "log" / TODAY).stat().st_mode & 0o777 == 0o400
    assert bodies(sqlite_log) == sent
    assert [entry.position for entry in sqlite_log.read(1, 2)] == [2, 3]
    assert [entry.position for entry in sqlite_log.read(2, 2)] == [3, 4]


async def test_days_never_go_back(tmp_path: Path, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    sent = [one.seal([one.measure()]) for _ in range(3)]
    for body, received_ms in zip(sent, (NOW_MS + DAY_MS, NOW_MS, 5), strict=True):
        await append(sqlite_log, body, received_ms)
    assert files(tmp_path / "log") == [TOMORROW]
    assert [entry.envelope.received_ms for entry in sqlite_log.read(0, 10)] == [NOW_MS + DAY_MS, NOW_MS, 5]


async def test_a_batch_is_looked_for_from_the_day_before_its_sealing_on(sqlite_log: SqliteLog) -> None:
    """An old one is found however long it took; of a clock that is days ahead, what came yesterday."""
    one = Volunteer()
    for sealed_ms in (NOW_MS, NOW_MS - DAY_MS, NOW_MS + 9 * DAY_MS, 0):
        body = one.seal([one.measure()], sealed_ms)
        received_ms = NOW_MS + sqlite_log.latest() * 20 * DAY_MS
        first = await append(sqlite_log, body, received_ms)
        assert first.is_new
        assert await append(sqlite_log, body, received_ms + DAY_MS) == Appended(first.position, is_new=False)
    body = one.seal([one.measure()], sealed_ms=0)
    first = await append(sqlite_log, body, NOW_MS + 100 * DAY_MS)
    assert await append(sqlite_log, body, NOW_MS + 200 * DAY_MS) == Appended(first.position, is_new=False)


async def test_a_day_that_another_process_reads_is_closed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "BUSY_S", 0.01)
    one = Volunteer()
    today = tmp_path / "log" / TODAY
    with closing(SqliteLog(tmp_path / "log")) as log:
        await append(log, one.seal([one.measure()]))
        with closing(sqlite3.connect(today, isolation_level=None)) as reading:
            reading.execute("BEGIN")
            reading.execute("SELECT * FROM digest").fetchall()
            await append(log, one.seal([one.measure()]), NOW_MS + DAY_MS)
        assert today.stat().st_mode & 0o777 == 0o600
        assert len(bodies(log)) == 2
    with closing(SqliteLog(tmp_path / "log")) as log:
        assert today.stat().st_mode & 0o777 == 0o400
        assert len(bodies(log)) == 2


async def test_a_day_that_the_judging_process_reads_is_closed_when_the_day_after_the_next_begins(
    tmp_path: Path,
) -> None:
    one = Volunteer()
    today = tmp_path / "log" / TODAY
    with closing(SqliteLog(tmp_path / "log")) as log:
        await append(log, one.seal([one.measure()]))
        reading = ReadingLog(tmp_path / "log")
        for day in (1, 2):
            assert reading.latest() == day
            assert today.stat().st_mode & 0o777 == 0o600
            await append(log, one.seal([one.measure()]), NOW_MS + day * DAY_MS)
        assert today.stat().st_mode & 0o777 == 0o400
        assert [entry.position for entry in reading.read(0, 9)] == [1, 2, 3]
        reading.forget()


async def test_what_a_kill_left_of_a_new_file_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / f"{TODAY}.part").write_text("half")
    one = Volunteer()
    with closing(SqliteLog(tmp_path / "log")) as log:
        await append(log, one.seal([one.measure()]))
    assert files(tmp_path / "log") == [TODAY]
    assert not list((tmp_path / "log").glob("*.part"))


async def test_a_full_disk_keeps_nothing_of_a_batch_and_the_next_is_kept_when_there_is_room(
    disk: Disk, sqlite_log: SqliteLog
) -> None:
    one = Volunteer()
    disk.pages = 40

    async def fill() -> None:
        while True:
            await append(sqlite_log, one.seal(bulky(one)))

    with pytest.raises(LogFull, match="full"):
        await fill()
    kept = sqlite_log.latest()
    assert kept > 0
    assert len(bodies(sqlite_log)) == kept
    disk.pages = 0
    assert await append(sqlite_log, one.seal(bulky(one))) == Appended(kept + 1, is_new=True)


async def test_a_file_that_cannot_be_opened_is_a_full_disk_too(disk: Disk, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    disk.failing.append(sqlite3.OperationalError("unable to open"))
    with pytest.raises(LogFull):
        await append(sqlite_log, one.seal([one.measure()]))
    assert (await append(sqlite_log, one.seal([one.measure()]))).position == 1


async def test_a_day_that_cannot_begin_is_a_full_disk_too(
    tmp_path: Path, sqlite_log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Volunteer()
    await append(sqlite_log, one.seal([one.measure()]))
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(segment, "sync_directory", lambda path: (_ for _ in ()).throw(full))
        with pytest.raises(LogFull):
            await append(sqlite_log, one.seal([one.measure()]), NOW_MS + DAY_MS)
    assert (await append(sqlite_log, one.seal([one.measure()]), NOW_MS + DAY_MS)).position == 2
    assert files(tmp_path / "log") == [TODAY, TOMORROW]


async def test_appends_that_wait_share_one_commit(disk: Disk, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    await append(sqlite_log, one.seal([one.measure()]))
    disk.open.clear()
    sent = [one.seal([one.measure()]) for one in map(Volunteer, range(1, 31))]
    holding = asyncio.ensure_future(sqlite_log._committer.alone(lambda: None))  # the next one connects anew, and waits
    tasks = [asyncio.ensure_future(append(sqlite_log, body)) for body in sent]
    await asyncio.sleep(0)
    before = disk.statements.count("COMMIT")
    disk.open.set()
    await asyncio.gather(holding, *tasks)
    assert disk.statements.count("COMMIT") - before <= 2  # the writer may have taken the first before the others came


async def test_commits_are_synced_to_the_disk(tmp_path: Path, disk: Disk, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    await append(sqlite_log, one.seal([one.measure()]))
    with closing(disk.connect(tmp_path / "log" / TODAY)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_name_of_a_new_file_is_synced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(segment, "sync_directory", synced.append)
    segment.create(tmp_path, 0, "id", 1)
    assert synced == [tmp_path]


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / TODAY).write_text("not a database, and long enough to be told from one" * 40)
    with pytest.raises(UserError, match=rf"{TODAY} cannot be opened"):
        SqliteLog(tmp_path / "log")


def test_a_later_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with closing(sqlite3.connect(tmp_path / "log" / TODAY)) as connection:
        connection.execute("PRAGMA user_version = 4")
    with pytest.raises(UserError, match="written by a later Ringback"):
        SqliteLog(tmp_path / "log")


async def test_a_part_of_another_log_is_refused(tmp_path: Path) -> None:
    one = Volunteer()
    with closing(SqliteLog(tmp_path / "one")) as log:
        await append(log, one.seal([one.measure()]))
    (tmp_path / "other").mkdir()
    (tmp_path / "one" / TODAY).rename(tmp_path / "other" / TODAY)
    with pytest.raises(UserError, match="part of another log"):
        SqliteLog(tmp_path / "other")


async def test_networks_that_are_lost_hold_up_nobody(tmp_path: Path, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    sent = [one.seal([one.measure()]) for _ in range(3)]
    for body in sent:
        await append(sqlite_log, body)
    with closing(sqlite3.connect(tmp_path / "log" / TODAY)) as connection, connection:
        connection.execute("UPDATE envelope SET named = x'00' WHERE position = 2")
    assert bodies(sqlite_log) == sent
    assert [entry.envelope.named for entry in sqlite_log.read(0, 10)] == [NAMED, {}, NAMED]


async def test_of_a_damaged_file_what_can_be_read_is(tmp_path: Path) -> None:
    one = Volunteer()
    sent = [one.seal(bulky(one)) for _ in range(5)]
    with closing(SqliteLog(tmp_path / "log")) as log:
        for body in sent:
            await append(log, body)
    data = bytearray((tmp_path / "log" / TODAY).read_bytes())
    start = data.index(sent[2][:100]) // PAGE_BYTES * PAGE_BYTES
    data[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
    (tmp_path / "log" / TODAY).write_bytes(data)
    with closing(SqliteLog(tmp_path / "log")) as log:
        found = log.read(0, 10)
        assert [entry.position for entry in found] == [1, 2, 3, 4, 5]
        read = [entry.envelope.body == body for entry, body in zip(found, sent, strict=True)]
        assert (read[0], read[2], read[4]) == (True, False, True)
        assert (await append(log, one.seal([one.measure()]))).position == 6


async def test_no_question_reads_the_whole_log(tmp_path: Path, sqlite_log: SqliteLog) -> None:
    one = Volunteer()
    await append(sqlite_log, one.seal([one.measure()]))
    with closing(segment.reading_connection(tmp_path / "log" / TODAY)) as connection:
        asked = [
            "SELECT * FROM envelope WHERE position > 1 ORDER BY position LIMIT 1",
            LATEST,
            "SELECT position FROM digest WHERE sha256 = x'00'",
        ]
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall() for statement in asked]
    steps = [step[-1] for plan in plans for step in plan if step[-1] != "SCAN CONSTANT ROW"]
    assert {step.split()[0] for step in steps if not step.startswith("SCALAR")} == {"SEARCH"}
