"""Where it breaks: the steps of a handshake in the order in which they are taken, and the share of each that failed."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building import fields, frame
from grafana.building.influxql import CELLS, chosen, is_, select
from grafana.building.panels import At, Panel, beside, kind_colours, series, table
from grafana.building.query import Asked
from grafana.building.query import table as as_table
from probe.explain import STEP_WORDS
from probe.model import Step

PAGE = frame.Page(
    uid="ringback-breaks",
    title="Ringback: where it breaks",
    about="At which step handshakes fail: name, connection, encryption, call server, call relay.",
)
STEPS = [step for step in Step if step is not Step.UNKNOWN]
SOURCE = '"step_$per"'
TAKEN = '("passed" > 0 OR "failed" > 0)'
SHARE = 'sum("failed") / (sum("passed") + sum("failed")) AS "share", sum("passed") + sum("failed") AS "n"'


def build() -> Dashboard:
    where = chosen(*frame.CHAIN, "role")
    panels = [frame.simulated(CELLS, *where), _by_step(where), _by_service(where), _over_time(where)]
    built = frame.dashboard(PAGE, panels)
    variables = (
        frame.one("country", "Country"),
        frame.many("operator", "Operator", "country"),
        frame.many("access", "Access", "country", "operator"),
        frame.many("service", "Service", "country", "operator", "access"),
        frame.role(),
        frame.per(),
    )
    built.variables(list(variables))
    return frame.linked(frame.annotated(built, *chosen("country")))


def _words() -> dict[str, str]:
    return {step.value: f"{i}. {STEP_WORDS[step]}" for i, step in enumerate(STEPS, 1)}


def _columns(by_service: bool) -> dict[str, list[fields.Property]]:
    return {
        **({"service": fields.service_column(), "role": fields.role_column()} if by_service else {}),
        "step": fields.column("Step", 290, ("mappings", fields.words(_words()))),
        "share": fields.share_column("Failed"),
        "n": fields.n_column(),
    }


def _by_step(where: list[str]) -> Panel:
    at = At(
        id=3,
        title="Failed attempts by step, in the order of the steps",
        about="A step is only taken when those before it passed, so each share is of those that came this far. "
        "A step that fails is a fact about it, not yet interference.",
        width=11,
        height=10,
    )
    queries = [as_table(select(SHARE, SOURCE, [*where, TAKEN, is_("step", step.value)], ["step"])) for step in STEPS]
    return table(at, *queries, columns=_columns(by_service=False))


def _by_service(where: list[str]) -> Panel:
    at = At(
        id=4,
        title="Failed attempts by service and step",
        about="The same by service and role: where calls die at one step and messages pass it, that step is the place.",
        width=13,
        height=10,
    )
    text = select(SHARE, SOURCE, [*where, TAKEN], ["service", "role", "step"])
    return table(at, as_table(text), columns=_columns(by_service=True))


def _over_time(where: list[str]) -> Panel:
    at = At(
        id=5,
        title="Failed attempts by step over time",
        about="The share of attempts that failed at each step; dashed, on the right, the n behind each point. "
        "No point means that the step was not taken.",
        height=11,
    )
    text = select(SHARE, SOURCE, [*where, TAKEN], ["step"], every="$per")
    panel = series(at, Asked(text=text, alias="$tag_step $col"), unit="percentunit")
    panel = kind_colours(panel, [f"{step.value} share" for step in STEPS])
    return beside(panel, "/ n$/", "n (attempts)")
