"""The map of blocking: countries, and inside a country its operators, by what could be judged of their cells."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.fields import Property
from grafana.building.influxql import CELL_COUNTS, CELLS, MEASURED, chosen, inconclusive, select, shares
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
COUNTS: dict[str, list[Property]] = {"share": fields.share_column(), "n": fields.n_column()}


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
        "A question mark was measured, and nothing can be concluded. Nothing drawn means not measured.",
        height=16,
    )
    links = [fields.link_to("ringback-country", "Open the country", ["country"])]
    measured = [*where, MEASURED]
    seen = as_table(shares(CELL_COUNTS, CELLS, measured, ["country"]))
    return worldmap(at, seen, as_table(inconclusive(CELL_COUNTS, CELLS, measured, ["country"])), links=links)


def _countries(where: list[str]) -> Panel:
    at = At(
        id=4,
        title="Countries",
        about="Of the cell-hours (or cell-days) of each country that were measured (n), the share with interference. "
        "Countries have no state of their own.",
        width=10,
    )
    links = [fields.link_to("ringback-country", "Open the country", ["country"])]
    return table(at, *_counted(where, ["country"]), columns={"country": fields.country_column(*links), **COUNTS})


def _operators(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Operators inside the chosen countries",
        about="The same counts for each operator and access, where a ban often differs: mobile and fixed lines apart.",
        width=14,
    )
    by = ["country", "operator", "access"]
    links = [fields.link_to("ringback-operator", "Open the operator", ["country", "operator"])]
    columns = {
        "country": fields.country_column(),
        "operator": fields.operator_column(*links),
        "access": fields.access_column(),
        **COUNTS,
    }
    return table(at, *_counted(where, by), columns=columns)


def _counted(where: list[str], by: list[str]) -> tuple[Asked, Asked]:
    """The shares, where anything was judged, and the n of all that was measured: merged into one row each."""
    measured = [*where, MEASURED]
    counts = select(f'{CELL_COUNTS.n} AS "n"', CELLS, measured, by)
    return as_table(shares(CELL_COUNTS, CELLS, measured, by)), as_table(counts)
