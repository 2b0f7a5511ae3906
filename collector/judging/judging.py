"""What is to change in the warehouse: each measurement that arrives is judged, and each whom that concerns, once.

What falls into quarantine counts from then on as absent for others, so those on whom it bore are judged once more; and
so are those from whom it was absent, when it can be judged after all. Each round adds to those held, and takes none out
but in the first: there is a last round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from collector.judging.affected import Affected, asked_in, named
from collector.judging.difference import difference, standing_at, standing_in
from collector.judging.evidence import Gatherer
from collector.judging.index import Index
from collector.judging.nearby import Asker
from collector.judging.quarantine import Identity, Quarantine, identity
from collector.judging.rows import JudgedRow, judged_row
from collector.judging.rules import Rules
from collector.log import Record
from collector.warehouse.interface import Hour, Warehouse
from collector.warehouse.tables import Change

HELD = "SELECT key, uid, error FROM quarantine"


class Judging:
    """Judges. `go_on` is called before each measurement, and raises to stop. What is in a frozen hour stays as it is.

    After each change, `settled` must tell that it was made; else all that is remembered is asked anew.
    """

    def __init__(
        self,
        index: Index,
        gatherer: Gatherer,
        quarantine: Quarantine,
        affected: Affected,
        *,
        rules: Rules,
        go_on: Callable[[], None],
        is_frozen: Callable[[int], bool] = lambda hour: False,
    ) -> None:
        self._index, self._gatherer, self._quarantine, self._affected = index, gatherer, quarantine, affected
        self._rules, self._go_on, self._is_frozen = rules, go_on, is_frozen
        self._is_settled = False

    def change(self, lines: Sequence[Record], counting: Iterable[Record], warehouse: Warehouse) -> Change:
        """What changes because of `lines`: records that have come, have gone, or count otherwise than before.

        Of those that have one identity some may not count any more; `counting` are known to.
        """
        self._begin(warehouse)
        current = self._current(lines, counting)
        records = [record for record in current.values() if record is not None]
        self._tell(lines, records)
        again = self._affected.by(lines, warehouse) | self._affected.since(warehouse)
        found = self._judged(records, again, warehouse)
        rows = {(r.measurement.target, r.hour, *identity(r)) for r in lines if not self._is_frozen(r.hour)}
        return difference(found, standing_at(warehouse, found, rows))

    def hours(self, hours: Iterable[Hour], warehouse: Warehouse) -> Change:
        """All that is to stand in these hours; what stands there and is not measured any more goes."""
        self._begin(warehouse)
        hours = list(hours)
        records = (record for hour in hours for record in self._gatherer.records(*hour))
        found = self._judged(records, set(), warehouse)
        return difference(found, standing_in(warehouse, hours))

    def settled(self) -> None:
        """The change that was last told is made."""
        self._is_settled = True

    def forget(self) -> None:
        """Another warehouse comes next, or others count."""
        self._is_settled = False

    def _begin(self, warehouse: Warehouse) -> None:
        if not self._is_settled:
            self._gatherer.forget_all()
        self._is_settled = False
        self._gatherer.asked_in = partial(asked_in, warehouse)
        self._gatherer.nearby.shrink()

    def _current(self, lines: Iterable[Record], counting: Iterable[Record]) -> dict[Identity, Record | None]:
        """Of each identity among these lines, the record that counts."""
        current: dict[Identity, Record | None] = {identity(record): record for record in counting}
        for record in lines:
            if identity(record) not in current:
                current[identity(record)] = None
            if current[identity(record)] is None:
                current[identity(record)] = self._record(named(record))
        return current

    def _record(self, one: Asker) -> Record | None:
        """None when it counts no more, or is another's now: who has taken its place, arrives."""
        siblings = self._index.siblings(one.key, one.cycle, one.target)
        return next((record for record in siblings if record.measurement.uid == one.uid), None)

    def _tell(self, lines: Sequence[Record], records: Iterable[Record]) -> None:
        """What is remembered of others learns of these."""
        if any(map(self._gatherer.is_control, lines)):
            self._gatherer.forget_controls()
        self._gatherer.nearby.update(lines, records)

    def _judged(self, records: Iterable[Record], again: set[Asker], warehouse: Warehouse) -> dict[Identity, JudgedRow]:
        """Each of these, and all whom it concerns what cannot be judged, and what can after all."""
        found: dict[Identity, tuple[Asker, JudgedRow]] = {}
        waiting, first = self._each(records, again), True
        while True:
            changed: list[Record] = []
            for record in waiting:
                self._go_on()
                if self._is_frozen(record.hour):
                    continue
                row = self._judge(record)
                found[identity(record)] = (named(record), row)
                failed = {} if row.quarantine is None else {identity(record): row.quarantine.error}
                changed += self._quarantine.settle([record], failed, release=first)
            if not changed:
                return {name: row for name, (_, row) in found.items()}
            self._tell(changed, changed)
            again = {one for one, _ in found.values() if _may_concern(changed, one)}
            waiting, first = self._each((), again | self._affected.by(changed, warehouse)), False

    def _each(self, records: Iterable[Record], again: set[Asker]) -> Iterator[Record]:
        """One after the other, so that few are in memory at once."""
        met: set[Identity] = set()
        for record in records:
            met.add(identity(record))
            yield record
        for one in sorted(again):
            if (one.key, one.uid) not in met and (found := self._record(one)) is not None:
                yield found

    def _judge(self, record: Record) -> JudgedRow:
        case = self._gatherer.case(record)
        row = judged_row(self._rules, case, self._quarantine)
        self._gatherer.nearby.answered(record, case.answers)
        return row


def _may_concern(changed: Iterable[Record], one: Asker) -> bool:
    """One that was judged a moment ago, and does not stand in the warehouse yet."""
    return any(
        r.measurement.target == one.target or (r.key, r.measurement.cycle) == (one.key, one.cycle) for r in changed
    )


def held(warehouse: Warehouse) -> dict[Identity, str]:
    """Those who stand in quarantine: (key, uid) → the class of the exception."""
    return {(key, uid): error for key, uid, error in warehouse.select(HELD)}
