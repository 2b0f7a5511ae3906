"""The measurements that InfluxDB is given: in which database, with which tags, and the type of each field.

Types are pinned, for a server refuses a field that changes its own; a tag and a field never share a name, which
InfluxDB 3 would refuse. Tags come from closed vocabularies (vocabulary.py), everything else is a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from probe.model import Depth, State


class Database(StrEnum):
    """The two databases, by how long they keep: single verdicts for months, totals for years."""

    RAW = "raw"
    ROLLUP = "rollup"


class Measurement(Struct, frozen=True):
    """A measurement of InfluxDB. `fields` maps a name to int, float or str; a point may lack some."""

    name: str
    database: Database
    tags: tuple[str, ...]
    fields: Mapping[str, type]


STATES = tuple(state for state in State if state not in (State.MIXED, State.UNKNOWN))  # of a verdict
RELAY_REACHED = Depth.RELAY_ANSWERS.value  # the look of a cell of which nothing is concluded but this
NOTHING = "none"  # the state of a cell that emptied, and of a verdict that has moved to another series

PLACE = ("country", "asn", "operator", "access")
TARGET = ("service", "role")
LINES: dict[str, type] = {"lines": int, "measurements": int, "controls": int, **dict.fromkeys(STATES, int)}
CELLS: dict[str, type] = {"judged": int, "interfered": int, "simulated": int}
FLOWS: dict[str, type] = {"flows": int, "loss": float, "jitter_ms": float, "mos": float}
TWINS: dict[str, type] = {"twin_loss": float, "twin_jitter_ms": float}
# What strangers are told, beside what operators are: of established lines, above the privacy floor.
PUBLIC: dict[str, type] = {
    "public_shown": int,
    **dict.fromkeys(("public_state", "public_look", "public_mechanism"), str),
}
PUBLIC_SUMS: dict[str, type] = dict.fromkeys(
    ("public_shown", "public_cells", "public_judged", "public_interfered"), int
)
CELL: dict[str, type] = {
    **LINES,
    **CELLS,
    **dict.fromkeys(("established", "buckets", "answered"), int),
    **dict.fromkeys(("state", "look", "mechanism"), str),
    **PUBLIC,
    **FLOWS,
    **TWINS,
}

VERDICT = Measurement(
    "verdict",
    Database.RAW,
    (*PLACE, *TARGET),
    {
        **dict.fromkeys(("state", "mechanism", "step", "rule", "depth"), str),
        **dict.fromkeys(("round", "interfered", "simulated", "control"), int),
        **dict.fromkeys(("uid", "line"), str),
    },
)
COLLECTOR = Measurement(
    "collector",
    Database.RAW,
    (),
    dict.fromkeys(
        (
            *("accepted", "refused", "log_cursor", "projected_cursor", "lag"),
            *("outbox", "dead_letters", "influx_written", "targets_age_days", "networks_age_days"),
        ),
        int,
    ),
)
CELL_1H = Measurement("cell_1h", Database.ROLLUP, (*PLACE, *TARGET), CELL)
CELL_1D = Measurement("cell_1d", Database.ROLLUP, (*PLACE, *TARGET), CELL)
COUNTRY: dict[str, type] = {
    **LINES,
    **CELLS,
    "cells": int,
    "shown": int,
    "band": str,
    **PUBLIC_SUMS,
    "public_band": str,
}
COUNTRY_1H = Measurement("country_1h", Database.ROLLUP, ("country", *TARGET), COUNTRY)
COUNTRY_1D = Measurement("country_1d", Database.ROLLUP, ("country", *TARGET), COUNTRY)
STEP: dict[str, type] = {"passed": int, "failed": int}
STEP_1H = Measurement("step_1h", Database.ROLLUP, (*PLACE, *TARGET, "step"), STEP)
STEP_1D = Measurement("step_1d", Database.ROLLUP, (*PLACE, *TARGET, "step"), STEP)
COVERAGE: dict[str, type] = dict.fromkeys(
    (
        *("lines", "measurements", "lag_ms_p50", "lag_ms_p95", "judged", "interfered"),
        *("aa_pairs", "aa_discordant"),
    ),
    int,
)
COVERAGE_1H = Measurement("coverage_1h", Database.ROLLUP, (*PLACE, "software"), COVERAGE)
COVERAGE_1D = Measurement("coverage_1d", Database.ROLLUP, (*PLACE, "software"), COVERAGE)
CONTROL_1H = Measurement("control_1h", Database.ROLLUP, TARGET, dict.fromkeys(("controls", "answered", "failed"), int))
EVENT = Measurement(
    "event",
    Database.ROLLUP,
    ("country", "asn", "operator", "service", "kind"),
    {"title": str, "text": str, "simulated": int},
)


class Span(Struct, frozen=True):
    """How many hours a total is of, and the measurements of such totals."""

    hours: int
    cell: Measurement
    country: Measurement
    step: Measurement
    coverage: Measurement


HOURLY = Span(1, CELL_1H, COUNTRY_1H, STEP_1H, COVERAGE_1H)
DAILY = Span(24, CELL_1D, COUNTRY_1D, STEP_1D, COVERAGE_1D)

MEASUREMENTS = {
    measurement.name: measurement
    for measurement in (
        *(VERDICT, COLLECTOR, CONTROL_1H, EVENT),
        *(of for span in (HOURLY, DAILY) for of in (span.cell, span.country, span.step, span.coverage)),
    )
}
