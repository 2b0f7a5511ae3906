"""Early signals: what many new measurers saw within a day, before any of them counts. For the owner alone.

In a new ban most who measure are new, and it would be a week before they count. Where their lines come from ten source
buckets or more, the owner is told, and may look closer; it is no finding and no state, for ten sources are what it
costs. A line says what it saw last that day; sources are told from each other within one UTC day only.
"""

from __future__ import annotations

from msgspec import Struct

from collector.facts.buckets import NOWHERE
from collector.facts.standing import DAY_MS
from collector.warehouse.store import Warehouse
from probe.model import State

SOURCES = 10
AGAINST = (State.BLOCKED.value, State.LIKELY_BLOCKED.value)

SIGNALS = f"""
WITH last AS (
    SELECT target, service, role, country, asn, operator, bucket, state, started_ms // {DAY_MS} AS day FROM verdict
    WHERE hour BETWEEN $first_hour AND $last_hour AND service <> 'baseline'
      AND NOT established AND NOT is_control AND NOT simulated AND bucket IS NOT NULL AND bucket <> '{NOWHERE}'
    QUALIFY row_number() OVER (
        PARTITION BY target, country, asn, operator, day, key ORDER BY started_ms DESC, round DESC, uid DESC
    ) = 1
)
SELECT service, role, country, asn, operator, day,
       count(DISTINCT bucket) FILTER (list_contains($against, state)) AS sources,
       count(DISTINCT bucket) FILTER (state = '{State.OK.value}') AS passing
FROM last GROUP BY ALL HAVING sources >= {SOURCES}
ORDER BY day DESC, sources DESC, service, role, country, asn, operator
"""


class EarlySignal(Struct, frozen=True, kw_only=True):
    """Interference that new lines saw with a target, on one network and UTC day (since 1970), by source buckets.

    `passing`: sources of new lines that got through on that day.
    """

    service: str
    role: str
    country: str
    asn: int
    operator: str
    day: int
    sources: int
    passing: int


def early_signals(warehouse: Warehouse, first_hour: int, last_hour: int) -> list[EarlySignal]:
    """The signals of these hours, the newest day first. Not for strangers."""
    bound = {"first_hour": first_hour, "last_hour": last_hour, "against": list(AGAINST)}
    rows = warehouse.select(SIGNALS, bound)
    return [EarlySignal(**dict(zip(EarlySignal.__struct_fields__, row, strict=True))) for row in rows]
