"""One service: its messages against its calls, on every operator of a country."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import CELLS, LINE_COUNTS, MEASURED, NOT_EMPTIED, chosen, is_, select, shares
from grafana.building.panels import At, Columns, Panel, mechanisms, states, table
from grafana.building.query import Asked, by_role
from grafana.building.query import table as as_table

PAGE = frame.Page(
    uid="ringback-service",
    title="Ringback: service",
    about="One service in one country: calls compared with messages, operator by operator.",
)
NAMED = "$tag_operator · $tag_access"
ROWS = ("operator", "access")
LINKS = fields.links_of_series(("ringback-operator", "Open the operator", "operator"))


def build() -> Dashboard:
    where = chosen(*frame.CHAIN)
    panels = [
        frame.simulated(CELLS, *where),
        _states(3, "Calls", "call", where),
        _states(4, "Messages", "chat", where),
        _shares(where),
        _mechanisms(where),
        frame.legend(),
    ]
    built = frame.dashboard(PAGE, panels)
    variables = (
        frame.one("country", "Country"),
        frame.one("service", "Service", "country"),
        frame.many("operator", "Operator", "country", "service"),
        frame.many("access", "Access", "country", "service", "operator"),
        frame.per(),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _states(id_: int, what: str, role: str, where: list[str]) -> Panel:
    at = At(
        id=id_,
        title=f"{what}: ${{service}} in ${{country}}",
        about=f"The state of each cell ({what.lower()} of the service) by all its lines (`look`), by operator and "
        "access. A gap is a time without data. Compare the two halves: a ban on calls often leaves messages alone.",
        width=12,
        height=12,
    )
    text = select('last("look") AS "look"', CELLS, [*where, is_("role", role), NOT_EMPTIED], ROWS, every="$per")
    return states(at, Asked(text=text, alias=NAMED)).override_by_regexp("/.*/", fields.properties([LINKS]))


def _shares(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Share of lines with interference, calls compared with messages",
        about="Of the line-hours (or line-days) that were measured (n), the share in which interference was seen. It "
        "is at least so much: lines about which nothing could be concluded are in n too.",
        width=12,
        height=10,
    )
    text = shares(LINE_COUNTS, CELLS, [*where, MEASURED], [*ROWS, "role"])
    columns: Columns = {
        "operator": fields.operator_column(fields.link_to("ringback-operator", "Open the operator", ["operator"])),
        "access": fields.access_column(),
        "role": fields.role_column(),
        "share": fields.share_column(),
        "n": fields.n_column(),
    }
    return table(at, as_table(text), columns=columns)


def _mechanisms(where: list[str]) -> Panel:
    at = At(
        id=6,
        title="How it is interfered with (mechanism)",
        about="The most frequent mechanism among the lines of each cell, where one was found.",
        width=12,
        height=10,
    )

    def text(role: str) -> str:
        conditions = [*where, is_("role", role), NOT_EMPTIED, "\"mechanism\" != ''"]
        return select('last("mechanism") AS "mechanism"', CELLS, conditions, ROWS, every="$per")

    return mechanisms(at, *by_role(text, NAMED))
