"""Single verdicts as points: lean, for what explains a verdict is in the collector's own store.

Whose they are, no point says: a line goes by its pseudonym, in the field `line` and in the digits of the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from collector.facts.pseudonyms import Pseudonyms
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


def single(
    warehouse: Warehouse, words: Vocabulary, pseudonyms: Pseudonyms, marks: Sequence[tuple[str, int, str, str]]
) -> list[str]:
    """The lines of those verdicts (target, hour, key, uid) that are there."""
    if not marks:
        return []
    columns = [list(column) for column in zip(*marks, strict=True)]
    hours = [hour for _, hour, _, _ in marks]
    rows = warehouse.select(SINGLE, [*columns, min(hours), max(hours)])
    says = _Says(words, pseudonyms)
    return list(warehouse.faults.each(POINTS, lambda row: says.line(VerdictPoint(*row)), rows))


def of_hours(
    warehouse: Warehouse, words: Vocabulary, pseudonyms: Pseudonyms, marks: Sequence[tuple[str, int]]
) -> list[str]:
    """The lines of all verdicts of each (target, hour); those that moved away are withdrawn where they stood."""
    if not marks:
        return []
    columns = [list(column) for column in zip(*marks, strict=True)]
    bounds = [*columns, min(columns[1]), max(columns[1])]
    stand = [VerdictPoint(*row) for row in warehouse.select(OF_HOURS.format(said=_SAID, table="verdict"), bounds)]
    moved = [VerdictPoint(*row[:-1]) for row in warehouse.select(OF_HOURS.format(said="NULL", table="vacated"), bounds)]
    says = _Says(words, pseudonyms)
    written = dict(warehouse.faults.each(POINTS, lambda one: (says.identity(one), says.line(one)), stand))
    withdrawn = warehouse.faults.each(POINTS, lambda one: (says.identity(one), says.line(one)), moved)
    return [*written.values(), *(text for name, text in withdrawn if name not in written)]


class _Says(Struct, frozen=True):
    """What the point of a verdict says, in these words and by these pseudonyms."""

    words: Vocabulary
    pseudonyms: Pseudonyms

    def identity(self, one: VerdictPoint) -> tuple[str, int]:
        """Series and time: of two points with the same, the later takes the earlier's place."""
        return series(VERDICT, _tags(self.words, one)), time_ns(one, self._name(one))

    def line(self, one: VerdictPoint) -> str:
        name = self._name(one)
        return line(VERDICT, _tags(self.words, one), _fields(one, name), time_ns(one, name))

    def _name(self, one: VerdictPoint) -> str:
        return self.pseudonyms.line(one.key, one.country, one.asn, one.access)


def time_ns(one: VerdictPoint, name: str) -> int:
    """The start, and in the digits below its milliseconds what tells the verdicts of a series apart: made of the
    line's pseudonym, for made of a key they would say whose it is to anybody who guesses.
    """
    digest = hashlib.blake2b(f"{name}{one.uid}".encode(), digest_size=8).digest()
    return one.started_ms * MS_NS + int.from_bytes(digest) % MS_NS


def _fields(one: VerdictPoint, name: str) -> dict[str, Value | None]:
    return {
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
        "line": name,
    }


def _tags(words: Vocabulary, one: VerdictPoint) -> dict[str, str]:
    place: Place = (one.country, one.asn, one.operator, one.access)
    target = words.target(one.target) or {"service": OTHER, "role": OTHER}
    return {**(words.place(place) or elsewhere(place)), **target}
