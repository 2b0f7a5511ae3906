"""Hours as they are to stand, with what can be judged in them and what cannot.

What falls into quarantine counts from then on as absent for others, so the hours on which it bore are judged once
more; and so is what it was absent from, when it can be judged after all. Each round adds to those held, and takes none
out but in the first: there is a last round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from collector.isolation import RETRIED
from collector.judging.evidence import Case, Gatherer
from collector.judging.hours import judge_hour, set_aside
from collector.judging.quarantine import VERSION, Identity, Quarantine
from collector.judging.rules import Rules
from collector.log import Record
from collector.warehouse.store import Hour, Warehouse
from collector.warehouse.tables import HourContent

HELD = "SELECT key, uid, error FROM quarantine"
OUTDATED = "SELECT DISTINCT target, hour FROM quarantine WHERE software <> $1"

Bearing = Callable[[list[Record], Warehouse], set[Hour]]  # the hours on which these records bear


class Judged(Struct, frozen=True):
    """An hour's content, the records that it was made of, and who of them could not be judged, and why."""

    content: HourContent
    records: list[Record]

    @property
    def failed(self) -> dict[Identity, str]:
        return {(row.key, row.uid): row.error for row in self.content.quarantine}


class Judging:
    """Judges whole hours. `go_on` is called before each, and raises to stop."""

    def __init__(
        self,
        gatherer: Gatherer,
        quarantine: Quarantine,
        bearing: Bearing,
        *,
        rules: Rules,
        go_on: Callable[[], None],
    ) -> None:
        self._gatherer, self._quarantine, self._bearing = gatherer, quarantine, bearing
        self._rules, self._go_on = rules, go_on

    def hours(self, hours: Iterable[Hour], warehouse: Warehouse) -> list[HourContent]:
        """What is to stand in `warehouse` about these hours, and about those that change with them."""
        found: dict[Hour, HourContent] = {}
        waiting, first = set(hours), True
        while waiting:
            changed: list[Record] = []
            for hour in sorted(waiting):
                self._go_on()
                judged = self._hour(*hour)
                found[hour] = judged.content
                changed += self._quarantine.settle(judged.records, judged.failed, release=first)
            waiting, first = self._touched(changed, found, warehouse), False
        return list(found.values())

    def _touched(self, changed: list[Record], found: Mapping[Hour, HourContent], warehouse: Warehouse) -> set[Hour]:
        """The hours on which these bear: of those that stand, and of those about to."""
        if not changed:
            return set()
        targets = {record.measurement.target for record in changed}
        return self._bearing(changed, warehouse) | {hour for hour in found if hour[0] in targets}

    def _hour(self, target: str, hour: int) -> Judged:
        try:
            cases = self._gatherer.hour(target, hour)
            return self._judged(target, hour, cases)
        except RETRIED:
            raise
        except Exception as error:  # nobody knows whose: it must not hold up all the others
            self._quarantine.tell(error)
            cases = self._gatherer.bare(target, hour, type(error).__name__)
            return Judged(set_aside(self._rules, target, hour, cases), [each.record for each in cases])

    def _judged(self, target: str, hour: int, cases: list[Case]) -> Judged:
        content = judge_hour(self._rules, target, hour, cases, self._quarantine)
        return Judged(content, [each.record for each in cases])


def held(warehouse: Warehouse) -> dict[Identity, str]:
    """Those who stand in quarantine: (key, uid) → the class of the exception."""
    return {(key, uid): error for key, uid, error in warehouse.select(HELD)}


def outdated(warehouse: Warehouse) -> set[Hour]:
    """The hours with what another version of the collector could not judge."""
    return {(target, hour) for target, hour in warehouse.select(OUTDATED, [VERSION])}
