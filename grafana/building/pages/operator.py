"""One operator: 3G, 4G, 5G, WiFi, ADSL … side by side, and lines of the same network that disagree."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import (
    CELLS,
    LINE_COUNTS,
    MEASURED,
    NOT_EMPTIED,
    chosen,
    is_,
    select,
    shares,
)
from grafana.building.palette import ACCESSES
from grafana.building.panels import At, Columns, Panel, kind_colours, n_in_tooltip, series, states, table
from grafana.building.query import Asked, by_role
from grafana.building.query import table as as_table

PAGE = frame.Page(
    uid="ringback-operator",
    title="Ringback: operator",
    about="One operator in one country: its kinds of access side by side.",
)


def build() -> Dashboard:
    where = chosen(*frame.CHAIN, "role")
    panels = [
        frame.simulated(CELLS, *where),
        _states(where),
        _shares(where),
        _over_time(where),
        _venues(where),
        frame.legend(),
    ]
    built = frame.dashboard(PAGE, panels)
    variables = (
        frame.one("country", "Country"),
        frame.one("operator", "Operator", "country"),
        frame.many("access", "Access", "country", "operator"),
        frame.many("service", "Service", "country", "operator", "access"),
        frame.role(),
        frame.per(),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _states(where: list[str]) -> Panel:
    at = At(
        id=3,
        title="${operator}: access by access",
        about="The state of each cell of this operator, by all its lines (`look`). Rows of one access stand together, "
        "so that mobile and fixed lines are compared at a glance. A gap is a time without data.",
        height=14,
    )

    def text(role: str) -> str:
        conditions = [*where, is_("role", role), NOT_EMPTIED]
        return select('last("look") AS "look"', CELLS, conditions, ("access", "service"), every="$per")

    return states(at, *by_role(text, "$tag_access · $tag_service"))


def _shares(where: list[str]) -> Panel:
    at = At(
        id=4,
        title="Share of lines with interference by access",
        about="Of the line-hours (or line-days) that were measured (n), the share in which interference was seen, over "
        "the whole range. It is at least so much: inconclusive lines are in n too.",
        width=12,
    )
    text = shares(LINE_COUNTS, CELLS, [*where, MEASURED], ["access", "role"])
    columns: Columns = {
        "access": fields.access_column(),
        "role": fields.role_column(),
        "share": fields.share_column(),
        "n": fields.n_column(),
    }
    return table(at, as_table(text), columns=columns)


def _over_time(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Share of lines with interference over time",
        about="The same share by access over time; the n behind each point stands in the tooltip. "
        "No point means that nothing could be judged.",
        width=12,
    )
    text = shares(LINE_COUNTS, CELLS, [*where, MEASURED], ["access"], every="$per")
    panel = series(at, Asked(text=text, alias="$tag_access $col"), unit="percentunit")
    return n_in_tooltip(kind_colours(panel, [f"{access} share" for access in ACCESSES]))


def _venues(where: list[str]) -> Panel:
    at = At(
        id=6,
        title="Lines of the same access that disagree",
        about="Lines that saw no interference, or which a relay answers that is dropped for others, beside lines that "
        "saw it, in cells where both occur. A venue that is exempted (a conference, a hotel, an office) shows "
        "here, as does a ban that is being rolled out.",
    )
    conditions = [*where, '"ok" + "answered" > 0', '"blocked" + "likely_blocked" + "degraded" > 0']
    seen = select(LINE_COUNTS.interfered, CELLS, conditions, ["access"], every="$per")
    not_seen = select('sum("ok") + sum("answered")', CELLS, conditions, ["access"], every="$per")
    return series(
        at,
        Asked(text=seen, alias="$tag_access: interference seen"),
        Asked(text=not_seen, alias="$tag_access: no interference seen"),
    )
