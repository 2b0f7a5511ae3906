"""Which numbers of each key's batches came, and what its probe says that it lost: in the index, as runs of numbers.

So what is missing follows from the log, is the same in whatever order the batches came, and is known after a restart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from collector.facts.gaps import Missing, joined, missing_of
from collector.facts.lines import Said
from collector.judging import successions
from probe.model import BatchHeader

NEAR = "SELECT first, last FROM heard WHERE probe = ?1 AND first <= ?2 + 1 ORDER BY first DESC LIMIT 2"
SPANS = "SELECT min(first), max(last), sum(last - first + 1) FROM heard GROUP BY probe"
MOST_LOST = 1_000_000  # of one key: sums must not overflow, whatever strangers say
LOST = "SELECT coalesce(sum(lost_batches), 0), coalesce(sum(lost_measurements), 0) FROM probe"
LOSE = f"""
UPDATE probe SET lost_batches = max(lost_batches, min(?2, {MOST_LOST})),
    lost_measurements = max(lost_measurements, min(?3, {MOST_LOST})) WHERE id = ?1
"""


class Heard(Struct, frozen=True):
    """What was heard of one key: runs of numbers that came, what its probe says to have lost, and who follows it."""

    key: str
    lost_batches: int
    lost_measurements: int
    runs: tuple[tuple[int, int], ...]
    successions: tuple[Said, ...] = ()


def hear_again(connection: sqlite3.Connection, all: Iterable[Heard]) -> None:
    """Begins an empty index with what was heard from batches whose bodies have gone, and maybe from later ones."""
    for one in all:
        probe = connection.execute(
            "INSERT INTO probe (key, lost_batches, lost_measurements) VALUES (?, ?, ?) RETURNING id",
            (bytes.fromhex(one.key), one.lost_batches, one.lost_measurements),
        ).fetchone()[0]
        connection.executemany("INSERT INTO heard VALUES (?, ?, ?)", [(probe, *run) for run in one.runs])
        for said in one.successions:
            successions.note(connection, said, 0)


def hear(connection: sqlite3.Connection, probe: int, header: BatchHeader) -> None:
    """Notes what the header of a batch says, which may have come before."""
    connection.execute(LOSE, (probe, header.lost_batches, header.lost_measurements))
    number = header.sequence
    if number is None:
        return
    near = [run for run in connection.execute(NEAR, (probe, number)) if run[1] >= number - 1]
    for first, _ in near:
        connection.execute("DELETE FROM heard WHERE probe = ? AND first = ?", (probe, first))
    connection.execute("INSERT INTO heard VALUES (?, ?, ?)", (probe, *joined(number, near)))


def missing(spans: Iterable[tuple[int, int, int]], lost: tuple[int, int]) -> Missing:
    """What the rows of SPANS and the row of LOST say."""
    return Missing(sum(missing_of(*span) for span in spans), *lost)
