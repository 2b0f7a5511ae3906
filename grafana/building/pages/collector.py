"""Collector operations: what came in, what is still to be judged and written, and what was dropped."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import frame
from grafana.building.influxql import select
from grafana.building.panels import At, Panel, figure, kind_colours, series
from grafana.building.query import RAW, Asked

PAGE = frame.Page(
    uid="ringback-collector",
    title="Ringback: collector operations",
    about="The collector's own numbers, one point a minute.",
    since="now-24h",
)
SOURCE = '"collector"'
AGE_OF_NETWORKS = (
    "Days since what the table of networks was made of was gathered; nothing where there is no table, or it is the"
    " owner's own."
)


def build() -> Dashboard:
    panels = [
        frame.simulated('"cell_1d"'),
        _figure(3, "Batches not judged yet", "lag", "Batches in the log that the projector has not judged yet."),
        _figure(4, "Points not written yet", "outbox", "Points that wait to be written to InfluxDB; they are durable."),
        _figure(5, "Points dropped", "dead_letters", "Points that InfluxDB refused, each kept with the reason."),
        _figure(6, "Age of the targets file", "targets_age_days", "Days since the targets file was last changed.", "d"),
        _figure(10, "Age of the networks", "networks_age_days", AGE_OF_NETWORKS, "d", width=4),
        _traffic(),
        _cursors(),
        _outbox(),
    ]
    return frame.linked(frame.annotated(frame.dashboard(PAGE, panels)))


def _figure(id_: int, title: str, field: str, about: str, unit: str = "short", width: int = 5) -> Panel:
    at = At(id=id_, title=title, about=f"{about} The last point in the range.", width=width, height=4, uid=RAW)
    asked = Asked(text=select(f'last("{field}")', SOURCE), alias=title.lower(), uid=RAW)
    return figure(at, asked, unit=unit)


def _traffic() -> Panel:
    at = At(
        id=7,
        title="Received since the collector's start",
        about="Measurements that were accepted, and uploads that were refused. Both count from zero when it restarts.",
        width=12,
        uid=RAW,
    )
    text = select('max("accepted") AS "accepted", max("refused") AS "refused"', SOURCE, every="$__interval")
    return kind_colours(_minutely(at, Asked(text=text, alias="$col", uid=RAW)), ["accepted", "refused"])


def _cursors() -> Panel:
    at = At(
        id=8,
        title="Log and projection",
        about="How far the log reaches, and how far it has been judged. The lines are one when it keeps up.",
        width=12,
        uid=RAW,
    )
    text = select('max("log_cursor") AS "log", max("projected_cursor") AS "judged"', SOURCE, every="$__interval")
    return kind_colours(_minutely(at, Asked(text=text, alias="$col", uid=RAW)), ["log", "judged"])


def _outbox() -> Panel:
    at = At(
        id=9,
        title="Writing to InfluxDB",
        about="Points written since the start, points that wait, and points that were dropped.",
        uid=RAW,
    )
    selected = 'max("influx_written") AS "written", max("outbox") AS "waiting", max("dead_letters") AS "dropped"'
    text = select(selected, SOURCE, every="$__interval")
    names = ["written", "waiting", "dropped"]
    return kind_colours(_minutely(at, Asked(text=text, alias="$col", uid=RAW)), names)


def _minutely(at: At, asked: Asked) -> timeseries.Panel:
    return series(at, asked).interval("1m")
