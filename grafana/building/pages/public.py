"""The public page: no variables, no annotations, countries only, and only what passes the privacy floor.

Externally shared dashboards allow neither. It never reads numbers of lines: its n are cells, of three lines or more,
and lines appear as the bands that strangers may see.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from collector.site.words import ROLES
from grafana.building import fields, frame
from grafana.building.influxql import JUDGED, NOT_NEUTRAL, SHARE_OF_CELLS, select
from grafana.building.panels import At, Columns, Panel, beside, kind_colours, series, table
from grafana.building.query import Asked
from grafana.building.query import table as as_table
from grafana.building.worldmap import worldmap

PAGE = frame.Page(
    uid="ringback-public",
    title="Ringback: do calls get through?",
    about="Where interference with calls and messages is seen, country by country.",
    tags=("ringback-public",),
)
SOURCE = '"country_1d"'
SHOWN = f'"shown" = 1 AND {NOT_NEUTRAL}'


def build() -> Dashboard:
    panels = [frame.simulated(SOURCE, SHOWN), _map(), _countries(), _over_time(), frame.legend()]
    return frame.dashboard(PAGE, panels)


def _map() -> Panel:
    at = At(
        id=3,
        title="Countries: share of judged cells in which interference was seen, last 7 days",
        about="A marker is as large as its number of judged cell-days; its figure is the share with interference. "
        "A question mark alone was measured, and nothing can be concluded. Nothing drawn means not measured.",
        height=16,
    )
    shares = as_table(select(SHARE_OF_CELLS, SOURCE, [SHOWN, JUDGED], ["country"]))
    measured = as_table(select('sum("cells") AS "measured"', SOURCE, [SHOWN], ["country"]))
    return worldmap(at, shares, measured, links=[])


def _countries() -> Panel:
    at = At(
        id=4,
        title="Countries and services",
        about="Cell-hours that could be judged (n), the share of them with interference, and lines in bands. "
        "What was measured on fewer than three lines is not here.",
        height=14,
    )
    by = ["country", "service", "role"]
    shares = as_table(select(SHARE_OF_CELLS, SOURCE, [SHOWN, JUDGED], by))
    measured = as_table(select('sum("cells") AS "measured", last("band") AS "lines"', SOURCE, [SHOWN], by))
    columns: Columns = {
        "Time": [("custom.hidden", True)],
        "role": [("mappings", fields.words(ROLES))],
        "share": [("displayName", "cells with interference"), *fields.share_properties()],
        "n": [("displayName", "n (judged cell-days)")],
        "measured": [("displayName", "measured cell-days")],
        "lines": [("displayName", "lines on the last day")],
    }
    return table(at, shares, measured, columns=columns)


def _over_time() -> Panel:
    at = At(
        id=5,
        title="Calls against messages: share of judged cells with interference",
        about="All countries together, which hides where it happens: see the map. Dashed, on the right: n. "
        "No point means that nothing could be judged.",
    )
    text = select(SHARE_OF_CELLS, SOURCE, [SHOWN, JUDGED], ["role"], every="$__interval")
    panel = series(at, Asked(text=text, alias="$tag_role $col"), unit="percentunit")
    return beside(kind_colours(panel, ["call share", "chat share", "web share"]), "/ n$/", "n (judged cell-days)")
