"""One country: every operator, access and service over time. The best single picture of a ban."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import frame
from grafana.building.fields import (
    access_column,
    column,
    link_to,
    links_of_series,
    n_column,
    operator_column,
    properties,
    role_column,
    service_column,
    state_mappings,
    words,
)
from grafana.building.influxql import CELLS, MEASURED, NOT_EMPTIED, NOT_NEUTRAL, TOLD, chosen, is_, latest, select
from grafana.building.palette import COLOURS, LOOKS
from grafana.building.panels import At, Columns, Panel, series, state_colours, states, table
from grafana.building.query import RAW, Asked, by_role
from grafana.building.query import table as as_table
from probe.explain import DEPTH_WORDS, MECHANISM_WORDS, STEP_WORDS
from probe.model import State

PAGE = frame.Page(
    uid="ringback-country",
    title="Ringback: country",
    about="Calls and messages in one country, by operator, access and service, over time.",
)
ROWS = ("operator", "access", "service")
NAMED = "$tag_operator · $tag_access · $tag_service"
LINKS = links_of_series(
    ("ringback-service", "Open the service", "service"), ("ringback-operator", "Open the operator", "operator")
)
EVIDENCE = ("operator", "access", "service", "role", "state", "mechanism", "step", "rule", "depth", "uid", "simulated")


def build() -> Dashboard:
    where = chosen(*frame.CHAIN)
    panels = [
        frame.simulated(CELLS, *where),
        _states(3, "Calls", "call", where),
        _states(4, "Messages", "chat", where),
        _states(5, "Websites", "web", where, height=8),
        _told(where),
        _operators(where),
        _counts(where),
        _lines(where),
        _evidence(where),
        frame.legend(),
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


def _states(id_: int, what: str, role: str, where: list[str], height: int = 12) -> Panel:
    at = At(
        id=id_,
        title=f"{what} in ${{country}}, by operator, access and service",
        about=f"The state of each cell ({what.lower()}) by all its lines (`look`), whoever they are: of the latest "
        "verdict of each in the hour or day. What strangers are told is below. A gap is a time without data, not a "
        "time without interference.",
        height=height,
    )
    conditions = [*where, is_("role", role), NOT_EMPTIED]
    text = select('last("look") AS "look"', CELLS, conditions, ROWS, every="$per")
    return states(at, Asked(text=text, alias=NAMED)).override_by_regexp("/.*/", properties([LINKS]))


def _told(where: list[str]) -> Panel:
    at = At(
        id=10,
        title="What strangers are told in ${country}",
        about="The state of each cell by established lines alone (`public_look`), above the privacy floor; `other` is "
        "several small networks together. What comes late joins at a midnight, UTC, when it is enough to hide each "
        "line, so the pictures above may say more, and say it earlier.",
        height=12,
    )

    def text(role: str) -> str:
        told = [*where, is_("role", role), TOLD]
        return select('last("public_look") AS "public_look"', CELLS, told, ROWS, every="$per")

    return states(at, *by_role(text, NAMED))


def _operators(where: list[str]) -> Panel:
    at = At(
        id=9,
        title="Operators and accesses: lines by state",
        about="Line-hours (or line-days) of each operator and access in each state, and n, all that were measured. "
        "Operators have no state; lines are by their latest verdict in the hour or day.",
        height=8,
    )
    of_lines = [state for state in COLOURS if state is not State.MIXED]
    columns: Columns = {
        "operator": operator_column(link_to("ringback-operator", "Open the operator", ["operator"])),
        "access": access_column(),
        "n": n_column(),
        **{state.value: column(LOOKS[state].text, 60 + 8 * len(LOOKS[state].text)) for state in of_lines},
    }
    counts = ", ".join(f'sum("{state}") AS "{state}"' for state in of_lines)
    text = select(f'{counts}, sum("lines") AS "n"', CELLS, [*where, NOT_NEUTRAL, MEASURED], ["operator", "access"])
    return table(at, as_table(text), columns=columns)


def _counts(where: list[str]) -> Panel:
    at = At(
        id=6,
        title="Cells by state",
        about="How many cells were in which state. Countries have no state; this is the count of their cells.",
        width=12,
    )
    queries = [
        Asked(
            text=select(
                'count("look")',
                CELLS,
                [*where, NOT_NEUTRAL, is_("look", word)],
                every="$per",
                fill="none",  # with null, InfluxDB counts 0 where there is no data
            ),
            alias=look.text,
        )
        for word, look in LOOKS.items()
    ]
    return state_colours(series(at, *queries, stacked=True))


def _lines(where: list[str]) -> Panel:
    at = At(
        id=7,
        title="Lines and controls behind the cells",
        about="The largest number of distinct lines in one cell, by operator and access, and of controls. "
        "Below three lines a cell has no state.",
        width=12,
    )
    measured = [*where, NOT_NEUTRAL, MEASURED]
    lines = select('max("lines")', CELLS, measured, ["operator", "access"], every="$per")
    controls = select('max("controls")', CELLS, measured, every="$per")
    return series(at, Asked(text=lines, alias="$tag_operator · $tag_access"), Asked(text=controls, alias="controls"))


def _evidence(where: list[str]) -> Panel:
    at = At(
        id=8,
        title="Latest verdicts with interference",
        about="Single verdicts, each about one line at one time, with the rule that decided and the measurement's id. "
        "One row accuses nobody: a claim needs several lines, controls and rounds.",
        uid=RAW,
        height=12,
    )
    conditions = [*where, NOT_NEUTRAL, '"interfered" = 1', '"control" = 0']
    columns = {
        "operator": operator_column(),
        "access": access_column(),
        "service": service_column(),
        "role": role_column(),
        "state": column("State", 200, ("mappings", state_mappings())),
        "mechanism": column("How", 260, ("mappings", words(MECHANISM_WORDS))),
        "step": column("Step", 240, ("mappings", words({step.value: text for step, text in STEP_WORDS.items()}))),
        "rule": column("Rule", 220),
        "depth": column("Depth", 180, ("mappings", words({depth.value: text for depth, text in DEPTH_WORDS.items()}))),
        "uid": column("Measurement", 270),
        "simulated": column("Simulated", 110, ("mappings", words({"0": "no", "1": "yes"}))),
    }
    return table(at, as_table(latest(EVIDENCE, '"verdict"', conditions, 200), RAW), columns=columns, timed=True)
