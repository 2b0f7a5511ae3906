"""What every Index answers of what a log holds, and what the SQLite one adds. A new index is a row in INDEXES."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.judging import index_schema
from collector.judging.heard import Heard, hear_again
from collector.judging.index import Conflict, Index, SqliteIndex
from collector.judging.records import Batch, OpenedBatches, Unreadable, opened
from collector.judging.successions import BETWEEN
from collector.judging.successions import said as said_in
from collector.log import Entry, Log, Record
from collector.log.sqlite import SqliteLog
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal
from probe.codecs.succession import sign as sign_succession
from probe.model import HOUR_MS, BatchHeader, Context
from probe.submit.identity import Identity, Keys
from tests.collector.batches import NAMED, NETWORK, NOW_MS, Volunteer, enveloped
from tests.collector.log.memory_log import MemoryLog

HOUR = NOW_MS // HOUR_MS
OTHER_BYTES = b'{"later":"field",'  # in place of the opening brace: other bytes, the same meaning


class Kept(Protocol):
    """A log and its index."""

    log: Log
    index: Index


class _Memory:
    def __init__(self, directory: Path) -> None:
        self.log = self.index = MemoryLog()

    def close(self) -> None: ...


class _Sqlite:
    def __init__(self, directory: Path) -> None:
        self.log = SqliteLog(directory / "log")
        self.index = SqliteIndex(directory / "index.sqlite", self.log)

    def close(self) -> None:
        self.index.close()
        self.log.close()


INDEXES: dict[str, Callable[[Path], _Memory | _Sqlite]] = {"memory": _Memory, "sqlite": _Sqlite}


@pytest.fixture(params=INDEXES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Memory | _Sqlite]:
    with closing(INDEXES[request.param](tmp_path)) as kept:
        yield kept


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[_Sqlite]:
    with closing(_Sqlite(tmp_path)) as kept:
        yield kept


async def take(kept: Kept, *bodies: bytes, received_ms: int = NOW_MS) -> None:
    """Appends to the log, and brings the index up to it."""
    for body in bodies:
        await kept.log.append(*enveloped(body, received_ms))
    while kept.index.extend(2):
        pass


async def test_a_record_follows_from_its_envelope(kept: Kept) -> None:
    one = Volunteer()
    seen = one.measure("whatsapp/chat", started_ms=NOW_MS - 500)
    envelope, sealed_ms = enveloped(one.seal([seen]), NOW_MS + 7)
    await kept.log.append(replace(envelope, bucket=b"\xab" * 16), sealed_ms)
    await take(kept)
    (record,) = kept.index.arrived(0, 10).records
    assert record.measurement == seen
    assert (record.key, record.cursor, record.software, record.targets) == (one.key, 1, "ringback 0.1", "d" * 64)
    assert (record.started_ms, record.clock_known, record.received_ms) == (NOW_MS - 500, True, NOW_MS + 7)
    assert (record.network, record.resolver_networks, record.bucket) == (NETWORK, NAMED, "ab" * 16)


async def test_unknown_clock_stands_under_its_receipt(kept: Kept) -> None:
    one = Volunteer()
    await take(kept, one.seal([one.measure(started_ms=5, clock_offset_ms=None)], sealed_ms=9))
    (record,) = kept.index.measurements("whatsapp/chat", HOUR, HOUR)
    assert (record.started_ms, record.clock_known, record.measurement.started_ms) == (NOW_MS, False, 5)


async def test_what_arrived_comes_by_batches(kept: Kept) -> None:
    one, other = Volunteer(1), Volunteer(2)
    assert (kept.index.position(), kept.index.arrived(0, 10).records) == (0, [])
    await take(kept, *(v.seal([v.measure(), v.measure("signal/call")]) for v in (one, other, one)))
    assert kept.index.position() == 3
    second = kept.index.arrived(1, 1)
    assert second.position == 2
    assert [(r.cursor, r.measurement.target) for r in second.records] == [(2, "whatsapp/chat"), (2, "signal/call")]
    assert [record.cursor for record in kept.index.arrived(1, 10).records] == [2, 2, 3, 3]
    assert kept.index.arrived(3, 10).position == 3


async def test_two_keys_may_use_one_uid(kept: Kept) -> None:
    one, other = Volunteer(1), Volunteer(2)
    await take(kept, one.seal([one.measure()]), other.seal([other.measure()]))
    assert {record.key for record in kept.index.measurements("whatsapp/chat", HOUR, HOUR)} == {one.key, other.key}


async def test_measurements_of_a_target_by_hour(kept: Kept) -> None:
    one = Volunteer()
    edges = [HOUR * HOUR_MS - 1, HOUR * HOUR_MS, (HOUR + 1) * HOUR_MS - 1, (HOUR + 1) * HOUR_MS]
    seen = [one.measure(started_ms=started) for started in reversed(edges)]
    await take(kept, one.seal([*seen, one.measure("signal/call")]), received_ms=NOW_MS + 2 * HOUR_MS)
    found = kept.index.measurements("whatsapp/chat", HOUR, HOUR)
    assert [record.started_ms for record in found] == edges[1:3]
    assert len(kept.index.measurements("whatsapp/chat", HOUR - 1, HOUR + 1)) == 4
    assert kept.index.hours() == {("signal/call", HOUR), *(("whatsapp/chat", HOUR + i) for i in (-1, 0, 1))}


async def test_siblings_are_the_rounds_of_one_cycle(kept: Kept) -> None:
    one, other = Volunteer(1), Volunteer(2)
    second, first, call = one.measure(round=2), one.measure(round=1), one.measure("signal/call")
    await take(kept, one.seal([second, call, one.measure(cycle="e" * 32)]), one.seal([first]))
    await take(kept, other.seal([other.measure()]))
    assert [r.measurement for r in kept.index.siblings(one.key, "c" * 32, "whatsapp/chat")] == [first, second]
    assert {r.measurement.uid for r in kept.index.siblings(one.key, "c" * 32)} == {first.uid, second.uid, call.uid}
    assert kept.index.siblings(one.key, "f" * 32) == []


async def test_by_keys(kept: Kept) -> None:
    volunteers = [Volunteer(number) for number in (1, 2, 3)]
    for volunteer in volunteers:
        seen = [volunteer.measure(), volunteer.measure("signal/call", started_ms=NOW_MS - 1)]
        await take(kept, volunteer.seal(seen))
    keys = {volunteer.key for volunteer in volunteers[:2]}
    by_keys = kept.index.by_keys
    assert {record.key for record in by_keys(keys, NOW_MS - 1, NOW_MS + 1)} == keys
    assert {record.measurement.target for record in by_keys(keys, NOW_MS, NOW_MS + 1)} == {"whatsapp/chat"}
    assert len(by_keys(keys, NOW_MS - 1, NOW_MS + 1, "signal/call")) == 2
    assert by_keys([], 0, 2 * NOW_MS) == []
    assert by_keys(keys, NOW_MS - 1, NOW_MS - 1) == []


# --- Of one (key, uid) the least (received_ms, digest) counts ------------------------------------------------------


async def test_the_one_received_first_counts_whatever_came_first_here(kept: Kept) -> None:
    one = Volunteer()
    seen = one.measure()
    later, earlier = one.seal_lines([OTHER_BYTES + encode(seen)[1:]]), one.seal([seen])
    await take(kept, later, received_ms=NOW_MS + 1)
    await take(kept, earlier)  # the clock had gone back
    (counting,) = kept.index.measurements("whatsapp/chat", HOUR, HOUR)
    assert (counting.cursor, counting.received_ms) == (2, NOW_MS)
    assert {record.cursor for record in kept.index.arrived(1, 1).records} == {1, 2}  # both bear on what is judged


async def test_what_competes_is_told_to_whoever_asks_for_what_arrived(kept: Kept) -> None:
    one = Volunteer()
    seen = one.measure()
    await take(kept, one.seal([seen]), one.seal([one.measure()]))
    await take(kept, one.seal_lines([OTHER_BYTES + encode(seen)[1:]]), received_ms=NOW_MS + 1)
    assert [record.cursor for record in kept.index.arrived(0, 2).records] == [1, 2]
    assert {record.cursor for record in kept.index.arrived(2, 1).records} == {1, 3}
    assert len(kept.index.measurements("whatsapp/chat", HOUR, HOUR)) == 2


async def test_a_repetition_is_no_conflict_and_other_content_is(sqlite: _Sqlite) -> None:
    one = Volunteer()
    seen = one.measure()
    await take(sqlite, one.seal([seen]))
    await take(sqlite, one.seal([seen, one.measure()]), received_ms=NOW_MS + 1)
    assert sqlite.index.conflicts() == []
    await take(sqlite, one.seal_lines([OTHER_BYTES + encode(seen)[1:]]), received_ms=NOW_MS + 2)
    assert sqlite.index.conflicts() == [Conflict(one.key, seen.uid, 3, 1)]
    await take(sqlite, one.seal_lines([b'{"other":1,' + encode(seen)[1:]]), received_ms=NOW_MS - 1)
    assert [each.position for each in sqlite.index.conflicts()] == [1, 2, 3]


def said(records: list[Record]) -> list[tuple[str, str, int, int, int]]:
    """What does not hang on the order of arrival."""
    return [(r.key, r.measurement.uid, r.started_ms, r.received_ms, r.measurement.round) for r in records]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(range(7)), st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_what_counts_follows_from_the_set_of_envelopes(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], times: list[int]
) -> None:
    """Seven batches of one key that claim two uids, each received at one of three moments, in any order."""
    one = Volunteer()
    shared = [one.measure("whatsapp/chat", started_ms=NOW_MS - i * HOUR_MS) for i in (0, 1)]
    bodies = [
        one.seal_lines([b'{"later":%d,' % i + encode(seen)[1:] for seen in shared[: 1 + i % 2]]) for i in range(7)
    ]

    async def told(order: list[int], where: _Memory | _Sqlite) -> tuple[object, ...]:
        for number in order:
            await take(where, bodies[number], received_ms=NOW_MS + times[number])
        index = where.index
        conflicts = index.conflicts() if isinstance(index, SqliteIndex) else []
        told = said(index.measurements("whatsapp/chat", HOUR - 2, HOUR)), said(index.siblings(one.key, "c" * 32))
        return *told, len(conflicts), {(r.key, r.measurement.uid) for r in index.arrived(0, 100).records}

    outcomes = []
    for sent in (order, sorted(order)):
        with closing(_Sqlite(tmp_path_factory.mktemp("index"))) as where:
            outcomes.append(asyncio.run(told(sent, where)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] == 7 + 3 - 2  # lines, without the two that count
    assert asyncio.run(told(order, _Memory(Path())))[:2] == outcomes[0][:2]


# --- SQLite -----------------------------------------------------------------------------------------------------


async def filled(kept: _Sqlite, batches: int = 5) -> list[Record]:
    one = Volunteer()
    await take(kept, *(one.seal([one.measure(), one.measure("signal/call")]) for _ in range(batches)))
    return kept.index.arrived(0, 100).records


async def test_an_index_goes_on_where_it_was(tmp_path: Path, sqlite: _Sqlite) -> None:
    before = await filled(sqlite)
    sqlite.index.close()
    sqlite.index = SqliteIndex(tmp_path / "index.sqlite", sqlite.log)
    assert sqlite.index.position() == 5
    assert sqlite.index.extend(10) == 0
    assert sqlite.index.arrived(0, 100).records == before


@pytest.mark.parametrize("how", ["lost", "damaged", "of another log", "ahead", "of another version"])
async def test_an_index_that_does_not_fit_is_made_again(tmp_path: Path, sqlite: _Sqlite, how: str) -> None:
    before = await filled(sqlite)
    sqlite.index.close()
    path = tmp_path / "index.sqlite"
    changes = {"of another log": "UPDATE meta SET log = 'x'", "ahead": "UPDATE meta SET position = 6"}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(changes.get(how, f"PRAGMA user_version = {index_schema.VERSION + (how[3:10] == 'another')}"))
    if how == "lost":
        path.unlink()
    if how == "damaged":
        path.write_bytes(b"\x00" * 100 + path.read_bytes()[100:])
    sqlite.index = SqliteIndex(path, sqlite.log)
    assert sqlite.index.position() == 0
    while sqlite.index.extend(2):
        pass
    assert sqlite.index.arrived(0, 100).records == before
    assert path.stat().st_mode & 0o777 == 0o600


async def test_cleared_it_is_made_again(sqlite: _Sqlite) -> None:
    before = await filled(sqlite)
    sqlite.index.clear()
    assert (sqlite.index.position(), sqlite.index.hours()) == (0, set())
    while sqlite.index.extend(10):
        pass
    assert sqlite.index.arrived(0, 100).records == before


async def test_what_cannot_be_read_is_noted_and_holds_up_nobody(tmp_path: Path) -> None:
    """One bit of one body rots, before it was indexed and after."""
    one = Volunteer()
    bodies = [one.seal([one.measure()]) for _ in range(3)]
    with closing(_Sqlite(tmp_path)) as kept:
        await take(kept, bodies[0])
        (before,) = kept.index.arrived(0, 1).records
        for body in bodies[1:]:
            await kept.log.append(*enveloped(body))
    (segment,) = (tmp_path / "log").glob("*.sqlite")
    with closing(sqlite3.connect(segment)) as connection, connection:
        for position in (1, 2):
            rotten = bytearray(bodies[position - 1])
            rotten[len(rotten) // 2] ^= 4
            connection.execute("UPDATE envelope SET body = ? WHERE position = ?", (bytes(rotten), position))
    with closing(_Sqlite(tmp_path)) as kept:
        while kept.index.extend(1):
            pass
        assert kept.index.position() == 3
        assert kept.index.unreadable() == [(2, 0)]
        damage = [(record.cursor, record.damage) for record in kept.index.arrived(0, 10).records]
        assert damage == [(1, "BadGzipFile"), (3, None)] or damage == [(1, "error"), (3, None)]
        (stub, _) = kept.index.measurements("whatsapp/chat", HOUR, HOUR)
        assert replace(stub, damage=None, measurement=before.measurement) == before
        assert stub.measurement.uid == before.measurement.uid
        assert kept.index.arrived(1, 1).position == 2


async def test_of_a_batch_with_one_bad_line_the_others_count(tmp_path: Path) -> None:
    """What nobody can be told by (no uid, no JSON) is left out alone; what only cannot be judged is set aside."""
    one = Volunteer()
    seen = [one.measure() for _ in range(4)]
    lines = [encode(each) for each in seen]
    lines[1], lines[2] = b'{"uid":"no digits"}', lines[2].replace(b'"up":true', b'"up":"yes"')
    body = one.seal_lines(lines)
    with closing(_Sqlite(tmp_path)) as kept:
        await kept.log.append(replace(enveloped(one.seal(seen))[0], body=body), NOW_MS)
        await kept.log.append(*enveloped(one.seal([one.measure()])))
        while kept.index.extend(10):
            pass
        assert kept.index.unreadable() == [(1, 2)]
        found = kept.index.arrived(0, 10).records
        assert [(r.cursor, r.line, r.measurement.uid, r.damage) for r in found] == [
            (1, 1, seen[0].uid, None),
            (1, 3, seen[2].uid, "ValidationError"),
            (1, 4, seen[3].uid, None),
            (2, 1, f"{7:032x}", None),
        ]
        assert kept.index.arrived(1, 10).position == 2


async def test_no_question_reads_the_whole_index(sqlite: _Sqlite) -> None:
    await filled(sqlite)
    asked: list[str] = []
    sqlite.index.position()  # opens this thread's connection
    (connection,) = sqlite.index._readers
    connection.set_trace_callback(asked.append)
    sqlite.index.arrived(0, 10)
    sqlite.index.measurements("whatsapp/chat", HOUR, HOUR)
    sqlite.index.siblings("ab" * 32, "c" * 32)
    sqlite.index.siblings("ab" * 32, "c" * 32, "whatsapp/chat")
    sqlite.index.by_keys(["ab" * 32], 0, 2 * NOW_MS)
    sqlite.index.by_keys(["ab" * 32], 0, 2 * NOW_MS, "whatsapp/chat")
    connection.set_trace_callback(None)
    steps = [step for statement in asked for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert {step for step in steps if step.startswith("SEARCH measurement")} == {
        "SEARCH measurement USING PRIMARY KEY (target=? AND started_ms>? AND started_ms<?)",
        "SEARCH measurement USING COVERING INDEX measurement_by_cycle (cycle=?)",
        "SEARCH measurement USING COVERING INDEX measurement_by_cycle (cycle=? AND target=?)",
        "SEARCH measurement USING COVERING INDEX measurement_by_probe (probe=? AND started_ms>? AND started_ms<?)",
    }
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
    assert not scanned & {"measurement", "batch", "identity", "again", "a", "i"}


# --- Opened batches ------------------------------------------------------------------------------------------------


def entry(position: int) -> Entry:
    one = Volunteer()
    envelope, _ = enveloped(one.seal([one.measure()]))
    return Entry(position, envelope)


def test_opened_batches_are_kept_within_bounds() -> None:
    read: list[int] = []

    def reading(position: int) -> Batch:
        read.append(position)
        return opened(entry(position))

    size = opened(entry(1)).size
    batches = OpenedBatches(reading, limit_bytes=2 * size)
    for position in (1, 2, 1, 3, 1, 2):  # there is room for two; 3 drives out 2, which was used longest ago
        assert batches.at(position).position == position
    assert read == [1, 2, 3, 2]


def test_a_batch_that_exceeds_the_bound_alone_is_not_kept() -> None:
    batches = OpenedBatches(lambda position: opened(entry(position)), limit_bytes=1)
    assert batches.at(1) == batches.at(1)


@pytest.mark.parametrize(
    "body",
    [b"", b"junk", gzip.compress(b"{}\n"), gzip.compress(b"\n" * 9), gzip.compress(b"x")[:-2]],
    ids=["nothing", "junk", "one line", "empty lines", "cut short"],  # the time stands in what gzip makes
)
def test_a_body_that_is_no_batch_cannot_be_read(body: bytes) -> None:
    envelope, _ = enveloped(Volunteer().seal([Volunteer().measure()]))
    with pytest.raises(Unreadable, match="position 7"):
        opened(Entry(7, type(envelope)(received_ms=0, network=NETWORK, named={}, body=body)))


# --- Successions --------------------------------------------------------------------------------------------------

OLD, NEW = (Keys(bytes(32)).of(NETWORK.asn, quarter) for quarter in (224, 225))
SUCCESSION = sign_succession(OLD.key, NEW.key, NETWORK.asn, 225, OLD.sign, NEW.sign)


def said_by(identity: Identity, number: int) -> bytes:
    """A batch of one measurement whose header says it."""
    header = BatchHeader(
        format=2,
        key=identity.key,
        batch=f"{number:032x}",
        sealed_ms=NOW_MS,
        software="ringback 0.1",
        targets="d" * 64,
        contexts=1,
        salt="5" * 32,
        succession=SUCCESSION,
    )
    seen = replace(Volunteer().measure(), uid=f"{number:032x}")
    return seal(header, [say(seen, 0)], identity.sign, [encode(Context(link=seen.link))])


async def test_who_follows_whom_is_known_as_it_was_received_first(kept: Kept) -> None:
    assert kept.index.successions(0, 9) == []
    for number, received_ms in enumerate((NOW_MS + 7, NOW_MS + 9, NOW_MS + 5)):
        await take(kept, said_by(OLD if number else NEW, number), received_ms=received_ms)
    found = kept.index.successions(0, 3)
    assert min(found).name == (OLD.key, NEW.key, NETWORK.asn, 225)
    assert min(found).received_ms == NOW_MS + 5
    assert [one.received_ms for one in kept.index.successions(2, 3)] == [NOW_MS + 5]
    assert [one.received_ms for one in kept.index.successions(0, 1)] == [NOW_MS + 7]


async def test_what_is_repeated_takes_no_room(sqlite: _Sqlite) -> None:
    for number in range(3):
        await take(sqlite, said_by(OLD, number), received_ms=NOW_MS + number)
    assert len(sqlite.index.successions(0, 3)) == 1
    sqlite.index.clear()
    assert sqlite.index.successions(0, 3) == []


async def test_who_follows_whom_outlives_the_bodies(sqlite: _Sqlite) -> None:
    """As a freeze notes it, for an index that is made anew when bodies have gone."""
    await take(sqlite, said_by(NEW, 1))
    noted = msgspec.json.decode(msgspec.json.encode(sqlite.index.heard()), type=list[Heard])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(index_schema.TABLES)
        hear_again(connection, noted)
        found = said_in(connection.execute(BETWEEN, (-1, 0)))
    assert found == sqlite.index.successions(-1, 9)
    assert len(found) == 1
