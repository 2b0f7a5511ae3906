"""Coverage and health: who measures, how late it arrives, with which release, and whether the controls answer."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import CELLS, chosen, select
from grafana.building.panels import At, Columns, Panel, beside, series, table
from grafana.building.query import Asked
from grafana.building.query import table as as_table

PAGE = frame.Page(
    uid="ringback-coverage",
    title="Ringback: coverage and health",
    about="Lines, arrival, releases and controls: what the other pages stand on.",
)
SOURCE = '"coverage_$per"'
CONTROLS = '"control_1h"'
JUDGED = 'sum("interfered") / sum("judged") AS "share", sum("judged") AS "n"'
PAIRS = '"aa_pairs" > 0'
PLACE = ("country", "operator", "access")


def build() -> Dashboard:
    where = chosen(*PLACE)
    panels = [
        frame.simulated(CELLS, *where),
        _lines(where),
        _measurements(where),
        _lag(where),
        _releases(where),
        _controls(),
        _accusations(where),
    ]
    built = frame.dashboard(PAGE, panels)
    variables = (
        frame.many("country", "Country"),
        frame.many("operator", "Operator", "country"),
        frame.many("access", "Access", "country", "operator"),
        frame.per(first="1d"),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _lines(where: list[str]) -> Panel:
    at = At(
        id=3,
        title="Lines, by country and access",
        about="The largest number of lines of one network and release an hour or day. Gaps are times without data.",
        width=12,
    )
    text = select('max("lines")', SOURCE, where, ["country", "access"], every="$per")
    return series(at, Asked(text=text, alias="$tag_country · $tag_access"))


def _measurements(where: list[str]) -> Panel:
    at = At(
        id=4,
        title="Measurements received, by country",
        about="How many measurements arrived. A fall without an event is a matter of ours before it is a matter of the "
        "country: see the alert on volume.",
        width=12,
    )
    text = select('sum("measurements")', SOURCE, where, ["country"], every="$per")
    return series(at, Asked(text=text, alias="$tag_country"), stacked=True)


def _lag(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="From measuring to arriving",
        about="The largest median and 95th percentile over networks of the time from a measurement's start to its "
        "arrival. A probe that could not upload keeps its measurements and sends them later.",
        width=12,
    )
    text = select('max("lag_ms_p50") AS "median", max("lag_ms_p95") AS "p95"', SOURCE, where, ["country"], "$per")
    return series(at, Asked(text=text, alias="$tag_country $col"), unit="ms")


def _releases(where: list[str]) -> Panel:
    at = At(
        id=6,
        title="Releases: lines, and the share that saw interference",
        about="A release whose lines see far more interference than others in the same country is a fault of the "
        "release until shown otherwise. n are line-hours about which something could be concluded.",
        width=12,
    )
    text = select(JUDGED, SOURCE, [*where, '"judged" > 0'], ["country", "software"])
    columns: Columns = {
        "country": fields.country_column(),
        "software": fields.column("Release", 160),
        "share": fields.share_column(),
        "n": fields.n_column(),
    }
    return table(at, as_table(text), columns=columns)


def _controls() -> Panel:
    at = At(
        id=7,
        title="Controls: which targets they reached",
        about="Of the controls that measured a target in an hour, the share that got no positive answer, and n. Where "
        "controls fail, the service may be down, or our target out of date; nothing is concluded then.",
        width=12,
        height=10,
    )
    text = select(
        'sum("failed") / sum("controls") AS "share", sum("controls") AS "n"',
        CONTROLS,
        ['"controls" > 0'],
        ["service", "role"],
    )
    columns: Columns = {
        "service": fields.service_column(),
        "role": fields.role_column(),
        "share": fields.share_column("No answer"),
        "n": fields.n_column(),
    }
    return table(at, as_table(text), columns=columns)


def _accusations(where: list[str]) -> Panel:
    at = At(
        id=8,
        title="A/A: twins that were told apart",
        about="Flows compared with flows of the same kind: whatever differs is a false accusation of our own making. "
        "Above 1 % nothing is claimed about a network. Empty until call flows are measured.",
        width=12,
        height=10,
    )
    selected = 'sum("aa_discordant") / sum("aa_pairs") AS "share", sum("aa_pairs") AS "n"'
    text = select(selected, SOURCE, [*where, PAIRS], ["country", "operator"], every="$per")
    panel = series(at, Asked(text=text, alias="$tag_country · $tag_operator $col"), unit="percentunit")
    return beside(panel, "/ n$/", "n (pairs)")
