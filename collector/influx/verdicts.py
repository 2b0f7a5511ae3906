"""Single verdicts as points: lean, for what explains a verdict is in the collector's own store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from collector.influx.line import MS_NS, Value, line, series
from collector.influx.schema import NOTHING, VERDICT
from collector.influx.vocabulary import OTHER, Place, Vocabulary, elsewhere
from collector.warehouse.store import Warehouse
from probe.judge.conclusion import INTERFERED

_COLUMNS = """
v.target, v.country, v.asn, v.operator, v.access, v.started_ms, v.key, v.uid, v.is_control, v.simulated
"""
_SAID = "v.round, v.state, v.mechanism, v.step, v.rule, v.depth"
# The bounds on `hour` are for speed: rows of an hour lie together.
SINGLE = f"""
SELECT {_COLUMNS}, {_SAID} FROM verdict AS v JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour,
           unnest($3::VARCHAR[]) AS key, unnest($4::VARCHAR[]) AS uid
) AS marked USING (target, hour, key, uid) WHERE v.hour BETWEEN $5 AND $6
"""
OF_HOURS = f"""
SELECT {_COLUMNS}, {{said}} FROM {{table}} AS v
WHERE (v.target, v.hour) IN (SELECT unnest($1::VARCHAR[]), unnest($2::BIGINT[])) AND v.hour BETWEEN $3 AND $4
"""

POINTS = "points of verdicts"


class VerdictPoint(Struct, frozen=True):
    """A verdict as its point needs it; one that stands elsewhere now says `none`."""

    target: str
    country: str
    asn: int
    operator: str
    access: str
    started_ms: int
    key: str
    uid: str
    is_control: bool
    simulated: bool
    round: int = 0
    state: str = NOTHING
    mechanism: str | None = None
    step: str | None = None
    rule: str = ""
    depth: str | None = None


def single(warehouse: Warehouse, words: Vocabulary, marks: Sequence[tuple[str, int, str, str]]) -> list[str]:
    """The lines of those verdicts (target, hour, key, uid) that are there."""
    if not marks:
        return []
    columns = [list(column) for column in zip(*marks, strict=True)]
    hours = [hour for _, hour, _, _ in marks]
    rows = warehouse.select(SINGLE, [*columns, min(hours), max(hours)])
    return list(warehouse.faults.each(POINTS, lambda row: _line(words, VerdictPoint(*row)), rows))


def of_hours(warehouse: Warehouse, words: Vocabulary, marks: Sequence[tuple[str, int]]) -> list[str]:
    """The lines of all verdicts of each (target, hour); those that moved away are withdrawn where they stood."""
    if not marks:
        return []
    columns = [list(column) for column in zip(*marks, strict=True)]
    bounds = [*columns, min(columns[1]), max(columns[1])]
    said = [VerdictPoint(*row) for row in warehouse.select(OF_HOURS.format(said=_SAID, table="verdict"), bounds)]
    moved = [VerdictPoint(*row[:-1]) for row in warehouse.select(OF_HOURS.format(said="NULL", table="vacated"), bounds)]
    written = dict(warehouse.faults.each(POINTS, lambda one: (_identity(words, one), _line(words, one)), said))
    withdrawn = warehouse.faults.each(POINTS, lambda one: (_identity(words, one), _line(words, one)), moved)
    return [*written.values(), *(text for name, text in withdrawn if name not in written)]


def _identity(words: Vocabulary, one: VerdictPoint) -> tuple[str, int]:
    """Series and time: of two points with the same, the later takes the earlier's place."""
    return series(VERDICT, _tags(words, one)), time_ns(one)


def time_ns(one: VerdictPoint) -> int:
    """The start, and in the digits below its milliseconds what tells the verdicts of a series apart."""
    digest = hashlib.blake2b(f"{one.key}{one.uid}".encode(), digest_size=8).digest()
    return one.started_ms * MS_NS + int.from_bytes(digest) % MS_NS


def _line(words: Vocabulary, one: VerdictPoint) -> str:
    fields: dict[str, Value | None] = {
        "state": one.state,
        "mechanism": one.mechanism or "",
        "step": one.step or "",
        "rule": one.rule,
        "depth": one.depth or "",
        "round": one.round,
        "interfered": int(one.state in INTERFERED),
        "simulated": int(one.simulated),
        "control": int(one.is_control),
        "uid": one.uid,
        "key": one.key,
    }
    return line(VERDICT, _tags(words, one), fields, time_ns(one))


def _tags(words: Vocabulary, one: VerdictPoint) -> dict[str, str]:
    place: Place = (one.country, one.asn, one.operator, one.access)
    target = words.target(one.target) or {"service": OTHER, "role": OTHER}
    return {**(words.place(place) or elsewhere(place)), **target}
