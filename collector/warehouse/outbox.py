"""The outbox: marks of what has changed since InfluxDB was last given it, kept in the warehouse's own file.

A mark is set in the transaction that makes the change, and removed when what stood there afterwards has been written.
So whatever is committed is written at least once, whenever either side was stopped; and since points are absolute and
their times deterministic, more often is as good. What is marked is a place to look, not what to say: what changes
ten times before anybody looks is written once.

    unsent           totals to be made again: of a target in an hour, in a day, …
    unsent_verdict   single verdicts
    vacated          verdicts that an earlier judging put elsewhere: what was said of those places becomes zero
    seen             when a network, a release, a targets file, a control was first heard of
    dead_letter      lines that InfluxDB refused, and why

All functions work on a connection inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

import duckdb

from collector.facts.standing import DAY_MS
from collector.warehouse.privacy_floor import DELAY_MS
from collector.warehouse.tables import VERDICT_COLUMNS
from probe.model import HOUR_MS

MOST_DEAD_LETTERS = 10_000
HOURS_A_DAY = 24


class Kind(StrEnum):
    """What a mark in `unsent` asks for. Its slot is in hours since 1970 or, where it says so, in days."""

    VERDICTS = "verdicts"  # all of a target in an hour
    HOUR = "hour"
    DAY = "day"
    COVERAGE = "coverage"  # an hour, all targets
    COVERAGE_DAY = "coverage_day"
    EVENTS = "events"  # slot 0


class Noticed(StrEnum):
    """What of the table `seen` a row is about."""

    NETWORK = "network"
    SOFTWARE = "software"
    TARGETS = "targets"
    CONTROL = "control"
    RULES = "rules"


COLUMNS: dict[str, dict[str, str]] = {
    "unsent": {"number": "BIGINT", "kind": "VARCHAR", "target": "VARCHAR", "slot": "BIGINT"},
    "unsent_verdict": {
        "number": "BIGINT",
        "target": "VARCHAR",
        "hour": "BIGINT",
        "key": "VARCHAR",
        "uid": "VARCHAR",
    },
    "vacated": {
        name: VERDICT_COLUMNS[name]
        for name in (
            *("target", "service", "role", "hour", "started_ms", "key", "uid"),
            *("country", "asn", "operator", "access", "software", "is_control", "simulated"),
        )
    },
    "seen": {
        "kind": "VARCHAR",
        "country": "VARCHAR",
        "asn": "BIGINT",
        "operator": "VARCHAR",
        "word": "VARCHAR",
        "simulated": "BOOLEAN",
        "first_ms": "BIGINT",
    },
    "dead_letter": {
        "at_ms": "BIGINT",
        "database": "VARCHAR",
        "line": "VARCHAR",
        "status": "BIGINT",
        "reason": "VARCHAR",
    },
}
META = {"fed": "VARCHAR", "marks": "BIGINT"}  # which InfluxDB; how many marks were ever set
IDENTITY = "PRIMARY KEY (kind, country, asn, operator, word, simulated)"

# Of a verdict, what its point says and what totals are made of: two judgings that agree on these need no writing.
PROJECTED = """
target, hour, started_ms, key, uid, round, country, asn, operator, access, state, mechanism, depth, step, rule,
software, received_ms, is_control, simulated, established, bucket
"""
VACATED = ", ".join(COLUMNS["vacated"])
_PLACED = [list(VERDICT_COLUMNS).index(name) for name in COLUMNS["vacated"]]
LATE = f"""
SELECT DISTINCT target, hour FROM verdict
WHERE established AND received_ms >= $1 AND received_ms < $2 AND received_ms > (hour + 1) * {HOUR_MS} + {DELAY_MS}
"""

Verdicts = Sequence[tuple[object, ...]]  # in the order of VERDICT_COLUMNS
Mark = tuple[str, int]  # target, slot

_IDENTITY = ("target", "hour", "key", "uid")
_NOTICED = (
    *("country", "asn", "operator", "software", "targets"),
    *("targets_known", "is_control", "simulated", "received_ms"),
)
_FRESH = ", ".join(f"unnest(${i}::{VERDICT_COLUMNS[name]}[]) AS {name}" for i, name in enumerate(_NOTICED, 1))
_NOTICE = """
INSERT INTO seen SELECT kind, country, asn, operator, word, simulated, min(received_ms) FROM (
    WITH fresh AS ({fresh})
    SELECT 'network' AS kind, country, asn, '' AS operator, '' AS word, simulated, received_ms FROM fresh
    UNION ALL SELECT 'software', '', 0, '', software, simulated, received_ms FROM fresh
    UNION ALL SELECT 'targets', '', 0, '', targets, simulated, received_ms FROM fresh WHERE targets_known
    UNION ALL SELECT 'control', country, asn, operator, '', simulated, received_ms FROM fresh WHERE is_control
) GROUP BY ALL ON CONFLICT DO UPDATE SET first_ms = least(first_ms, excluded.first_ms)
"""
NOTICE = _NOTICE.format(fresh=f"SELECT {_FRESH}")
NOTICE_ALL = _NOTICE.format(fresh="FROM verdict")


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    for table, columns in COLUMNS.items():
        parts = [f"{name} {kind}" for name, kind in columns.items()] + [IDENTITY] * (table == "seen")
        connection.execute(f"CREATE TABLE {table} ({', '.join(parts)})")


def destination(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The name of the InfluxDB that the marks are for; None when there is none, and no mark is set."""
    ((name,),) = connection.execute("SELECT fed FROM meta").fetchall()
    return None if name is None else str(name)


# --- Setting marks


def note(connection: duckdb.DuckDBPyConnection, hours: Sequence[Mark], fresh: Verdicts, gone: Verdicts = ()) -> None:
    """Of these (target, hour) something has changed; the `fresh` verdicts are new, or other than they were; those that
    are `gone` stood there, and do not any more.
    """
    news = _notice(connection, fresh)
    if destination(connection) is None:
        return
    _vacate(connection, gone)
    _mark_totals(connection, hours)
    _mark(connection, Kind.EVENTS, [("", 0)] * news)
    if not fresh:
        return
    connection.execute(
        "INSERT INTO unsent_verdict SELECT unnest($1::BIGINT[]), unnest($2::VARCHAR[]), unnest($3::BIGINT[]),"
        " unnest($4::VARCHAR[]), unnest($5::VARCHAR[])",
        [_numbers(connection, len(fresh)), *_columns(fresh, _IDENTITY)],
    )


def notice_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Keeps when what the verdicts are about was first heard of, as when each of them was new."""
    connection.execute(NOTICE_ALL)


def placed(verdict: Sequence[object]) -> tuple[object, ...]:
    """Of a verdict, in the order of VERDICT_COLUMNS, where its point stands."""
    return tuple(verdict[place] for place in _PLACED)


def _vacate(connection: duckdb.DuckDBPyConnection, gone: Verdicts) -> None:
    if not gone:
        return
    rows = ", ".join(f"unnest(${i}::{kind}[])" for i, kind in enumerate(COLUMNS["vacated"].values(), 1))
    left = [list(column) for column in zip(*map(placed, gone), strict=True)]
    connection.execute(f"INSERT INTO vacated (SELECT {rows}) EXCEPT SELECT {VACATED} FROM vacated", left)
    target, hour = (list(VERDICT_COLUMNS).index(name) for name in ("target", "hour"))
    _mark(connection, Kind.VERDICTS, {(str(row[target]), int(str(row[hour]))) for row in gone})


def notice_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes what was first heard of follow from what stands, and from nothing that stood there before."""
    connection.execute(f"DELETE FROM seen WHERE kind <> '{Noticed.RULES}'")
    notice_all(connection)
    if destination(connection) is not None:
        _mark(connection, Kind.EVENTS, [("", 0)])


def note_rules(connection: duckdb.DuckDBPyConnection) -> None:
    """All that stands is about to be judged again, by the rules that `meta` names."""
    if destination(connection) is not None:
        connection.execute(NEW_RULES.format(but=""))
        _mark(connection, Kind.EVENTS, [("", 0)])


def forget_places(connection: duckdb.DuckDBPyConnection) -> None:
    """Forgets where verdicts stood that are nowhere any more, once all that was marked is written."""
    connection.execute(
        "DELETE FROM vacated WHERE NOT EXISTS (FROM unsent)"
        " AND NOT EXISTS (FROM verdict AS v WHERE v.key = vacated.key AND v.uid = vacated.uid)"
    )


def feed(connection: duckdb.DuckDBPyConnection, name: str | None) -> None:
    """Makes marks for the InfluxDB of this name from now on. Another one than before is told everything."""
    if destination(connection) == name:
        return
    for table in ("unsent", "unsent_verdict", "dead_letter"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("UPDATE meta SET fed = $1", [name])
    if name is not None:
        mark_all(connection)


def mark_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks everything to be written again."""
    every = "SELECT DISTINCT target, hour FROM verdict UNION SELECT target, hour FROM vacated"
    _mark_hours(connection, connection.execute(every).fetchall())
    _mark(connection, Kind.EVENTS, [("", 0)])


def newest_day(connection: duckdb.DuckDBPyConnection) -> int:
    """The UTC day, since 1970, on which was received what was received last."""
    ((day,),) = connection.execute(f"SELECT coalesce(max(received_ms), 0) // {DAY_MS} FROM verdict").fetchall()
    return int(day)


def mark_late(connection: duckdb.DuckDBPyConnection, since_ms: int, until_ms: int) -> None:
    """Marks the totals of hours of which something was received then, later than in the first edition (editions.py)."""
    if destination(connection) is not None:
        _mark_totals(connection, connection.execute(LATE, [since_ms, until_ms]).fetchall())


def _mark_hours(connection: duckdb.DuckDBPyConnection, hours: Sequence[Mark]) -> None:
    _mark(connection, Kind.VERDICTS, hours)
    _mark_totals(connection, hours)


def _mark_totals(connection: duckdb.DuckDBPyConnection, hours: Sequence[Mark]) -> None:
    _mark(connection, Kind.HOUR, hours)
    _mark(connection, Kind.DAY, {(target, hour // HOURS_A_DAY) for target, hour in hours})
    _mark(connection, Kind.COVERAGE, {("", hour) for _, hour in hours})
    _mark(connection, Kind.COVERAGE_DAY, {("", hour // HOURS_A_DAY) for _, hour in hours})


def _mark(connection: duckdb.DuckDBPyConnection, kind: Kind, marks: Collection[Mark]) -> None:
    """A mark that is there already gets a new number, for somebody may be writing what stood there before."""
    if not marks:
        return
    columns = [list(column) for column in zip(*sorted(marks), strict=True)]
    connection.execute(
        "DELETE FROM unsent WHERE kind = $1 AND (target, slot) IN (SELECT unnest($2::VARCHAR[]), unnest($3::BIGINT[]))",
        [kind.value, *columns],
    )
    connection.execute(
        "INSERT INTO unsent SELECT unnest($1::BIGINT[]), $2, unnest($3::VARCHAR[]), unnest($4::BIGINT[])",
        [_numbers(connection, len(marks)), kind.value, *columns],
    )


def _numbers(connection: duckdb.DuckDBPyConnection, count: int) -> list[int]:
    """The next numbers, which no mark has had."""
    ((last,),) = connection.execute("UPDATE meta SET marks = marks + $1 RETURNING marks", [count]).fetchall()
    return list(range(last - count + 1, last + 1))


def _notice(connection: duckdb.DuckDBPyConnection, fresh: Verdicts) -> bool:
    """Keeps when things were first heard of; returns whether anything of it is news."""
    if not fresh:
        return False
    summary = "SELECT count(*), sum(first_ms) FROM seen"
    before = connection.execute(summary).fetchall()
    connection.execute(NOTICE, _columns(fresh, _NOTICED))
    return connection.execute(summary).fetchall() != before


def _columns(rows: Verdicts, names: Sequence[str]) -> list[list[object]]:
    places = [list(VERDICT_COLUMNS).index(name) for name in names]
    return [[row[place] for row in rows] for place in places]


# --- When a file that was judged anew takes the place of another

DIFFERING = f"""
SELECT DISTINCT target, hour FROM (
    (SELECT {PROJECTED} FROM {{old}}.verdict EXCEPT SELECT {PROJECTED} FROM verdict) UNION ALL
    (SELECT {PROJECTED} FROM verdict EXCEPT SELECT {PROJECTED} FROM {{old}}.verdict)
) UNION SELECT DISTINCT target, hour FROM (
    (FROM {{old}}.cell EXCEPT FROM cell) UNION ALL (FROM cell EXCEPT FROM {{old}}.cell)
) UNION SELECT DISTINCT target, hour FROM (
    (FROM {{old}}.step EXCEPT FROM step) UNION ALL (FROM step EXCEPT FROM {{old}}.step)
)
"""
VACATE = f"""
INSERT INTO vacated SELECT {VACATED} FROM {{old}}.verdict EXCEPT SELECT {VACATED} FROM verdict
"""
NEW_RULES = """
INSERT INTO seen SELECT 'rules', '', 0, '', rules_version::VARCHAR, false, (SELECT max(received_ms) FROM verdict)
FROM meta WHERE EXISTS (FROM verdict){but}
ON CONFLICT DO NOTHING
"""


def carry(connection: duckdb.DuckDBPyConnection, old: str) -> None:
    """Hands the marks of the attached database `old` on to the one in use, and marks what differs between them."""
    if connection.execute(f"SELECT fed FROM {old}.meta").fetchall() == [(None,)]:
        return
    for table in ("unsent", "unsent_verdict", "vacated", "dead_letter"):
        connection.execute(f"INSERT INTO {table} SELECT * FROM {old}.{table}")
    connection.execute(f"UPDATE meta SET fed = old.fed, marks = old.marks FROM {old}.meta AS old")
    connection.execute(f"INSERT INTO seen SELECT * FROM {old}.seen WHERE kind = '{Noticed.RULES}'")
    connection.execute(NEW_RULES.format(but=f" AND rules_version <> (SELECT rules_version FROM {old}.meta)"))
    connection.execute(VACATE.format(old=old))
    _mark_hours(connection, connection.execute(DIFFERING.format(old=old)).fetchall())
    _mark(connection, Kind.EVENTS, [("", 0)])


# --- What is still to be written


def last_mark(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the mark that was set last."""
    ((number,),) = connection.execute("SELECT marks FROM meta").fetchall()
    return int(number)


def waiting(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of marks that wait."""
    ((count,),) = connection.execute(
        "SELECT (SELECT count(*) FROM unsent) + (SELECT count(*) FROM unsent_verdict)"
    ).fetchall()
    return int(count)


def marks(connection: duckdb.DuckDBPyConnection, kind: Kind, until: int, limit: int) -> list[tuple[int, str, int]]:
    """(number, target, slot) of marks with numbers up to `until`, the latest hours and days first."""
    return connection.execute(
        "SELECT number, target, slot FROM unsent WHERE kind = $1 AND number <= $2 ORDER BY slot DESC, target LIMIT $3",
        [kind.value, until, limit],
    ).fetchall()


def verdict_marks(connection: duckdb.DuckDBPyConnection, limit: int) -> list[tuple[int, str, int, str, str]]:
    """(number, target, hour, key, uid) of single verdicts, the oldest marks first."""
    return connection.execute("FROM unsent_verdict ORDER BY number LIMIT $1", [limit]).fetchall()


def settle(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> None:
    """Removes marks: what they asked for is written."""
    connection.execute("DELETE FROM unsent WHERE number IN (SELECT unnest($1::BIGINT[]))", [list(numbers)])


def settle_verdicts(connection: duckdb.DuckDBPyConnection, until: int) -> None:
    """Removes the marks of single verdicts up to number `until`: they are written."""
    connection.execute("DELETE FROM unsent_verdict WHERE number <= $1", [until])


# --- What was refused


def bury(connection: duckdb.DuckDBPyConnection, letters: Sequence[tuple[int, str, str, int, str]]) -> None:
    """Keeps (at_ms, database, line, status, reason) of lines that were refused; of too many, the latest."""
    connection.executemany("INSERT INTO dead_letter VALUES ($1, $2, $3, $4, $5)", letters)
    connection.execute(
        "DELETE FROM dead_letter WHERE rowid NOT IN"
        f" (SELECT rowid FROM dead_letter ORDER BY at_ms DESC, rowid DESC LIMIT {MOST_DEAD_LETTERS})"
    )


def buried(connection: duckdb.DuckDBPyConnection) -> int:
    ((count,),) = connection.execute("SELECT count(*) FROM dead_letter").fetchall()
    return int(count)
