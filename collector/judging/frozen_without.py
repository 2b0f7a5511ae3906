"""A freeze made again without what is to be forgotten, beside the old one, whose place it takes.

Cells and steps cannot be counted again, for their bodies have gone. Those of fewer than three lines in which it had a
part go with it; what is a sum of more tells of nobody, and stays.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collector.judging.heard import Heard
from collector.log import freezes
from collector.log.freezes import Freeze
from collector.warehouse.store import TABLES
from probe import durable
from probe.judge.cells import LINES_FLOOR


class Lines(Struct, frozen=True, kw_only=True):
    """Of a key all, or the measurements with these uids."""

    key: str
    uids: tuple[str, ...] | None = None


MEANT = "key = $1 AND ($2 IS NULL OR uid IN (SELECT unnest($2::VARCHAR[])))"
PLACE = "target, hour, country, asn, operator, access, simulated"
LEFT_OUT = {  # table → its rows that go
    "verdict": MEANT,
    "quarantine": MEANT,
    "cell": f"lines < {LINES_FLOOR} AND ({PLACE}) IN (SELECT ({PLACE}) FROM theirs)",
    "step": f"({PLACE}) IN (SELECT ({PLACE}) FROM small)",
    "failing": f"lines < {LINES_FLOOR} AND (target, hour) IN (SELECT (target, hour) FROM theirs)",
}
SMALL = f"CREATE TABLE small AS SELECT {PLACE} FROM cell WHERE {LEFT_OUT['cell']}"

_HEARD = msgspec.json.Decoder(list[Heard])


def leave_out(log: Path, place: Path, one: Freeze, lines: Lines) -> None:
    """Makes the freeze in `place` again, if anything of these lines is in it. Raises OSError, duckdb.Error."""
    with closing(duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})) as connection:
        for table in TABLES:
            source = str(place / f"{table.name}.parquet")
            connection.execute(f"CREATE TABLE {table.name} AS FROM read_parquet($1)", [source])
        meant = [lines.key, None if lines.uids is None else list(lines.uids)]
        connection.execute(f"CREATE TABLE theirs AS SELECT * FROM verdict WHERE {MEANT}", meant)
        heard = _HEARD.decode((place / freezes.HEARD).read_bytes())
        others = [each for each in heard if each.key != lines.key or lines.uids is not None]
        if connection.execute("SELECT count(*) FROM theirs").fetchall() == [(0,)] and others == heard:
            return
        connection.execute(SMALL)
        part = freezes.begin(log)
        for table in TABLES:
            left_out = LEFT_OUT[table.name]
            connection.execute(f"DELETE FROM {table.name} WHERE {left_out}", meant if left_out is MEANT else [])
            to = str(part / f"{table.name}.parquet").replace("'", "''")
            connection.execute(f"COPY (FROM {table.name} {table.ordered}) TO '{to}' (FORMAT parquet, COMPRESSION zstd)")
    durable.write(part / freezes.HEARD, msgspec.json.encode(others))
    copied = tuple(pair for pair in one.copied if pair[0] != lines.key or lines.uids is not None)
    freezes.finish(part, replace(one, copied=copied, files=freezes.digests(part)), _next(place))
    freezes.drop_older(log)


def _next(place: Path) -> str:
    day, _, number = place.name.rpartition("-")
    return f"{day}-{int(number) + 1}"
