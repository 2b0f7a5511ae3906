"""The public page: no variables, no annotations, countries only, and only what passes the privacy floor.

Externally shared dashboards allow neither. It reads what is written for the public and nothing else: states made by
established lines, in days that are over. It never reads numbers of lines: its n are cells, of three established lines
or more, and lines appear as the bands that strangers may see.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import NOT_NEUTRAL, PUBLIC_COUNTS, TOLD, select, shares
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
        "A question mark alone was measured, and nothing can be concluded. Nothing drawn means not measured.",
        height=16,
    )
    seen = as_table(shares(PUBLIC_COUNTS, SOURCE, [SHOWN], ["country"]))
    measured = as_table(select(f'{PUBLIC_COUNTS.n} AS "n"', SOURCE, [SHOWN], ["country"]))
    return worldmap(at, seen, measured, links=[])


def _countries() -> Panel:
    at = At(
        id=4,
        title="Countries and services",
        about="Cell-hours that could be judged (n), the share of them with interference, and lines in bands. "
        "What was measured on fewer than three established lines of as many sources is not here.",
        height=14,
    )
    by = ["country", "service", "role"]
    seen = as_table(shares(PUBLIC_COUNTS, SOURCE, [SHOWN], by))
    measured = as_table(select(f'{PUBLIC_COUNTS.n} AS "n", last("public_band") AS "lines"', SOURCE, [SHOWN], by))
    columns: Columns = {
        "Time": [("custom.hidden", True)],
        "role": [("mappings", fields.words(ROLES))],
        "share": [("displayName", "cells with interference"), *fields.share_properties()],
        "n": [("displayName", "n (measured cell-days)")],
        "lines": [("displayName", "lines on the last day")],
    }
    return table(at, seen, measured, columns=columns)


def _over_time() -> Panel:
    at = At(
        id=5,
        title="Calls against messages: share of measured cells with interference",
        about="All countries together, which hides where it happens: see the map. Dashed, on the right: n. "
        "No point means that nothing could be judged.",
    )
    text = shares(PUBLIC_COUNTS, SOURCE, [SHOWN], ["role"], every="$__interval")
    panel = series(at, Asked(text=text, alias="$tag_role $col"), unit="percentunit")
    return beside(kind_colours(panel, ["call share", "chat share", "web share"]), "/ n$/", "n (measured cell-days)")
