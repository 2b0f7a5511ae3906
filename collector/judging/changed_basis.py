"""What a changed basis asks for: what the warehouse's content follows from beside the log.

    another schema, log or reckoning of standing, or a log behind the cursor    a file anew, beside the old one
    other rules                                                                 every hour, in place
    a control more or less, a key blocked or let in                             the hours on which its records bear

In place means: the hours wait (collector/warehouse/waiting.py), and their old rows stand, while what arrives is judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from collector.facts.standing import DAY_MS, Subscriber
from collector.judging.evidence import TargetFiles
from collector.judging.frozen import Frozen
from collector.judging.hours_concerned import dirty_hours
from collector.judging.kept_standing import KeptStanding, history
from collector.judging.unblocked import Unblocked
from collector.log import Record
from collector.warehouse.basis import Basis
from collector.warehouse.interface import Hour, Warehouse


def why_anew(stands: Basis, wanted: Basis, *, is_ahead: bool, is_behind: bool) -> str | None:
    """Why a file has to be made anew, in words; None: what changed can be changed in place.

    `is_ahead` of the log, as after a restored backup; `is_behind` what was frozen there.
    """
    if is_ahead:
        return "the log holds less than was judged"
    if is_behind:
        return "it is older than what was frozen in the log"
    if stands.schema != wanted.schema:
        return "it was made by another version"
    if stands.log != wanted.log:
        return "it was made of another log"
    return None if stands.standing == wanted.standing else "it is reckoned otherwise who counts"


class ChangedBasis:
    """Changes the basis of a warehouse in place. `index` hides who is blocked; `go_on` raises to stop."""

    def __init__(
        self,
        index: Unblocked,
        standing: KeptStanding,
        files: TargetFiles,
        frozen: Frozen,
        go_on: Callable[[], None],
    ) -> None:
        self._index, self._standing, self._files = index, standing, files
        self._frozen, self._go_on = frozen, go_on

    def settle(self, warehouse: Warehouse, stands: Basis, wanted: Basis) -> None:
        """Lets those hours wait in which something may be judged otherwise now, in one transaction with the basis."""
        passed = stands.blocked ^ wanted.blocked
        apart = warehouse.apart() | passed
        hours: set[Hour] = set()
        for records in self._touched(warehouse, stands, wanted, apart):
            self._go_on()
            # Who is a control on one side only bears as one there, and as a line on the other.
            for controls in {stands.controls | wanted.controls, stands.controls & wanted.controls}:
                hours |= dirty_hours(records, self._index, warehouse, controls, self._files)
        hours, since = self._frozen.opens(hours), self._frozen.freezes.until_hour
        warehouse.change_basis(wanted, hours, apart, since)

    def _touched(
        self, warehouse: Warehouse, stands: Basis, wanted: Basis, apart: frozenset[str]
    ) -> Iterator[list[Record]]:
        """What is there or not, or counts or not, on one side only; a day's at a time."""
        passed, moved = stands.blocked ^ wanted.blocked, dict[tuple[str, int], int]()
        if passed:
            self._index.keys = stands.blocked
            self._standing.begin(warehouse)
            self._index.keys = wanted.blocked
            moved = self._standing.begin_anew(warehouse, apart)
        yield from history(self._index.everybody, (stands.controls ^ wanted.controls) | passed)
        for records in history(self._index, {key for key, _ in moved}):
            yield [r for r in records if _counts_from(moved, r) <= r.received_ms]


def _counts_from(moved: Mapping[Subscriber, int], record: Record) -> float:
    """Since when a record's line counts otherwise, ms; infinite where it does not."""
    day = moved.get((record.key, record.network.asn))
    return math.inf if day is None else day * DAY_MS
