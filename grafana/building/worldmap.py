"""Countries on a map: a marker each, as large as what was measured, with the share of it that was interfered with.

A country that was measured, and about which nothing could be concluded, has a grey ring and a question mark. A country
that was not measured has nothing.

Grafana draws a marker's text in the marker's own colour, so texts are layers of their own. The outlines of countries
are a file of Grafana's own: without them a map without the internet would be dots on nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.geomap import TooltipMode

from grafana.building import fields
from grafana.building.fields import Property
from grafana.building.palette import COLOURS, ON_DARK, ON_LIGHT, OUTLINE
from grafana.building.panels import At, asking
from grafana.building.query import Asked
from probe.model import State

CIRCLE = "img/icons/marker/circle.svg"
GAZETTEER = "public/gazetteer/countries.json"  # has ISO 3166 codes of two letters
OUTLINES = "public/maps/countries.geojson"
NO_SYMBOL: dict[str, object] = {"fixed": "", "mode": "fixed"}

Style = Mapping[str, object]


def worldmap(at: At, shares: Asked, inconclusive: Asked, *, links: list[Property]) -> geomap.Panel:
    """`shares` gives country, share and n; `inconclusive` country and n where nothing could be concluded."""
    return (
        asking(geomap.Panel(), at, (shares, inconclusive))
        .thresholds(fields.share_steps())
        .override_by_name("share", fields.properties([("unit", "percentunit"), ("decimals", 0)]))
        .override_by_name("country", fields.properties(links))
        .view(geomap.MapViewConfig().id("coords").lat(25).lon(10).zoom(2))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True))
        .basemap(common.MapLayerOptions().type("default").name("Base"))
        .layers(
            [
                _outlines(),
                _layer("Nothing could be concluded", "B", _marker(COLOURS[State.INSUFFICIENT], {"fixed": 12})),
                _layer("Question marks", "B", _text(ON_LIGHT, {"fixed": "?", "mode": "fixed"})),
                _layer("Share of measured cells with interference", "A", _shares()),
                _layer("Figures", "A", _text(ON_DARK, {"field": "share", "fixed": "", "mode": "field"})),
            ]
        )
        .tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
    )


def _outlines() -> common.MapLayerOptions:
    style = {"color": {"fixed": OUTLINE}, "lineWidth": 1, "opacity": 0.1}
    return (
        common.MapLayerOptions()
        .type("geojson")
        .name("Outlines of countries")
        .config({"src": OUTLINES, "rules": [], "style": style})
        .tooltip(False)
    )


def _layer(name: str, ref_id: str, style: Style) -> common.MapLayerOptions:
    """Grafana draws the layers in this order, each from the query with its letter."""
    location = (
        common.FrameGeometrySource().mode(kinds.FrameGeometrySourceMode.LOOKUP).lookup("country").gazetteer(GAZETTEER)
    )
    return (
        common.MapLayerOptions()
        .type("markers")
        .name(name)
        .location(location)
        .filter_data({"id": "byRefId", "options": ref_id})
        .config({"showLegend": False, "style": style})
        .tooltip(True)
    )


def _marker(colour: str, size: Mapping[str, object], **more: object) -> Style:
    return {
        "color": {"fixed": colour, **more},
        "opacity": 1,
        "rotation": {"fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": {"max": 28, "min": 16, **size},
        "symbol": {"fixed": CIRCLE, "mode": "fixed"},
        "text": {"fixed": "", "mode": "fixed"},
    }


def _shares() -> Style:
    return _marker(COLOURS[State.OK], {"field": "n", "fixed": 16}, field="share")


def _text(colour: str, text: Mapping[str, object]) -> Style:
    """A text without a marker."""
    placed = {"fontSize": 12, "offsetX": 0, "offsetY": 0, "textAlign": "center", "textBaseline": "middle"}
    return {**_marker(colour, {"fixed": 12}), "symbol": NO_SYMBOL, "text": text, "textConfig": placed}
