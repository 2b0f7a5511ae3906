"""What lines saw near in time, and who asked about it: addresses that were tried, resolvers that were used.

A working copy of what the log says, made an hour of a target at a time when it is first needed, in a temporary file of
its own: what was used least long ago goes when it grows too large, and is made again. Beside it stands what was
answered to whom, so that an arrival is held only against those whom it may concern:

- who knows of as many lines as any rule tells apart *rests* on those; while they say the same, nobody else changes it;
- who knows of none that got through, and of one that failed, rests on that one, until some line gets through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any

from msgspec import Struct

from collector.judging.quarantine import Identity, identity
from collector.judging.who_counts import Source
from collector.log import Record
from probe.judge.evidence import NEAR_MS
from probe.judge.in_time import Look
from probe.model import Network

Hour = tuple[str, int]  # target, hours since 1970

MOST = 3_000_000  # of what was seen, in all hours together
CACHE_KB = 32_000

TABLES = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{CACHE_KB};
CREATE TABLE number (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE TABLE measured (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    hour INTEGER NOT NULL,
    key TEXT NOT NULL,
    uid TEXT NOT NULL,
    cycle TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    asn INTEGER NOT NULL,
    operator TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    day INTEGER,
    bucket TEXT,
    UNIQUE (key, uid)
);
CREATE INDEX measured_in ON measured (target, hour);
CREATE TABLE seen (
    place INTEGER NOT NULL, -- a target in a country
    word INTEGER NOT NULL, -- an address, or a resolver's prefix
    line INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    measured INTEGER NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (place, word, line, at_ms, measured)
) WITHOUT ROWID;
CREATE INDEX seen_through ON seen (place, word, at_ms, line, measured) WHERE through = 1;
CREATE INDEX seen_failing ON seen (place, word, at_ms, line, measured) WHERE through = 0;
CREATE INDEX seen_by ON seen (measured);
CREATE TABLE asked (
    place INTEGER NOT NULL,
    word INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    measured INTEGER NOT NULL,
    rests INTEGER NOT NULL,
    upon TEXT NOT NULL, -- the lines that it rests upon
    PRIMARY KEY (place, word, at_ms, measured)
) WITHOUT ROWID;
CREATE INDEX asked_by ON asked (measured);
"""


ANYTHING = "*"  # stands for whatever a measurement asks about, where that is not known
OTHERS = f"AND m.asn <> ? AND (m.operator <> ? OR m.operator = '{Network().operator}') AND m.key <> ?"
GOT_THROUGH = "SELECT 1 FROM seen WHERE place = ? AND word = ? AND line = ? AND through = 1 LIMIT 1"
ASKERS = """
SELECT m.target, m.key, m.uid, m.cycle FROM asked AS a JOIN measured AS m ON m.id = a.measured
WHERE a.place = ? AND a.word = ? AND a.at_ms BETWEEN ? AND ? AND m.simulated >= ?
  AND (instr(a.upon, ?) > 0 OR a.rests <= ?)
"""


class Rests(IntEnum):
    """On what an answer rests: which arrivals it may not survive."""

    OPEN = 0  # any line's may change it
    ON_A_FAILURE = 1  # only one of a line that gets through, or of those that it rests upon
    ON_ENOUGH = 2  # only one of those that it rests upon


class Answer(Struct, frozen=True):
    """To a question about a word: on what it rests, and upon which lines, by number."""

    rests: Rests = Rests.OPEN
    upon: tuple[int, ...] = ()


class Asker(Struct, frozen=True, order=True):
    """A measurement that asked about something."""

    target: str
    key: str
    uid: str
    cycle: str


class Sight(Struct, frozen=True):
    """That a line saw a word, and how."""

    line: int
    source: Source


class Nearby:
    """The copy. `words` says what a record shows, word → whether it got through; nothing where its line says nothing
    to others. `load` finds all records of a target in an hour. `source` tells from where a record came.
    """

    def __init__(
        self,
        words: Callable[[Record], dict[str, bool]],
        load: Callable[[str, int], Iterable[Record]],
        source: Callable[[Record], Source],
        most: int = MOST,
    ) -> None:
        self._words, self._load, self._source, self._most = words, load, source, most
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(TABLES)
        self._loaded: dict[Hour, int] = {}  # and how much was seen in it, in order of last use

    def close(self) -> None:
        self._connection.close()

    # --- What is held

    def knows(self, hour: Hour) -> bool:
        return hour in self._loaded

    def need(self, target: str, hours: Iterable[int], asked: Callable[[str, int], set[Identity]]) -> None:
        """Has these hours of a target. Of one that it lacks, `asked` says who asked anything in it."""
        for hour in hours:
            if (target, hour) in self._loaded:
                self._loaded[target, hour] = self._loaded.pop((target, hour))
            else:
                self._take_hour(target, hour, asked(target, hour))

    def forget_all(self) -> None:
        for table in ("number", "measured", "seen", "asked"):
            self._connection.execute(f"DELETE FROM {table}")
        self._loaded.clear()

    def update(self, lines: Iterable[Record], counting: Iterable[Record]) -> None:
        """Takes in records of the hours that it has: `lines` may be there, and go; `counting` come."""
        for name in {identity(record) for record in lines}:
            self._drop(name)
        for record in counting:
            place = (record.measurement.target, record.hour)
            if place in self._loaded:
                self._loaded[place] += self._take(record)

    def shrink(self) -> None:
        """Lets go of what was used least long ago, if it is too much."""
        while len(self._loaded) > 1 and sum(self._loaded.values()) > self._most:
            hour = next(iter(self._loaded))
            del self._loaded[hour]
            gone = [row[0] for row in self._rows("SELECT id FROM measured WHERE target = ? AND hour = ?", *hour)]
            for measured in gone:
                self._drop_number(measured)

    def _take_hour(self, target: str, hour: int, asked: set[Identity]) -> None:
        self._loaded[target, hour] = 1
        self._connection.execute("BEGIN")
        for record in self._load(target, hour):
            self._drop(identity(record))
            self._loaded[target, hour] += self._take(record)
            if identity(record) in asked:
                self.answered(record, None)
        self._connection.execute("COMMIT")

    def _take(self, record: Record) -> int:
        words = self._words(record)
        measured = self._measured(record)
        place, line = self._place(record), self._number(record.key)
        rows = [
            (place, self._number(word), line, record.started_ms, measured, through) for word, through in words.items()
        ]
        self._connection.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?)", rows)
        return 1 + len(rows)

    def _measured(self, record: Record) -> int:
        """The number of a measurement."""
        known = self._rows("SELECT id FROM measured WHERE key = ? AND uid = ?", *identity(record))
        if known:
            return int(known[0][0])
        one, network = record.measurement, record.network
        row = (
            *(one.target, record.hour, record.key, one.uid, one.cycle, record.started_ms),
            *(network.asn, network.operator, one.simulated, *self._source(record)),
        )
        statement = f"INSERT INTO measured VALUES (NULL, {', '.join('?' * len(row))})"
        return int(self._connection.execute(statement, row).lastrowid or 0)

    def _drop(self, name: Identity) -> None:
        for (measured,) in self._rows("SELECT id FROM measured WHERE key = ? AND uid = ?", *name):
            self._drop_number(measured)

    def _drop_number(self, measured: int) -> None:
        for statement in (
            "DELETE FROM seen WHERE measured = ?",
            "DELETE FROM asked WHERE measured = ?",
            "DELETE FROM measured WHERE id = ?",
        ):
            self._connection.execute(statement, (measured,))

    # --- What others saw

    def sights(self, record: Record, word: str, *, through: bool, others: bool) -> Iterator[Sight]:
        """Who saw a word so within ±60 min of a record, in order of time. `others`: only of other operators."""
        network, at_ms = record.network, record.started_ms
        statement = f"""
        SELECT s.line, m.day, m.bucket FROM seen AS s JOIN measured AS m ON m.id = s.measured
        WHERE s.place = ? AND s.word = ? AND s.through = {through:d} AND s.at_ms BETWEEN ? AND ?
          AND m.simulated <= ? {OTHERS if others else ""} ORDER BY s.at_ms, m.key, m.uid
        """
        about = (self._place(record), self._number(word), at_ms - NEAR_MS, at_ms + NEAR_MS)
        who = (network.asn, network.operator, record.key) if others else ()
        for line, day, bucket in self._connection.execute(statement, (*about, record.measurement.simulated, *who)):
            yield Sight(line, (day, bucket))

    def looks(self, record: Record, word: str, line: int) -> list[tuple[str, Look]]:
        """All that one line of another operator met there within ±60 min of a record, with the cycle of each."""
        network, at_ms = record.network, record.started_ms
        rows = self._rows(
            f"""
            SELECT m.cycle, s.at_ms, s.through, m.uid FROM seen AS s JOIN measured AS m ON m.id = s.measured
            WHERE s.place = ? AND s.word = ? AND s.line = ? AND s.at_ms BETWEEN ? AND ?
              AND m.simulated <= ? {OTHERS}
            """,
            *(self._place(record), self._number(word), line, at_ms - NEAR_MS, at_ms + NEAR_MS),
            *(record.measurement.simulated, network.asn, network.operator, record.key),
        )
        return [(cycle, Look(line, then_ms, bool(through), uid)) for cycle, then_ms, through, uid in rows]

    # --- Who asked

    def answered(self, record: Record, answers: dict[str, Answer] | None) -> None:
        """Notes what a measurement was answered, which is all that it asks; None: that is not known, whatever it is."""
        if (record.measurement.target, record.hour) not in self._loaded:
            return
        measured, place = self._measured(record), self._place(record)
        self._connection.execute("DELETE FROM asked WHERE measured = ?", (measured,))
        if answers is None:
            answers = {ANYTHING: Answer()}
        self._connection.executemany(
            "INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?)",
            [
                (place, self._number(word), record.started_ms, measured, int(answer.rests), _upon(answer.upon))
                for word, answer in answers.items()
            ],
        )

    def askers(self, record: Record, words: Iterable[str], *, others: bool) -> set[Asker]:
        """To whom it may matter what a record shows of these words, of those who asked within ±60 min of it.

        `others`: only those of other operators ask about such words. Whose questions are not known, asks about all.
        """
        place, line = self._place(record), self._number(record.key)
        network = record.network
        about = (record.started_ms - NEAR_MS, record.started_ms + NEAR_MS, record.measurement.simulated, _upon([line]))
        who = (network.asn, network.operator, record.key) if others else ()
        found: set[Asker] = set()
        for word in (*words, ANYTHING):
            number = self._number(word)
            least = Rests.ON_A_FAILURE if self._rows(GOT_THROUGH, place, number, line) else Rests.OPEN
            rows = self._rows(f"{ASKERS} {OTHERS if others else ''}", place, number, *about, least, *who)
            found |= {Asker(*row) for row in rows}
        return found

    def _place(self, record: Record) -> int:
        return self._number(f"{record.measurement.target} {record.network.country}")

    def _number(self, word: str) -> int:
        known = self._rows("SELECT id FROM number WHERE word = ?", word)
        if known:
            return int(known[0][0])
        return int(self._connection.execute("INSERT INTO number (word) VALUES (?)", (word,)).lastrowid or 0)

    def _rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()


def _upon(lines: Iterable[int]) -> str:
    return f",{','.join(map(str, lines))},"
