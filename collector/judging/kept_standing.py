"""Standing kept up with the warehouse: its verdicts hold what each measurement was as a sighting of its key.

What has arrived and is not judged yet is added in memory, and asked anew of the warehouse after anything went wrong. In
the order of a log's own clock a key's standing begins after all that was received of it, and nothing has to be judged
again; where records come late, those are told whose line counts now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.facts.buckets import of_day
from collector.facts.enrolment import FREE
from collector.facts.lines import Said
from collector.facts.standing import DAY_MS, Day, Sighting, Standings, Subscriber, day_of, days_of, sighting
from collector.facts.start import MAX_AHEAD_MS
from collector.judging.frozen import Frozen
from collector.judging.index import Index
from collector.judging.who_counts import TOLD, WhoCounts, by_standing
from collector.log import Record
from collector.warehouse.interface import Warehouse
from probe.model import HOUR_MS

DAYS = f"""
SELECT key, asn, received_ms // {DAY_MS}, bool_or(checked), count(*) FILTER (consistent),
       min(CASE WHEN bucket IS NULL THEN '{FREE}' ELSE bucket END)
           FILTER (checked AND (bucket IS NULL OR started_ms // {DAY_MS} = received_ms // {DAY_MS}))
FROM verdict WHERE asn <> 0 AND (hour < $2 OR key NOT IN (SELECT unnest($1::VARCHAR[]))) GROUP BY ALL
"""
NEWEST = "SELECT coalesce(max(received_ms), 0) FROM verdict"
FOR_EVER_MS = 2**53


class KeptStanding:
    """Who counts, by what `index` holds; where it is `told`, everybody does (who_counts.py)."""

    def __init__(self, index: Index, frozen: Frozen, *, told: bool) -> None:
        self._index, self._frozen, self._told = index, frozen, told
        self._standings = Standings()
        self._learnt = 0  # the position up to which successions are known here
        self._at: int | None = None  # the position up to which the warehouse holds what is known here
        self._newest_ms = 0
        self.who: WhoCounts = TOLD if told else by_standing(self.is_established)

    def is_established(self, record: Record) -> bool:
        """What is simulated is of no line, whoever sent it: strangers never see it among what is real."""
        return not record.measurement.simulated and self._standings.is_established(
            record.key, record.network.asn, record.received_ms, record.started_ms
        )

    def begin(self, warehouse: Warehouse, *, anew: bool = False) -> None:
        """Starts from what a warehouse holds, if it is not there already, or in any case `anew`."""
        if self._told or (self._at == warehouse.cursor() and not anew):
            return
        self._at = None
        self._standings = self._of(warehouse, warehouse.apart())
        self._newest_ms = warehouse.select(NEWEST)[0][0]

    def begin_anew(self, warehouse: Warehouse, apart: frozenset[str]) -> dict[Subscriber, int]:
        """Starts again, now that others are blocked; of those that are `apart` the warehouse's rows tell nothing.

        Returns the keys whose standing begins on another day than it did, with the earlier of both.
        """
        if self._told:
            return {}
        before, self._standings = self._standings, self._of(warehouse, apart)
        self._at = None  # until the warehouse, too, knows of it
        return self._standings.unlike(before)

    def _of(self, warehouse: Warehouse, apart: frozenset[str]) -> Standings:
        days: dict[Subscriber, dict[int, Day]] = {}
        for key, asn, day, *seen in warehouse.select(DAYS, [sorted(apart), self._frozen.freezes.until_hour]):
            days.setdefault((key, asn), {})[day] = Day(*seen)
        cursor = warehouse.cursor()
        sent = (r for records in history(self._index, apart) for r in records if r.cursor <= cursor)
        open_ = (sighting_of(r) for r in sent if not self._frozen.holds(r.hour))
        self._learnt = cursor
        standings = Standings(days, self._index.successions(-1, cursor))
        standings.add(days_of(open_))
        return standings

    def see(self, arrived: Iterable[Record]) -> list[Record]:
        """Takes records in; returns those, of before, whose line counts now and did not, or did and does not."""
        if self._told:
            return []
        arrived = list(arrived)
        self._at = None  # until the warehouse holds them
        began = self._standings.add(days_of(map(sighting_of, arrived)), self._learn())
        self._newest_ms = max([self._newest_ms, *(r.received_ms for r in arrived)])
        since = {one: day * DAY_MS - MAX_AHEAD_MS for one, day in began.items()}
        late = {one: moment_ms for one, moment_ms in since.items() if moment_ms <= self._newest_ms}
        if not late:
            return []
        found = self._index.by_keys(sorted({key for key, _ in late}), 0, FOR_EVER_MS)
        return [r for r in found if r.received_ms >= late.get((r.key, r.network.asn), FOR_EVER_MS)]

    def _learn(self) -> list[Said]:
        """The successions that the index has and that are not known here."""
        position = max(self._learnt, self._index.position())
        said, self._learnt = self._index.successions(self._learnt, position), position
        return said

    def settled(self, cursor: int) -> None:
        """All that was seen is in the warehouse, which stands at this position."""
        self._at = cursor


def history(index: Index, keys: Iterable[str]) -> Iterator[list[Record]]:
    """All that these keys sent, a day's at a time: nobody knows how much it is."""
    asked = sorted(keys)
    if asked:
        for day in sorted({hour * HOUR_MS // DAY_MS for _, hour in index.hours()}):
            yield index.by_keys(asked, day * DAY_MS, (day + 1) * DAY_MS)


def sighting_of(record: Record) -> Sighting:
    return sighting(record.key, record.network.asn, record.received_ms, record.measurement, _source(record))


def _source(record: Record) -> str | None:
    """Under the secret of the day of receipt: only on one day are sources told from each other by it."""
    if record.bucket is None:
        return FREE
    return of_day(record.bucket, 0) if day_of(record.started_ms) == day_of(record.received_ms) else None
