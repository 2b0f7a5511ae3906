"""Countries on a map: a marker each, as large as what was measured, with the share of it that was interfered with.

A country that was measured, and about which nothing could be concluded, has a grey ring and no share. A country that
was not measured has nothing.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.geomap import TooltipMode

from grafana.building import fields
from grafana.building.fields import Property
from grafana.building.palette import COLOURS
from grafana.building.panels import At, asking
from grafana.building.query import Asked
from probe.model import State

CIRCLE = "img/icons/marker/circle.svg"
GAZETTEER = "public/gazetteer/countries.json"  # has ISO 3166 codes of two letters


def worldmap(at: At, shares: Asked, measured: Asked, *, links: list[Property]) -> geomap.Panel:
    """`shares` gives country, share and n; `measured` gives country and n of all that were measured."""
    return (
        asking(geomap.Panel(), at, (shares, measured))
        .thresholds(fields.share_steps())
        .override_by_name("share", fields.properties([("unit", "percentunit"), ("decimals", 0)]))
        .override_by_name("country", fields.properties(links))
        .view(geomap.MapViewConfig().id("fit").all_layers(True).lat(20).lon(10).zoom(2))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True))
        .basemap(common.MapLayerOptions().type("default").name("Base"))
        .layers([_measured(), _shares()])
        .tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
    )


def _layer(name: str, ref_id: str, style: dict[str, object]) -> common.MapLayerOptions:
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


def _measured() -> common.MapLayerOptions:
    style: dict[str, object] = {
        "color": {"fixed": COLOURS[State.INSUFFICIENT]},
        "opacity": 0.5,
        "rotation": {"fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": {"fixed": 8, "max": 15, "min": 2},
        "symbol": {"fixed": CIRCLE, "mode": "fixed"},
        "text": {"fixed": "?", "mode": "fixed"},
        "textConfig": {"fontSize": 11, "offsetX": 0, "offsetY": 0, "textAlign": "center", "textBaseline": "middle"},
    }
    return _layer("Measured", "B", style)


def _shares() -> common.MapLayerOptions:
    style: dict[str, object] = {
        "color": {"field": "share", "fixed": COLOURS[State.OK]},
        "opacity": 0.9,
        "rotation": {"fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": {"field": "n", "fixed": 12, "max": 26, "min": 12},
        "symbol": {"fixed": CIRCLE, "mode": "fixed"},
        "text": {"field": "share", "fixed": "", "mode": "field"},
        "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": 0, "textAlign": "center", "textBaseline": "middle"},
    }
    return _layer("Share of measured cells with interference", "A", style)
