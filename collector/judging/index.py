"""The index: which measurements the log holds, by target and hour, by cycle, by key. A projection, made of the log.

Of the lines that have one (key, uid), the one with the least (time of receipt, digest of its batch) counts, whatever
came first here; the others are kept apart, and are conflicts where they say something else.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from collector.facts.gaps import Missing
from collector.facts.lines import Said, said
from collector.judging import heard, index_schema, index_thinning, records, successions
from collector.judging.heard import Heard
from collector.judging.index_schema import LINES
from collector.judging.records import Batch, Brief, OpenedBatches, Unreadable
from collector.log import Entry, Log, Record, segment
from collector.log.freezes import NONE, Freezes
from probe.model import HOUR_MS, Link, Measurement

Hour = tuple[str, int]  # target, hours since 1970

logger = logging.getLogger(__name__)

DAMAGED = """
SELECT m.line, p.key, i.uid, t.name, c.word, m.round, m.started_ms FROM measurement AS m
JOIN identity AS i ON i.probe = m.probe AND i.line = m.line
JOIN probe AS p ON p.id = m.probe JOIN target AS t ON t.id = m.target JOIN cycle AS c ON c.id = m.cycle
WHERE m.line >= ? AND m.line < ?
"""

COPIED = """
SELECT DISTINCT p.key, i.uid FROM again AS a JOIN identity AS i ON i.probe = a.probe AND i.uid = a.uid
JOIN probe AS p ON p.id = i.probe WHERE i.line < ?1 AND a.line >= ?1
"""


class Arrived(Struct, frozen=True):
    """Lines of the batches up to a position, and those that compete with them for one (key, uid).

    `counting`: of the lines of these batches those that count.
    """

    position: int
    records: list[Record]
    counting: list[Record]


class Conflict(Struct, frozen=True, order=True):
    """Line `number` of the batch at `position`: it says something else than the line that counts."""

    key: str
    uid: str
    position: int
    number: int


class Index(Protocol):
    """The index's interface. `extend` is called by one thread; the others by any."""

    def position(self) -> int:
        """The position in the log up to which the index goes."""
        ...

    def extend(self, limit: int) -> int:
        """Takes in at most `limit` batches more; returns how many, 0 at the end of the log."""
        ...

    def arrived(self, after: int, limit: int) -> Arrived:
        """The lines of at most `limit` batches that follow the position `after`, in the order of arrival."""
        ...

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        """The measurements of one target with first_hour ≤ hour ≤ last_hour."""
        ...

    def during(self, target: str, since_ms: int, until_ms: int) -> list[Record]:
        """The measurements of one target with since_ms ≤ started_ms < until_ms."""
        ...

    def siblings(self, key: str, cycle: str, target: str | None = None, round: int | None = None) -> list[Record]:
        """The rounds of one target, or of all, in one cycle of one probe; or only the first or second."""
        ...

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        """The measurements of these keys with since_ms ≤ started_ms < until_ms."""
        ...

    def hours(self) -> set[Hour]:
        """The hours in which something was measured, by target."""
        ...

    def successions(self, after: int, upto: int) -> list[Said]:
        """The successions of keys in the batches that follow the position `after`, up to another one."""
        ...


class SqliteIndex:
    """The index of `log` in the file `path`, made when it lacks or does not fit; `close` it at the end.

    What stands in it is what has a body by the log's `freezes`, and came before its hour was frozen. Where another
    process writes it, `extended_by` has it take in more, and nothing is written here.
    """

    def __init__(
        self, path: Path, log: Log, freezes: Freezes = NONE, extended_by: Callable[[int], int] | None = None
    ) -> None:
        self._path, self._log, self._extended_by = path, log, extended_by
        self._writing = threading.Lock()
        if extended_by is None:
            self._connection = index_schema.connected(path, log.id, log.latest())
        else:
            self._connection = index_schema.reading_connection(path)
        self._freezes, self._copied = NONE, frozenset[tuple[str, str]]()
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._batches = OpenedBatches(self._open)
        self._damaged: dict[int, dict[int, Record]] = {}
        self.freeze(freezes)

    def close(self) -> None:
        """No call may follow, and none may be under way."""
        while self._readers:
            self._readers.pop().close()
        self._connection.close()

    # --- Taking in

    def position(self) -> int:
        ((position,),) = self._read("SELECT position FROM meta")
        return int(position)

    def extend(self, limit: int) -> int:
        if self._extended_by is not None:
            return self._extended_by(limit)
        with self._writing:
            latest, position = self._log.latest(), self.position()
            entries = self._log.read(position, limit)
            if not entries and latest <= position:
                return 0
            reached = entries[-1].position if entries else latest  # bodies up to there have gone
            self._transaction(entries, reached)
            return max(1, len(entries))

    def clear(self) -> None:
        """Forgets all, so that it is made again."""
        with self._writing, self._connection as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE")
            for name in index_schema.NAMES:
                connection.execute(f"DELETE FROM {name}")
            connection.execute("UPDATE meta SET position = 0")
        with self._writing:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # of what was forgotten nothing is to stay
        self.freeze(self._freezes)

    def freeze(self, freezes: Freezes) -> None:
        """Forgets what has gone by these freezes, and what came too late for them."""
        with self._writing:
            self._freezes, self._copied = freezes, freezes.copied
            if freezes.all and self._extended_by is None:
                index_thinning.thin(self._connection, freezes)

    def heard(self) -> list[Heard]:
        """Of each key, which numbers of its batches came, what its probe lost, and who follows it."""
        lost = self._read("SELECT id, key, lost_batches, lost_measurements FROM probe ORDER BY key")
        runs: dict[int, list[tuple[int, int]]] = {}
        for probe, first, last in self._read("SELECT probe, first, last FROM heard ORDER BY probe, first"):
            runs.setdefault(probe, []).append((first, last))
        keys = {key.hex() for _, key, _, _ in lost}
        told: dict[str, list[Said]] = {}
        for one in self.successions(-1, self.position()):
            told.setdefault(one.old if one.old in keys else one.new, []).append(one)
        return [
            Heard(key.hex(), batches, seen, tuple(runs.get(id, ())), tuple(told.get(key.hex(), ())))
            for id, key, batches, seen in lost
        ]

    def copied(self, gone: int) -> tuple[tuple[str, str], ...]:
        """(key, uid) of lines that count, up to that position, of which copies follow it."""
        found = self._read(COPIED, (gone + 1) * LINES)
        return tuple(sorted((key.hex(), uid.hex()) for key, uid in found))

    def _transaction(self, entries: Iterable[Entry], reached: int) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                self._take(entry)
            connection.execute("UPDATE meta SET position = ?", (reached,))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _take(self, entry: Entry) -> None:
        """Takes in a batch; one that cannot be read is noted, and holds up nobody."""
        try:
            batch = records.opened(entry)
        except Unreadable as error:
            self._leave_out(entry.position, 0, error)
            return
        self._batches.keep(batch)
        header, digest = batch.header, entry.envelope.digest
        about = (entry.position, batch.received_ms, digest, header.software, bytes.fromhex(header.targets))
        self._connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", about)
        probe = self._number("probe", "key", bytes.fromhex(batch.header.key))
        heard.hear(self._connection, probe, header)
        if (succession := said(header, batch.received_ms, digest)) is not None:
            successions.note(self._connection, succession, entry.position)
        for number in batch.numbers:
            try:
                one = records.brief(batch, number)
            except Unreadable as error:
                self._leave_out(entry.position, number, error)
                continue
            if not self._is_left_out(batch, one):
                self._take_line(batch, probe, number, one)

    def _leave_out(self, position: int, number: int, error: Unreadable) -> None:
        """Notes a line that cannot be read, or of line 0 a whole batch."""
        logger.error("%s It is left out.", error)
        self._connection.execute("INSERT INTO unreadable VALUES (?, ?, ?)", (position, number, error.fault))

    def _is_in(self, batch: Batch, number: int) -> bool:
        """Whether a line of a batch was taken in."""
        try:
            return not self._is_left_out(batch, records.brief(batch, number))
        except Unreadable:
            return False

    def _is_left_out(self, batch: Batch, one: Brief) -> bool:
        """Whether its hour was frozen before it came, or it was counted already in what has gone."""
        if not self._freezes.all:
            return False
        hour = records.start(batch, one).ms // HOUR_MS
        is_copy = (batch.header.key, one.uid) in self._copied
        return is_copy or self._freezes.is_late(hour, batch.position)

    def _take_line(self, batch: Batch, probe: int, number: int, one: Brief) -> None:
        line, uid = batch.position * LINES + number, bytes.fromhex(one.uid)
        found = self._connection.execute("SELECT line FROM identity WHERE probe = ? AND uid = ?", (probe, uid))
        before = found.fetchone()
        counts = before is None or self._rank(line) < self._rank(before[0])
        if before is not None:
            other = before[0] if counts else line
            noted = (other, probe, uid, batch.position)
            self._connection.execute("INSERT INTO again VALUES (?, ?, ?, ?)", noted)
        if counts:
            if before is not None:
                self._drop(probe, before[0])
            self._put(batch, probe, line, one)

    def _put(self, batch: Batch, probe: int, line: int, one: Brief) -> None:
        target, cycle = self._number("target", "name", one.target), self._cycle(probe, one.cycle)
        began = records.start(batch, one)
        row = (target, began.ms, line, probe, cycle, one.round)
        self._connection.execute("INSERT INTO measurement VALUES (?, ?, ?, ?, ?, ?)", row)
        identity = (probe, bytes.fromhex(one.uid), line)
        self._connection.execute("INSERT OR REPLACE INTO identity VALUES (?, ?, ?)", identity)

    def _drop(self, probe: int, line: int) -> None:
        """Takes out a line that counts no more. What it says is not asked: its body may be lost."""
        statement = "DELETE FROM measurement INDEXED BY measurement_by_probe WHERE probe = ? AND line = ?"
        self._connection.execute(statement, (probe, line))

    def _rank(self, line: int) -> tuple[int, bytes]:
        """Of two lines with one identity, the one of lower rank counts."""
        found = self._connection.execute(
            "SELECT received_ms, digest FROM batch WHERE position = ?", (line // LINES,)
        ).fetchone()
        return int(found[0]), bytes(found[1])

    def _number(self, table: str, column: str, value: str | bytes) -> int:
        """The number that stands for a word."""
        select = f"SELECT id FROM {table} WHERE {column} = ?"
        found = self._connection.execute(select, (value,)).fetchone()
        if found is None:
            return self._new(f"INSERT INTO {table} ({column}) VALUES (?)", value)
        return int(found[0])

    def _cycle(self, probe: int, word: str) -> int:
        select = "SELECT id FROM cycle WHERE probe = ? AND word = ?"
        found = self._connection.execute(select, (probe, bytes.fromhex(word))).fetchone()
        if found is None:
            return self._new("INSERT INTO cycle (probe, word) VALUES (?, ?)", probe, bytes.fromhex(word))
        return int(found[0])

    def _new(self, insert: str, *values: str | bytes | int) -> int:
        row = self._connection.execute(insert, values).lastrowid
        assert row is not None
        return row

    # --- Questions

    def arrived(self, after: int, limit: int) -> Arrived:
        upto = self._upto(after, limit)
        lines = [line for position in self._positions(after, upto) for line in self._lines_at(position)]
        there = set(lines)
        lines += [line for line in self._competing(after, upto) if line not in there]
        found = list(self._records(lines))
        idle = set(self._lines("FROM again WHERE line >= ? AND line < ?", (after + 1) * LINES, (upto + 1) * LINES))
        counting = [r for r in found if after < r.cursor <= upto and r.cursor * LINES + r.line not in idle]
        return Arrived(upto, found, counting)

    def measurements(self, target: str, first_hour: int, last_hour: int) -> list[Record]:
        return self.during(target, first_hour * HOUR_MS, (last_hour + 1) * HOUR_MS)

    def during(self, target: str, since_ms: int, until_ms: int) -> list[Record]:
        where = "target = (SELECT id FROM target WHERE name = ?) AND started_ms >= ? AND started_ms < ?"
        found = self._lines(f"FROM measurement WHERE {where}", target, since_ms, until_ms)
        return sorted(self._records(found), key=_by_start)

    def siblings(self, key: str, cycle: str, target: str | None = None, round: int | None = None) -> list[Record]:
        given: list[str | bytes | int] = [bytes.fromhex(key), bytes.fromhex(cycle)]
        named = "SELECT c.id FROM cycle AS c JOIN probe AS p ON p.id = c.probe WHERE p.key = ? AND c.word = ?"
        where = f"FROM measurement INDEXED BY measurement_by_cycle WHERE cycle = ({named})"
        if target is not None:
            where, given = f"{where} AND target = (SELECT id FROM target WHERE name = ?)", [*given, target]
        if round is not None:
            where, given = f"{where} AND round = ?", [*given, round]
        return sorted(self._records(self._lines(where, *given)), key=_by_round)

    def by_keys(self, keys: Collection[str], since_ms: int, until_ms: int, target: str | None = None) -> list[Record]:
        where = "probe = (SELECT id FROM probe WHERE key = ?) AND started_ms >= ? AND started_ms < ?"
        statement = f"FROM measurement INDEXED BY measurement_by_probe WHERE {where}"
        more: tuple[str, ...] = ()
        if target is not None:
            statement, more = f"{statement} AND target = (SELECT id FROM target WHERE name = ?)", (target,)
        span = (since_ms, until_ms)
        found = [line for key in keys for line in self._lines(statement, bytes.fromhex(key), *span, *more)]
        return sorted(self._records(found), key=_by_start)

    def hours(self) -> set[Hour]:
        hour = f"started_ms / {HOUR_MS}"
        return set(self._read(f"SELECT DISTINCT t.name, {hour} FROM measurement JOIN target AS t ON t.id = target"))

    def conflicts(self) -> list[Conflict]:
        """The lines that say something else under the (key, uid) of one that counts, in order."""
        statement = """
        SELECT a.line, i.line, p.key, a.uid FROM again AS a
        JOIN identity AS i ON i.probe = a.probe AND i.uid = a.uid JOIN probe AS p ON p.id = a.probe
        """
        return sorted(
            Conflict(key=key.hex(), uid=uid.hex(), position=line // LINES, number=line % LINES)
            for line, counting, key, uid in self._read(statement)
            if self._bytes_at(line) != self._bytes_at(counting)
        )

    def successions(self, after: int, upto: int) -> list[Said]:
        return successions.said(self._read(successions.BETWEEN, after, upto))

    def missing(self) -> Missing:
        """What is missing of all that was sent, as far as the numbers of batches and the probes say."""
        (lost,) = self._read(heard.LOST)
        return heard.missing(self._read(heard.SPANS), lost)

    def unreadable(self) -> list[tuple[int, int]]:
        """(position, line) of what cannot be read: of line 0 a whole batch, which the disk has lost a part of."""
        return self._read("SELECT position, line FROM unreadable ORDER BY position, line")

    def _upto(self, after: int, limit: int) -> int:
        """The position of the last of so many batches."""
        within = "SELECT position FROM {} WHERE position > ?1 ORDER BY position LIMIT ?2"
        lost = within.format("unreadable").replace("WHERE", "WHERE line = 0 AND")
        both = f"SELECT * FROM ({within.format('batch')}) UNION SELECT * FROM ({lost})"
        found = self._read(f"SELECT max(position) FROM ({both} ORDER BY position LIMIT ?2)", after, limit)
        if found[0][0] is None:
            return max(after, self.position())  # what follows has no bodies any more
        return int(found[0][0])

    def _positions(self, after: int, upto: int) -> list[int]:
        where = "position > ? AND position <= ?"
        return [position for (position,) in self._read(f"SELECT position FROM batch WHERE {where}", after, upto)]

    def _lines_at(self, position: int) -> list[int]:
        try:
            batch = self._batches.at(position)
            if self._freezes.all:
                numbers = [number for number in batch.numbers if self._is_in(batch, number)]
            else:
                lost = set(self._lines("FROM unreadable WHERE position = ?", position))
                numbers = [number for number in batch.numbers if number not in lost]
            return [position * LINES + number for number in numbers]
        except Unreadable as error:
            return list(self._damaged_at(position, error))

    def _competing(self, after: int, upto: int) -> list[int]:
        """All lines of the identities that turned out between these positions to have several."""
        noticed = "(SELECT DISTINCT probe, uid FROM again WHERE noticed > ?1 AND noticed <= ?2) AS n"
        same = "{0}.probe = n.probe AND {0}.uid = n.uid"
        found = self._read(
            f"SELECT a.line FROM {noticed} JOIN again AS a ON {same.format('a')}"
            f" UNION SELECT i.line FROM {noticed} JOIN identity AS i ON {same.format('i')} ORDER BY 1",
            after,
            upto,
        )
        return [line for (line,) in found]

    def _lines(self, rest: str, *parameters: str | bytes | int) -> list[int]:
        return [line for (line,) in self._read(f"SELECT line {rest}", *parameters)]

    def _records(self, lines: Iterable[int]) -> Iterator[Record]:
        """The records of lines. What the disk has lost a part of is known by what stands here, and no more."""
        for line in lines:
            try:
                yield records.record(*self._at(line))
            except Unreadable as error:
                damaged = self._damaged_at(line // LINES, error).get(line)
                if damaged is not None:  # else it does not count
                    yield damaged

    def _damaged_at(self, position: int, error: Unreadable) -> dict[int, Record]:
        """Stubs of what counts of a batch that cannot be read any more. It takes a search: there is no other way."""
        if position not in self._damaged:
            logger.error("%s Restore the log from a backup.", error)
            rows = self._read(DAMAGED, position * LINES, (position + 1) * LINES)
            self._damaged[position] = {row[0]: self._stub(row, error.fault) for row in rows}
        return self._damaged[position]

    def _stub(self, row: tuple[Any, ...], fault: str) -> Record:
        line, key, uid, target, cycle, round, started_ms = row
        position, number = divmod(line, LINES)
        ((software, targets),) = self._read("SELECT software, targets FROM batch WHERE position = ?", position)
        entry = self._entry(position) or segment.lost(position)
        measurement = Measurement(
            uid=uid.hex(),
            target=target,
            cycle=cycle.hex(),
            round=round,
            started_ms=started_ms,
            clock_offset_ms=None,
            link=Link(up=False),
        )
        about = records.without_body(entry, key.hex(), software, targets.hex())
        return records.stub(about, number, measurement, fault)

    def _at(self, line: int) -> tuple[Batch, int]:
        """The batch of a line, and the line's number in it. Raises Unreadable."""
        return self._batches.at(line // LINES), line % LINES

    def _bytes_at(self, line: int) -> bytes:
        batch, number = self._at(line)
        return batch.lines[number]

    def _entry(self, position: int) -> Entry | None:
        found = self._log.read(position - 1, 1)
        return found[0] if found and found[0].position == position else None

    def _open(self, position: int) -> Batch:
        """The batch that was taken in. Raises Unreadable when the disk has lost a part of it."""
        ((digest,),) = self._read("SELECT digest FROM batch WHERE position = ?", position)
        entry = self._entry(position)
        if entry is None:
            raise Unreadable(position, "Gone")
        batch = records.opened(entry)
        if entry.envelope.digest != digest:
            raise Unreadable(position, "Altered")
        return batch

    def _read(self, statement: str, *parameters: str | bytes | int) -> list[tuple[Any, ...]]:
        """The rows of a statement, on the calling thread's own connection."""
        if not hasattr(self._own, "connection"):
            self._own.connection = index_schema.reading_connection(self._path)
            self._readers.append(self._own.connection)
        connection: sqlite3.Connection = self._own.connection
        return connection.execute(statement, parameters).fetchall()


def _by_start(record: Record) -> tuple[int, str, str]:
    """The same set of records gives the same order, whatever the order of arrival."""
    return record.started_ms, record.key, record.measurement.uid


def _by_round(record: Record) -> tuple[int, str]:
    return record.measurement.round, record.measurement.uid
