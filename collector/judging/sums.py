"""The rows that add up verdicts: cells, failing addresses, steps. Only those to which a change adds, or from which it
takes, are made again: of the verdicts that stand there and stay, and of those that come.
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
from collector.warehouse.store import Hour, Warehouse
from collector.warehouse.tables import (
    CELL_COLUMNS,
    FAILING_COLUMNS,
    SHARE_COLUMNS,
    STEP_COLUMNS,
    VERDICT_COLUMNS,
    CellRow,
    FailingRow,
    Kept,
    StepRow,
    VerdictRow,
    cell_from,
    cell_row,
    failing_from,
    kept_from,
    step_from,
)
from probe.judge.cells import Line
from probe.model import HOUR_MS, Access, Network

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


class Difference(Struct, Generic[Row], frozen=True):
    """Rows that come, and the keys of those that go."""

    rows: tuple[Row, ...]
    gone: tuple[Key, ...]


def _given(columns: Mapping[str, str]) -> str:
    return ", ".join(f"unnest(${i}::{kind}[]) AS {name}" for i, (name, kind) in enumerate(columns.items(), 1))


_PLACE = {name: VERDICT_COLUMNS[name] for name in Place.__struct_fields__}
_GROUP = {name: VERDICT_COLUMNS[name] for name in Group.__struct_fields__}
_HOUR = {name: VERDICT_COLUMNS[name] for name in ("target", "hour")}
_NOT_ANY_MORE = (
    "ANTI JOIN (SELECT unnest(${}::VARCHAR[]) AS key, unnest(${}::VARCHAR[]) AS uid) AS gone USING (key, uid)"
)
_KEPT = ", ".join(f"v.{name}" for name in VERDICT_COLUMNS | SHARE_COLUMNS)
_COUNTED = "NOT v.is_control AND v.hour BETWEEN ${} AND ${}"

# Of each line in each place what it said last, but for what goes.
LINES = f"""
SELECT {_KEPT} FROM verdict AS v JOIN (SELECT {_given(_PLACE)}) AS place USING ({", ".join(_PLACE)})
{_NOT_ANY_MORE.format(8, 9)} WHERE {_COUNTED.format(10, 11)}
QUALIFY row_number() OVER (
    PARTITION BY {", ".join(f"v.{name}" for name in _PLACE)}, v.key
    ORDER BY v.started_ms DESC, v.round DESC, v.uid DESC
) = 1
"""
# All that established lines said.
ESTABLISHED = f"""
SELECT {_KEPT} FROM verdict AS v JOIN (SELECT {_given(_GROUP)}) AS place USING ({", ".join(_GROUP)})
{_NOT_ANY_MORE.format(6, 7)} WHERE {_COUNTED.format(8, 9)} AND v.established
"""
STEPS = f"""
SELECT {", ".join(f"v.{name}" for name in _PLACE)}, v.steps, count(*)
FROM verdict AS v JOIN (SELECT {_given(_PLACE)}) AS place USING ({", ".join(_PLACE)})
{_NOT_ANY_MORE.format(8, 9)} WHERE {_COUNTED.format(10, 11)} AND v.steps <> '' GROUP BY ALL
"""
FAILING = f"""
SELECT {_KEPT} FROM verdict AS v JOIN (SELECT {_given(_HOUR)}) AS place USING (target, hour)
{_NOT_ANY_MORE.format(3, 4)} WHERE {_COUNTED.format(5, 6)} AND v.failing <> ''
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
    """What changes in the sums of a warehouse when some verdicts go and others come."""

    def __init__(
        self, rules: Rules, quarantine: Quarantine, warehouse: Warehouse, went: Collection[Kept], came: Collection[Kept]
    ) -> None:
        self._rules, self._quarantine, self._warehouse = rules, quarantine, warehouse
        self._went = [row for row in went if not row.verdict.is_control]
        self._came = [row for row in came if not row.verdict.is_control]
        self._gone = [[row.verdict.key for row in went], [row.verdict.uid for row in went]]
        self._places = sorted({_place_of(row.verdict) for row in (*self._went, *self._came)})

    # --- Cells

    def cells(self) -> Difference[CellRow]:
        """For the owner one per (network, access), and the editions that strangers are told of. What was simulated has
        cells of its own. Controls are not lines.
        """
        told = {_group_of(row.verdict) for row in (*self._went, *self._came) if row.verdict.established}
        rows = [*self._owners(), *self._strangers(sorted(told))]
        groups = sorted({_group_of(row.verdict) for row in (*self._went, *self._came)})
        standing = [cell_from(row) for row in self._select(STANDING_CELLS, groups)]
        mine = set(self._places)
        before = [row for row in standing if (_group_of(row) in told if row.shown_from_ms else _place_of(row) in mine)]
        return _difference({_cell_key(row): row for row in rows}, {_cell_key(row): row for row in before})

    def _owners(self) -> Iterator[CellRow]:
        lines: dict[Place, dict[str, Kept]] = {}
        standing = map(kept_from, self._select(LINES, self._places, self._gone))
        for row in sorted((*standing, *self._came), key=_lateness):
            lines.setdefault(_place_of(row.verdict), {})[row.verdict.key] = row
        for place, said in lines.items():
            network = Network(country=place.country, asn=place.asn, operator=place.operator)
            yield from self._cell(_group_of(place), network, [_line(said[key]) for key in sorted(said)])

    def _strangers(self, groups: Collection[Group]) -> Iterator[CellRow]:
        heard: dict[Group, list[Heard]] = {group: [] for group in groups}
        standing = map(kept_from, self._select(ESTABLISHED, groups, self._gone))
        for row in (*standing, *(one for one in self._came if one.verdict.established)):
            if _network_of(row.verdict) != Network():
                heard[_group_of(row.verdict)].append(_heard(row))
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

    # --- Steps

    def steps(self) -> Difference[StepRow]:
        """How often each step was completed, and failed."""
        counts: dict[tuple[Place, str], Counter[bool]] = {}
        standing = ((Place(*row[:-2]), row[-2], row[-1]) for row in self._select(STEPS, self._places, self._gone))
        coming = ((_place_of(row.verdict), row.share.steps, 1) for row in self._came)
        for place, text, times in (*standing, *coming):
            for step, (passed, failed) in steps_of(text).items():
                counts.setdefault((place, step), Counter()).update({True: passed * times, False: failed * times})
        rows = (_step_row(place, step, seen) for (place, step), seen in counts.items())
        before = (step_from(row) for row in self._select(STANDING_STEPS, self._places))
        return _difference({_step_key(row): row for row in rows}, {_step_key(row): row for row in before})

    # --- Failing addresses

    def failing(self) -> Difference[FailingRow]:
        """Where lines failed, and how many."""
        changed = [row for row in (*self._went, *self._came) if row.share.failing]
        dials = {
            (row.verdict.target, row.verdict.hour, *dial) for row in changed for dial in dials_of(row.share.failing)
        }
        hours: list[Hour] = sorted({(target, hour) for target, hour, *_ in dials})
        lines: dict[Key, dict[str, Kept]] = {}
        standing = (kept_from(row) for row in self._select(FAILING, hours, self._gone))
        for row in sorted((*standing, *self._came), key=_receipt, reverse=True):  # of each line what came first
            for dial in dials_of(row.share.failing):
                key = (row.verdict.target, row.verdict.hour, *dial)
                if key in dials:
                    lines.setdefault(key, {})[row.verdict.key] = row
        before = (failing_from(row) for row in self._select(STANDING_FAILING, hours))
        now = {key: _failing_row(key, found.values()) for key, found in lines.items()}
        return _difference(now, {key: row for row in before if (key := _failing_key(row)) in dials})

    def _select(
        self, statement: str, places: Collection[Struct] | Collection[Hour], gone: list[list[str]] | None = None
    ) -> list[tuple[Any, ...]]:
        """In the hours of these places; nothing where there are none."""
        if not places:
            return []
        columns = [list(column) for column in zip(*map(_values, places), strict=True)]
        return self._warehouse.select(statement, [*columns, *(gone or ()), min(columns[1]), max(columns[1])])


def _difference(now: Mapping[Key, Row], before: Mapping[Key, Row]) -> Difference[Row]:
    changed = {key for key in (*now, *before) if now.get(key) != before.get(key)}
    rows = tuple(now[key] for key in sorted(changed & now.keys(), key=repr))
    return Difference(rows, tuple(sorted(changed & before.keys(), key=repr)))


def _values(place: Struct | Hour) -> tuple[Any, ...]:
    return place if isinstance(place, tuple) else tuple(getattr(place, name) for name in place.__struct_fields__)


def _place_of(row: VerdictRow | CellRow) -> Place:
    return Place(row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated)


def _group_of(row: VerdictRow | CellRow | Place) -> Group:
    return Group(row.target, row.hour, row.country, row.access, row.simulated)


def _network_of(row: VerdictRow) -> Network:
    return Network(country=row.country, asn=row.asn, operator=row.operator)


def _heard(row: Kept) -> Heard:
    verdict = row.verdict
    return Heard(
        network=_network_of(verdict),
        key=verdict.key,
        order=_lateness(row),
        received_ms=_receipt(row)[0],
        line=_line(row),
    )


def _cell_key(row: CellRow) -> Key:
    return (*_values(_place_of(row)), row.shown_from_ms)


def _step_key(row: StepRow) -> Key:
    return row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated, row.step


def _failing_key(row: FailingRow) -> Key:
    return row.target, row.hour, row.host, row.port, row.transport, row.handshake, row.address


def _step_row(place: Place, step: str, seen: Counter[bool]) -> StepRow:
    fields = {name: getattr(place, name) for name in Place.__struct_fields__}
    return StepRow(**fields, step=step, passed=seen[True], failed=seen[False])


def _failing_row(key: Key, lines: Iterable[Kept]) -> FailingRow:
    found = list(lines)
    known = [row for row in found if row.verdict.established]
    fields = dict(zip(("target", "hour", "host", "port", "transport", "handshake", "address"), key, strict=True))
    return FailingRow(
        **fields,
        lines=len(found),
        established=len(known),
        buckets=len({row.verdict.bucket for row in known}),
        shown_from_ms=_shown_from_ms(known, (int(key[1]) + 1) * HOUR_MS),
    )


def _shown_from_ms(established: Iterable[Kept], end_ms: int) -> int:
    """Since when so many of these lines had told of it that none can be seen among them; 0: they are too few."""
    told: list[tuple[Access, str | None]] = []
    in_order = sorted(established, key=_receipt)
    for moment_ms, arrived in groupby(in_order, key=lambda row: joins_ms(_receipt(row)[0], end_ms)):
        told += [(Access(row.verdict.access), row.verdict.bucket) for row in arrived]
        if privacy_floor.hides(told):
            return moment_ms
    return 0


def _receipt(row: Kept) -> tuple[int, str, str]:
    """Received when; what was simulated hides nobody: it is as if it had been received in time."""
    verdict = row.verdict
    return 0 if verdict.simulated else verdict.received_ms, verdict.key, verdict.uid


def _line(row: Kept) -> Line:
    return Line(verdict=verdict_of(row), established=row.verdict.established, bucket=row.verdict.bucket)


def _lateness(row: Kept) -> tuple[int, int, str]:
    return row.verdict.started_ms, row.verdict.round, row.verdict.uid
