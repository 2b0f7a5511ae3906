"""The kinds of panel that the dashboards are made of, each with what must never be forgotten on it.

Nulls are gaps in all of them, and what has no data says so in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, geomap, stat, statetimeline, text, timeseries
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.text import TextMode
from msgspec import Struct

from grafana.building import fields
from grafana.building.fields import Property
from grafana.building.palette import COLOURS, KINDS, LOOKS, NO_DATA
from grafana.building.query import ROLLUP, Asked, lettered, source
from probe.explain import MECHANISM_WORDS
from probe.model import State

PER_PAGE = 15  # rows of a timeline: in 12 units of height their names and words do not overlap
UNSEEN = ("interfered", "judged")  # what a share is made of, beside it

Panel = Builder[model.Panel]
Columns = Mapping[str, Sequence[Property]]
Asking = TypeVar("Asking", geomap.Panel, stat.Panel, statetimeline.Panel, tables.Panel, timeseries.Panel)


class At(Struct, frozen=True, kw_only=True):
    """What every panel has. `id` is permanent: links to a panel and its alerts name it. The grid is 24 wide."""

    id: int
    title: str
    about: str
    width: int = 24
    height: int = 9
    uid: str = ROLLUP


def asking(panel: Asking, at: At, queries: tuple[Asked, ...]) -> Asking:
    """The panel at its place, with its queries; where they give nothing it says so."""
    return (
        panel.id(at.id)
        .title(at.title)
        .description(at.about)
        .span(at.width)
        .height(at.height)
        .datasource(source(at.uid))
        .targets(lettered(queries))
        .no_value(NO_DATA)
    )


def states(at: At, *queries: Asked) -> statetimeline.Panel:
    """States over time, one row per series, in bars that carry their sign and words."""
    return (
        asking(statetimeline.Panel(), at, queries)
        .mappings(fields.state_mappings())
        .thresholds(fields.steps((None, "transparent")))
        .show_value(kinds.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.85)
        .per_page(PER_PAGE)
        .line_width(1)
        .legend(_legend().show_legend(False))
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.SINGLE))
    )


def mechanisms(at: At, *queries: Asked) -> statetimeline.Panel:
    """Mechanisms over time, in words, without a colour that would mean a state."""
    return (
        states(at, *queries)
        .mappings(fields.words(MECHANISM_WORDS))
        .color_scheme(fields.fixed(COLOURS[State.INSUFFICIENT]))
    )


def series(at: At, *queries: Asked, unit: str = "short", stacked: bool = False) -> timeseries.Panel:
    """Numbers over time; a bucket without data is a gap in the line.

    `$__interval` is never smaller than the rollup's own buckets. Queries of `$per` are not thinned out at all: a
    smallest interval that is a variable is not understood by every Grafana.
    """
    return (
        asking(timeseries.Panel(), at, queries)
        .interval("1d" if any("_1d" in asked.text for asked in queries) else "1h")
        .unit(unit)
        .min(0)
        .draw_style(kinds.GraphDrawStyle.BARS if stacked else kinds.GraphDrawStyle.LINE)
        .fill_opacity(70 if stacked else 0)
        .stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL if stacked else kinds.StackingMode.NONE))
        .show_points(kinds.VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(_legend().show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
    )


def table(at: At, *queries: Asked, columns: Columns, timed: bool = False) -> tables.Panel:
    """Rows in pages. `columns` are those that are shown, in their order, and how; others are left out.

    The order is said, for Grafana takes tags in one of its own, another one each time. Not `timed`, a row is about the
    whole range and its time is left out.
    """
    footer = common.TableFooterOptions().show(False).reducer([]).enable_pagination(True)
    panel = asking(tables.Panel(), at, queries).filterable(True).show_header(True).footer(footer)
    for name, properties in columns.items():
        panel.override_by_name(name, fields.properties(properties))
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    shown = [*(["Time"] if timed else []), *columns]
    order: dict[str, object] = {
        "indexByName": {name: i for i, name in enumerate(shown)},
        "excludeByName": dict.fromkeys((*([] if timed else ["Time"]), *UNSEEN), True),
    }
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=order))
    return panel


def figure(at: At, *queries: Asked, unit: str = "short") -> stat.Panel:
    """One number, the last that there is."""
    return (
        asking(stat.Panel(), at, queries)
        .unit(unit)
        .color_mode(kinds.BigValueColorMode.NONE)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .text_mode(kinds.BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def banner(at: At, query: Asked) -> stat.Panel:
    """Whether anything on the page is simulated, driven by the data."""
    return (
        figure(at, query)
        .mappings(fields.simulated_mappings())
        .color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(kinds.BigValueTextMode.VALUE)
    )


def prose(at: At, markdown: str) -> text.Panel:
    return (
        text.Panel()
        .id(at.id)
        .title(at.title)
        .description(at.about)
        .span(at.width)
        .height(at.height)
        .mode(TextMode.MARKDOWN)
        .content(markdown)
    )


def state_colours(panel: timeseries.Panel) -> timeseries.Panel:
    """Series that are named after states (`state_series`) in the states' colours."""
    for look in LOOKS.values():
        panel.override_by_name(look.text, fields.properties([("color", fields.fixed(look.colour).build())]))
    return panel


def kind_colours(panel: timeseries.Panel, names: Sequence[str]) -> timeseries.Panel:
    """Series in the colours of things that are no states, in this order; where these end, the same dashed."""
    for i, name in enumerate(names):
        look: list[Property] = [("color", fields.fixed(KINDS[i % len(KINDS)]).build())]
        if i >= len(KINDS):
            look.append(("custom.lineStyle", {"fill": "dash", "dash": [10, 6]}))
        panel.override_by_name(name, fields.properties(look))
    return panel


def n_in_tooltip(panel: timeseries.Panel) -> timeseries.Panel:
    """The n of rates of many series: it is told where one points, and draws no lines of its own."""
    unseen: list[Property] = [
        ("unit", "short"),
        ("custom.hideFrom", {"viz": True, "legend": True, "tooltip": False}),
    ]
    return panel.override_by_regexp("/ n$/", fields.properties(unseen))


def beside(panel: timeseries.Panel, pattern: str, label: str = "n") -> timeseries.Panel:
    """The n of a rate: dashed, on the right."""
    dashed = {"fill": "dash", "dash": [4, 6]}
    properties: list[Property] = [
        ("unit", "short"),
        ("custom.axisPlacement", "right"),
        ("custom.axisLabel", label),
        ("custom.lineStyle", dashed),
        ("custom.lineWidth", 1),
    ]
    return panel.override_by_regexp(pattern, fields.properties(properties))


def _legend() -> common.VizLegendOptions:
    return common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).placement(kinds.LegendPlacement.BOTTOM)
