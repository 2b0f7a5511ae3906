"""Days of cells, as a page shows them: of each target at a place its latest cell, and its state in each hour.

Which places there are is asked first, with how many targets each has; then only those for which there is room. So a
page never reads more than it shows, and shows all hours of that, however many places there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from collector.warehouse import privacy_floor
from collector.warehouse.privacy_floor import VISIBLE
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CELL_COLUMNS, CellRow, cell_from

PLACE = ("country", "asn", "operator", "access", "simulated")
IN_DAY = f"hour BETWEEN $first_hour AND $last_hour AND ($country IS NULL OR country = $country) AND {VISIBLE}"

PLACES = f"SELECT {', '.join(PLACE)}, count(DISTINCT target) FROM cell WHERE {IN_DAY} GROUP BY ALL"
SAID = "{'hour': hour, 'state': state, 'depth': depth, 'public_state': public_state, 'public_depth': public_depth}"
DAYS = f"""
SELECT {", ".join(CELL_COLUMNS)}, list({SAID}) OVER every
FROM cell JOIN (
    SELECT unnest($countries::VARCHAR[]) AS country, unnest($asns::BIGINT[]) AS asn,
           unnest($operators::VARCHAR[]) AS operator, unnest($accesses::VARCHAR[]) AS access,
           unnest($worlds::BOOLEAN[]) AS simulated
) AS place USING ({", ".join(PLACE)})
WHERE {IN_DAY}
WINDOW every AS (PARTITION BY target, {", ".join(PLACE)})
QUALIFY row_number() OVER (PARTITION BY target, {", ".join(PLACE)} ORDER BY hour DESC) = 1
"""

PlaceKey = tuple[str, int, str, str, bool]


class Day(Struct, frozen=True):
    """A target at a place: its latest cell, and hour → state and depth. For strangers both are what they are told."""

    latest: CellRow
    hours: dict[int, tuple[str, str | None]]


class Asked(Struct, frozen=True, kw_only=True):
    """The hours that are asked for, of one country or of all; `public_at`: for strangers, as of that moment, ms."""

    first_hour: int
    last_hour: int
    country: str | None = None
    public_at: int | None = None


def places(warehouse: Warehouse, asked: Asked) -> dict[PlaceKey, int]:
    """The places that have cells, and of how many targets."""
    rows = warehouse.select(PLACES, _bound(asked))
    return {(country, asn, operator, access, simulated): n for country, asn, operator, access, simulated, n in rows}


def days(warehouse: Warehouse, asked: Asked, of: Collection[PlaceKey]) -> list[Day]:
    """What is known of these places."""
    if not of:
        return []
    names = ("countries", "asns", "operators", "accesses", "worlds")
    columns = dict(zip(names, map(list, zip(*of, strict=True)), strict=True))
    rows = warehouse.select(DAYS, _bound(asked) | columns)
    full = asked.public_at is None
    return list(warehouse.faults.each("cells", lambda row: _day(row, full), rows))


def _day(row: Sequence[object], full: bool) -> Day:
    *values, hours = row
    cell, public = cell_from(tuple(values)), "" if full else "public_"
    said = {each["hour"]: (each[f"{public}state"], each[f"{public}depth"]) for each in hours}  # type: ignore[attr-defined]
    return Day(cell if full else privacy_floor.public(cell), said)


def _bound(asked: Asked) -> dict[str, object]:
    return {
        "first_hour": asked.first_hour,
        "last_hour": asked.last_hour,
        "country": asked.country,
        "public_at": asked.public_at,
    }
