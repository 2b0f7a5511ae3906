"""Call quality: loss, jitter and MOS of call flows, the app-shaped flow against its twin."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import frame
from grafana.building.influxql import CELLS, chosen, select
from grafana.building.panels import At, Panel, beside, series
from grafana.building.query import Asked

PAGE = frame.Page(
    uid="ringback-quality",
    title="Ringback: call quality",
    about="Loss, jitter and estimated MOS of call flows to our own helpers, beside their twins.",
)
FLOWED = '"flows" > 0'
BY = ("operator", "access")
NAMED = "$tag_operator · $tag_access $col"


def build() -> Dashboard:
    where = chosen(*frame.CHAIN)
    panels = [
        frame.simulated(CELLS, *where),
        _compared(3, "Loss", "loss", "percentunit", where),
        _compared(4, "Jitter", "jitter_ms", "ms", where),
        _mos(where),
        _flows(where),
    ]
    built = frame.dashboard(PAGE, panels)
    variables = (
        frame.one("country", "Country"),
        frame.many("operator", "Operator", "country"),
        frame.many("access", "Access", "country", "operator"),
        frame.many("service", "Service", "country", "operator", "access"),
        frame.per(),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _compared(id_: int, what: str, field: str, unit: str, where: list[str]) -> Panel:
    at = At(
        id=id_,
        title=f"{what}: packets shaped like the app's call against their twin",
        about=f"{what} of the app-shaped flow and of its twin, which has the same sizes and timing and other bytes. "
        "A gap between the two follows the content; a rise of both is the line. Dashed: n flows.",
        width=12,
        height=10,
    )
    selected = f'mean("{field}") AS "app", mean("twin_{field}") AS "twin", sum("flows") AS "n"'
    text = select(selected, CELLS, [*where, FLOWED], BY, every="$per")
    return beside(series(at, Asked(text=text, alias=NAMED), unit=unit), "/ n$/", "n (flows)")


def _mos(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Estimated quality of a call (MOS, 1 to 4.5)",
        about="Estimated from loss and jitter of the app-shaped flow, not from anybody's voice. Dashed: n flows.",
        width=12,
    )
    text = select('mean("mos") AS "MOS", sum("flows") AS "n"', CELLS, [*where, FLOWED], BY, every="$per")
    return beside(series(at, Asked(text=text, alias=NAMED)), "/ n$/", "n (flows)")


def _flows(where: list[str]) -> Panel:
    at = At(
        id=6,
        title="Call flows measured",
        about="How many flows stand behind the figures above, by service. Empty until call flows are measured.",
        width=12,
    )
    text = select('sum("flows")', CELLS, [*where, FLOWED], ["service"], every="$per")
    return series(at, Asked(text=text, alias="$tag_service"), stacked=True)
