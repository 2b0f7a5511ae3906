"""The map of blocking: countries, and inside a country its operators, by what could be judged of their cells."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.fields import Property
from grafana.building.influxql import CELL_COUNTS, CELLS, MEASURED, chosen, select, shares
from grafana.building.panels import At, Panel, table
from grafana.building.query import Asked
from grafana.building.query import table as as_table
from grafana.building.worldmap import worldmap

PAGE = frame.Page(
    uid="ringback-map",
    title="Ringback: map of blocking",
    about="Where interference with calls and messages is seen, as counts of cells with their n.",
)
FILTERS = ("country", "operator", "access", "service", "role")
COLUMNS: dict[str, list[Property]] = {
    "Time": [("custom.hidden", True)],
    "share": [("displayName", "cells with interference"), *fields.share_properties()],
    "n": [("displayName", "n (measured cells)")],
}


def build() -> Dashboard:
    where = chosen(*FILTERS)
    built = frame.dashboard(
        PAGE, [frame.simulated(CELLS, *where), _map(where), _countries(where), _operators(where), frame.legend()]
    )
    variables = (
        frame.role(),
        frame.many("country", "Country"),
        frame.many("operator", "Operator", "country"),
        frame.many("access", "Access", "country", "operator"),
        frame.many("service", "Service", "country", "operator", "access"),
        frame.per(first="1d"),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _map(where: list[str]) -> Panel:
    at = At(
        id=3,
        title="Countries: share of measured cells in which interference was seen",
        about="A marker is as large as its number of measured cells; its figure is the share with interference. "
        "A question mark alone was measured, and nothing can be concluded. Nothing drawn means not measured.",
        height=16,
    )
    links = [fields.link_to("ringback-country", "Open the country", ["country"])]
    return worldmap(at, *_counted(where, ["country"]), links=links)


def _countries(where: list[str]) -> Panel:
    at = At(
        id=4,
        title="Countries",
        about="Cell-hours (or cell-days) of each country: measured (n), judged, and with interference. "
        "Countries have no state of their own.",
        width=10,
    )
    links = [fields.link_to("ringback-country", "Open the country", ["country"])]
    return table(at, *_counted(where, ["country"]), columns={**COLUMNS, "country": links})


def _operators(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Operators inside the chosen countries",
        about="The same counts for each operator and access, where a ban often differs: mobile and fixed lines apart.",
        width=14,
    )
    by = ["country", "operator", "access"]
    links = [fields.link_to("ringback-operator", "Open the operator", ["country", "operator"])]
    return table(at, *_counted(where, by), columns={**COLUMNS, "operator": links})


def _counted(where: list[str], by: list[str]) -> tuple[Asked, Asked]:
    """The shares, where anything was judged, and the n of all that was measured: merged into one row each."""
    measured = [*where, MEASURED]
    counts = select(f'{CELL_COUNTS.n} AS "n"', CELLS, measured, by)
    return as_table(shares(CELL_COUNTS, CELLS, measured, by)), as_table(counts)
