"""The rows that add up verdicts: cells, failing addresses, steps. Those that a change of verdicts adds to, or takes
from, are owed (collector/warehouse/owed.py), and made again of the verdicts that stand there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Generic, TypeVar

from msgspec import Struct

from collector.isolation import RETRIED
from collector.judging.quarantine import Quarantine
from collector.judging.rows import dials_of, steps_of, verdict_of
from collector.judging.rules import Rules
from collector.warehouse import privacy_floor
from collector.warehouse.editions import Heard, editions, joins_ms
from collector.warehouse.interface import Hour, Warehouse
from collector.warehouse.owed import Owed
from collector.warehouse.tables import (
    CELL_COLUMNS,
    FAILING_COLUMNS,
    STEP_COLUMNS,
    VERDICT_COLUMNS,
    CellRow,
    Change,
    FailingRow,
    StepRow,
    cell_from,
    cell_row,
    failing_from,
    step_from,
)
from probe.judge.cells import Line
from probe.model import HOUR_MS, Access, Network, Verdict

Key = tuple[Any, ...]
Row = TypeVar("Row", CellRow, FailingRow, StepRow)


class Place(Struct, frozen=True, order=True):
    """Where a line is counted. What was simulated is counted apart."""

    target: str
    hour: int
    country: str
    asn: int
    operator: str
    access: str
    simulated: bool


class Group(Struct, frozen=True, order=True):
    """The places that differ in network only: what strangers are told of one follows from all of them."""

    target: str
    hour: int
    country: str
    access: str
    simulated: bool


class Said(Struct, frozen=True):
    """Of a verdict that stands, what its cells ask for."""

    target: str
    hour: int
    country: str
    asn: int
    operator: str
    access: str
    simulated: bool
    key: str
    uid: str
    started_ms: int
    round: int
    received_ms: int
    established: bool
    bucket: str | None
    state: str
    mechanism: str | None
    depth: str | None
    rule: str
    paths: str | None


class Failed(Struct, frozen=True):
    """Of a verdict that stands, where its line failed."""

    target: str
    hour: int
    access: str
    simulated: bool
    key: str
    uid: str
    received_ms: int
    established: bool
    bucket: str | None
    failing: str


class Difference(Struct, Generic[Row], frozen=True):
    """Rows that come, and the keys of those that go."""

    rows: tuple[Row, ...]
    gone: tuple[Key, ...]


def _given(columns: Mapping[str, str]) -> str:
    return ", ".join(f"unnest(${i}::{kind}[]) AS {name}" for i, (name, kind) in enumerate(columns.items(), 1))


_PLACE = {name: VERDICT_COLUMNS[name] for name in Place.__struct_fields__}
_GROUP = {name: VERDICT_COLUMNS[name] for name in Group.__struct_fields__}
_HOUR = {name: VERDICT_COLUMNS[name] for name in ("target", "hour")}
_COUNTED = "NOT v.is_control AND v.hour BETWEEN ${} AND ${}"


def _columns_of(row: type[Struct]) -> str:
    return ", ".join(f"v.{name}" for name in row.__struct_fields__)


# Of each line in each place what it said last.
LINES = f"""
SELECT {_columns_of(Said)} FROM verdict AS v JOIN (SELECT {_given(_PLACE)}) AS place USING ({", ".join(_PLACE)})
WHERE {_COUNTED.format(8, 9)}
QUALIFY row_number() OVER (
    PARTITION BY {", ".join(f"v.{name}" for name in _PLACE)}, v.key
    ORDER BY v.started_ms DESC, v.round DESC, v.uid DESC
) = 1
"""
# All that established lines said.
ESTABLISHED = f"""
SELECT {_columns_of(Said)} FROM verdict AS v JOIN (SELECT {_given(_GROUP)}) AS place USING ({", ".join(_GROUP)})
WHERE {_COUNTED.format(6, 7)} AND v.established
"""
STEPS = f"""
SELECT {", ".join(f"v.{name}" for name in _PLACE)}, v.steps, count(*)
FROM verdict AS v JOIN (SELECT {_given(_PLACE)}) AS place USING ({", ".join(_PLACE)})
WHERE {_COUNTED.format(8, 9)} AND v.steps <> '' GROUP BY ALL
"""
FAILING = f"""
SELECT {_columns_of(Failed)} FROM verdict AS v JOIN (SELECT {_given(_HOUR)}) AS place USING (target, hour)
WHERE {_COUNTED.format(3, 4)} AND v.failing <> ''
"""


def _standing(table: str, columns: Iterable[str], place: Mapping[str, str]) -> str:
    """What stands in these places."""
    named, bounds = ", ".join(f"t.{name}" for name in columns), f"${len(place) + 1} AND ${len(place) + 2}"
    places = f"(SELECT {_given(place)}) AS place USING ({', '.join(place)})"
    return f"SELECT {named} FROM {table} AS t JOIN {places} WHERE t.hour BETWEEN {bounds}"


STANDING_CELLS = _standing("cell", CELL_COLUMNS, _GROUP)
STANDING_STEPS = _standing("step", STEP_COLUMNS, _PLACE)
STANDING_FAILING = _standing("failing", FAILING_COLUMNS, _HOUR)


class Sums:
    """What changes in the sums of a warehouse where it is owed."""

    def __init__(self, rules: Rules, quarantine: Quarantine, warehouse: Warehouse, owed: Collection[Owed]) -> None:
        self._rules, self._quarantine, self._warehouse = rules, quarantine, warehouse
        self._places = sorted({_place_of(one) for one in owed})
        self._groups = sorted({_group_of(one) for one in owed})
        self._told = sorted({_group_of(one) for one in owed if one.told})
        self._failing: list[Hour] = sorted({(one.target, one.hour) for one in owed if one.failing})
        self._verdicts: dict[tuple[str, str, str | None, str | None, str, str | None], Verdict] = {}

    def change(self, hours: Collection[Hour]) -> Change:
        """All of it, with which nothing is owed in these hours any more."""
        cells, failing, steps = self.cells(), self.failing(), self.steps()
        gone = {"cell": cells.gone, "failing": failing.gone, "step": steps.gone}
        return Change(
            cells=cells.rows,
            failing=failing.rows,
            steps=steps.rows,
            gone={table: keys for table, keys in gone.items() if keys},
            summed=tuple(hours),
        )

    # --- Cells

    def cells(self) -> Difference[CellRow]:
        """For the owner one per (network, access), and the editions that strangers are told of. What was simulated has
        cells of its own. Controls are not lines.
        """
        rows = [*self._owners(), *self._strangers()]
        standing = [cell_from(row) for row in self._select(STANDING_CELLS, self._groups)]
        mine, told = set(self._places), set(self._told)
        before = [row for row in standing if (_group_of(row) in told if row.shown_from_ms else _place_of(row) in mine)]
        return _difference({_cell_key(row): row for row in rows}, {_cell_key(row): row for row in before})

    def _owners(self) -> Iterator[CellRow]:
        lines: dict[Place, list[Said]] = {}
        for row in (Said(*values) for values in self._select(LINES, self._places)):
            lines.setdefault(_place_of(row), []).append(row)
        for place, said in lines.items():
            network = Network(country=place.country, asn=place.asn, operator=place.operator)
            in_order = sorted(said, key=lambda row: row.key)
            yield from self._cell(_group_of(place), network, [self._line(row) for row in in_order])

    def _strangers(self) -> Iterator[CellRow]:
        heard: dict[Group, list[Heard]] = {group: [] for group in self._told}
        for row in (Said(*values) for values in self._select(ESTABLISHED, self._told)):
            if _network_of(row) != Network():
                heard[_group_of(row)].append(self._heard(row))
        for group, said in heard.items():
            for one in editions(said, Access(group.access), (group.hour + 1) * HOUR_MS):
                yield from self._cell(group, one.network, one.lines, (one.from_ms, one.until_ms))

    def _cell(
        self, group: Group, network: Network, lines: Sequence[Line], shown_ms: tuple[int, int] = (0, 0)
    ) -> Iterator[CellRow]:
        """None where it cannot be made, which leaves the others as they are."""
        span = (group.hour * HOUR_MS, (group.hour + 1) * HOUR_MS)
        try:
            cell = self._rules.cell(group.target, network, Access(group.access), *span, lines)
            yield cell_row(cell, group.hour, simulated=group.simulated, shown_ms=shown_ms)
        except RETRIED:
            raise
        except Exception as error:
            self._quarantine.tell(error)

    def _heard(self, row: Said) -> Heard:
        return Heard(
            network=_network_of(row),
            key=row.key,
            order=(row.started_ms, row.round, row.uid),
            received_ms=_receipt(row)[0],
            line=self._line(row),
        )

    def _line(self, row: Said) -> Line:
        said = (row.target, row.state, row.mechanism, row.depth, row.rule, row.paths)
        if said not in self._verdicts:
            self._verdicts[said] = verdict_of(*said)
        return Line(verdict=self._verdicts[said], established=row.established, bucket=row.bucket)

    # --- Steps

    def steps(self) -> Difference[StepRow]:
        """How often each step was completed, and failed."""
        counts: dict[tuple[Place, str], Counter[bool]] = {}
        for *place, text, times in self._select(STEPS, self._places):
            for step, (passed, failed) in steps_of(text).items():
                seen = counts.setdefault((Place(*place), step), Counter())
                seen[True] += passed * times
                seen[False] += failed * times
        rows = (_step_row(place, step, seen) for (place, step), seen in counts.items())
        before = (step_from(row) for row in self._select(STANDING_STEPS, self._places))
        return _difference({_step_key(row): row for row in rows}, {_step_key(row): row for row in before})

    # --- Failing addresses

    def failing(self) -> Difference[FailingRow]:
        """Where lines failed, and how many."""
        lines: dict[Key, dict[str, Failed]] = {}
        standing = (Failed(*values) for values in self._select(FAILING, self._failing))
        for row in sorted(standing, key=_receipt, reverse=True):  # of each line what came first
            for dial in dials_of(row.failing):
                lines.setdefault((row.target, row.hour, *dial), {})[row.key] = row
        now = {key: _failing_row(key, found.values()) for key, found in lines.items()}
        before = (failing_from(row) for row in self._select(STANDING_FAILING, self._failing))
        return _difference(now, {_failing_key(row): row for row in before})

    def _select(self, statement: str, places: Collection[Struct] | Collection[Hour]) -> list[tuple[Any, ...]]:
        """In the hours of these places; nothing where there are none."""
        if not places:
            return []
        columns = [list(column) for column in zip(*map(_values, places), strict=True)]
        return self._warehouse.select(statement, [*columns, min(columns[1]), max(columns[1])])


def _difference(now: Mapping[Key, Row], before: Mapping[Key, Row]) -> Difference[Row]:
    changed = {key for key in (*now, *before) if now.get(key) != before.get(key)}
    rows = tuple(now[key] for key in sorted(changed & now.keys(), key=repr))
    return Difference(rows, tuple(sorted(changed & before.keys(), key=repr)))


def _values(place: Struct | Hour) -> tuple[Any, ...]:
    return place if isinstance(place, tuple) else tuple(getattr(place, name) for name in place.__struct_fields__)


def _place_of(row: Owed | Said | CellRow) -> Place:
    return Place(row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated)


def _group_of(row: Owed | Said | CellRow | Place) -> Group:
    return Group(row.target, row.hour, row.country, row.access, row.simulated)


def _network_of(row: Said) -> Network:
    return Network(country=row.country, asn=row.asn, operator=row.operator)


def _cell_key(row: CellRow) -> Key:
    return (*_values(_place_of(row)), row.shown_from_ms)


def _step_key(row: StepRow) -> Key:
    return row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated, row.step


def _failing_key(row: FailingRow) -> Key:
    return row.target, row.hour, row.host, row.port, row.transport, row.handshake, row.address


def _step_row(place: Place, step: str, seen: Counter[bool]) -> StepRow:
    fields = {name: getattr(place, name) for name in Place.__struct_fields__}
    return StepRow(**fields, step=step, passed=seen[True], failed=seen[False])


def _failing_row(key: Key, lines: Iterable[Failed]) -> FailingRow:
    found = list(lines)
    known = [row for row in found if row.established]
    fields = dict(zip(("target", "hour", "host", "port", "transport", "handshake", "address"), key, strict=True))
    return FailingRow(
        **fields,
        lines=len(found),
        established=len(known),
        buckets=len({row.bucket for row in known}),
        shown_from_ms=_shown_from_ms(known, (int(key[1]) + 1) * HOUR_MS),
    )


def _shown_from_ms(established: Iterable[Failed], end_ms: int) -> int:
    """Since when so many of these lines had told of it that none can be seen among them; 0: they are too few."""
    told: list[tuple[Access, str | None]] = []
    in_order = sorted(established, key=_receipt)
    for moment_ms, arrived in groupby(in_order, key=lambda row: joins_ms(_receipt(row)[0], end_ms)):
        told += [(Access(row.access), row.bucket) for row in arrived]
        if privacy_floor.hides(told):
            return moment_ms
    return 0


def _receipt(row: Said | Failed) -> tuple[int, str, str]:
    """Received when; what was simulated hides nobody: it is as if it had been received in time."""
    return 0 if row.simulated else row.received_ms, row.key, row.uid
