"""The public page: no variables, no annotations, countries only, and only what passes the privacy floor.

Externally shared dashboards allow neither. It reads what is written for the public and nothing else: states made by
established lines, in days that are over. It never reads numbers of lines: its n are cells, of three established lines
or more, and lines appear as the bands that strangers may see.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import NOT_NEUTRAL, PUBLIC_COUNTS, TOLD, inconclusive, is_, select, shares
from grafana.building.panels import At, Columns, Panel, beside, kind_colours, series, table
from grafana.building.query import Asked
from grafana.building.query import table as as_table
from grafana.building.worldmap import worldmap
from probe.explain import ROLES

PAGE = frame.Page(
    uid="ringback-public",
    title="Ringback: do calls get through?",
    about="Where interference with calls and messages is seen, country by country.",
    tags=("ringback-public",),
)
SOURCE = '"country_1d"'
SHOWN_ROLES = ("call", "chat", "web")
# A day is over for an hour before anybody reads it; what comes later changes it in steps (collector/influx/public.py).
SHOWN = f"{TOLD} AND {NOT_NEUTRAL} AND time <= now() - 25h"


def build() -> Dashboard:
    panels = [frame.simulated(SOURCE, SHOWN), _map(), _countries(), _over_time(), frame.legend()]
    return frame.dashboard(PAGE, panels)


def _map() -> Panel:
    at = At(
        id=3,
        title="Countries: share of measured cells in which interference was seen",
        about="A marker is as large as its number of measured cell-days; its figure is the share with interference. "
        "A question mark was measured, and nothing can be concluded. Nothing drawn means not measured.",
        height=16,
    )
    seen = as_table(shares(PUBLIC_COUNTS, SOURCE, [SHOWN], ["country"]))
    return worldmap(at, seen, as_table(inconclusive(PUBLIC_COUNTS, SOURCE, [SHOWN], ["country"])), links=[])


def _countries() -> Panel:
    at = At(
        id=4,
        title="Countries and services",
        about="Measured cell-days (n), the share of them with interference, and the lines of the last day, as a band. "
        "What was measured on fewer than three established lines of as many sources is not here.",
        height=14,
    )
    by = ["country", "service", "role"]
    seen = as_table(shares(PUBLIC_COUNTS, SOURCE, [SHOWN], by))
    measured = as_table(select(f'{PUBLIC_COUNTS.n} AS "n", last("public_band") AS "lines"', SOURCE, [SHOWN], by))
    columns: Columns = {
        "country": fields.country_column(),
        "service": fields.service_column(),
        "role": fields.role_column(),
        "share": fields.share_column(),
        "n": fields.n_column(),
        "lines": fields.column("Lines", 90),
    }
    return table(at, seen, measured, columns=columns)


def _over_time() -> Panel:
    at = At(
        id=5,
        title="Calls compared with messages: share of measured cells with interference",
        about="All countries together, which hides where it happens: see the map. Dashed, on the right: n. "
        "No point means that nothing could be judged.",
    )
    queries = [
        Asked(
            text=shares(PUBLIC_COUNTS, SOURCE, [SHOWN, is_("role", role)], ["role"], every="$__interval"),
            alias=f"{ROLES[role]} $col",
        )
        for role in SHOWN_ROLES
    ]
    panel = series(at, *queries, unit="percentunit")
    named = kind_colours(panel, [f"{ROLES[role]} share" for role in SHOWN_ROLES])
    return beside(named, "/ n$/", "n (measured cell-days)")
