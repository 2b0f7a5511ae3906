"""When sums are made: once all is judged, or when as much was judged since as it takes to make them.

So whoever judges a backlog adds up each place a few times and not in each step, and in all no more than it judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.judging.quarantine import Quarantine
from collector.judging.rules import Rules
from collector.judging.sums import Sums
from collector.warehouse import owed
from collector.warehouse.interface import Hour, Warehouse
from collector.warehouse.owed import Owed
from collector.warehouse.tables import Change

LEAST = 20_000  # verdicts that are judged before it is worth it
AT_ONCE = 10_000  # verdicts in the hours that are added up at once, or those of one hour of a target

VERDICTS = """
SELECT target, hour, count(*) FROM verdict JOIN (
    SELECT unnest($1::VARCHAR[]) AS target, unnest($2::BIGINT[]) AS hour
) AS place USING (target, hour) WHERE hour BETWEEN $3 AND $4 GROUP BY ALL
"""


class Summing:
    """Makes what is owed to the sums of a warehouse."""

    def __init__(self, rules: Rules, quarantine: Quarantine) -> None:
        self._rules, self._quarantine = rules, quarantine
        self._judged = self._added_up = 0

    def judged(self, change: Change) -> None:
        """A change of verdicts is made."""
        self._judged += len(change.verdicts) + len(change.quiet)

    @property
    def is_due(self) -> bool:
        return self._judged >= max(LEAST, self._added_up)

    def changes(self, warehouse: Warehouse) -> Iterator[Change]:
        """One after the other, each to be made before the next is asked for."""
        self._judged = self._added_up = 0
        for hours in self._together(warehouse):
            columns = [list(column) for column in zip(*hours, strict=True)]
            places = [Owed(*row) for row in warehouse.select(owed.OF_HOURS, columns)]
            yield Sums(self._rules, self._quarantine, warehouse, places).change(hours)

    def _together(self, warehouse: Warehouse) -> Iterator[list[Hour]]:
        """The hours in which anything is owed, as many together as are few enough to be in memory at once."""
        hours: list[Hour] = warehouse.select(owed.HOURS)
        sizes = _verdicts(warehouse, hours)
        together, size = list[Hour](), 0
        for hour in hours:
            if together and size + sizes.get(hour, 0) > AT_ONCE:
                yield together
                together, size = [], 0
            together.append(hour)
            size += sizes.get(hour, 0)
            self._added_up += sizes.get(hour, 0)
        if together:
            yield together


def _verdicts(warehouse: Warehouse, hours: Sequence[Hour]) -> dict[Hour, int]:
    """How many stand in each of these hours."""
    if not hours:
        return {}
    columns = [list(column) for column in zip(*hours, strict=True)]
    found = warehouse.select(VERDICTS, [*columns, min(columns[1]), max(columns[1])])
    return {(target, hour): count for target, hour, count in found}
