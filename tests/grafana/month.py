"""Rollups of a month in 20 countries as 10,000 probes would fill them: every cell of every hour has its lines.

Each country has four operators with five kinds of access: 25 probes each, 400 places; each measures 29 targets.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from msgspec import Struct

from collector.influx import schema
from collector.influx.line import Value, line, series
from collector.influx.schema import Measurement
from tests.grafana.world import cell, lines_by

PROBES = 10_000
COUNTRIES = [f"{a}{b}" for a in "ABCD" for b in "ABCDE"]
OPERATORS = [f"Operator {i}" for i in range(4)]
ACCESSES = ("3g", "4g", "wifi", "adsl", "fibre")
LINES = PROBES // (len(COUNTRIES) * len(OPERATORS) * len(ACCESSES))
SERVICES = ("whatsapp", "viber", "messenger", "teams", "telegram", "signal", "imo", "tango")
TARGETS = [
    *product(SERVICES, ("call", "chat", "web")),
    *(("teams", "push"), ("skype", "web"), ("baseline", "portal"), ("baseline", "dns"), ("baseline", "tls")),
]
STEPS = {"call": ("dns", "stun", "turn"), "chat": ("dns", "tcp"), "web": ("dns", "tcp", "tls")}
SOFTWARE = ("ringback/1.0", "ringback/1.1", "other")
SINCE_S = 1_735_689_600  # 1 January 2025
HOUR_S, DAY_S = 3600, 86_400
Tags = Mapping[str, str]


class Filled(Struct, frozen=True):
    """A rollup: its series, the points that any of them may have, and the width of its buckets in seconds."""

    measurement: Measurement
    tags: list[Tags]
    points: list[Mapping[str, Value]]
    width: int

    def lines(self, days: int) -> Iterator[str]:
        """Series by series; which point a bucket has is chance, and the same every time."""
        chance = random.Random(self.measurement.name)
        bodies = [line(self.measurement, {}, fields, 0).split(" ", 1)[1].rpartition(" ")[0] for fields in self.points]
        for tags in self.tags:
            start = series(self.measurement, tags)
            for i in range(days * DAY_S // self.width):
                body = bodies[int(chance.random() * len(bodies))]
                yield f"{start} {body} {SINCE_S + i * self.width}000000000"


def daily(countries: Sequence[str] = COUNTRIES) -> list[Filled]:
    return [
        Filled(schema.CELL_1D, cells(countries), CELLS, DAY_S),
        Filled(schema.STEP_1D, stepped(countries), STEPPED, DAY_S),
        Filled(schema.COVERAGE_1D, covered(countries), COVERED, DAY_S),
        Filled(schema.COUNTRY_1D, national(countries), NATIONAL, DAY_S),
        Filled(schema.CONTROL_1H, [{"service": service, "role": role} for service, role in TARGETS], CONTROLS, HOUR_S),
    ]


def hourly(countries: Sequence[str] = COUNTRIES) -> list[Filled]:
    return [
        Filled(schema.COVERAGE_1H, covered(countries), COVERED, HOUR_S),
        Filled(schema.COUNTRY_1H, national(countries), NATIONAL, HOUR_S),
        Filled(schema.CELL_1H, cells(countries), CELLS, HOUR_S),
        Filled(schema.STEP_1H, stepped(countries), STEPPED, HOUR_S),
    ]


def places(countries: Sequence[str]) -> Iterator[Tags]:
    for country, (i, operator), access in product(countries, enumerate(OPERATORS), ACCESSES):
        yield {"country": country, "asn": str(64_500 + i), "operator": operator, "access": access}


def cells(countries: Sequence[str]) -> list[Tags]:
    return [{**place, "service": service, "role": role} for place in places(countries) for service, role in TARGETS]


def stepped(countries: Sequence[str]) -> list[Tags]:
    return [{**tags, "step": step} for tags in cells(countries) for step in STEPS.get(tags["role"], ("dns", "tcp"))]


def covered(countries: Sequence[str]) -> list[Tags]:
    return [{**place, "software": software} for place in places(countries) for software in SOFTWARE]


def national(countries: Sequence[str]) -> list[Tags]:
    pairs = product(countries, TARGETS)
    return [{"country": country, "service": service, "role": role} for country, (service, role) in pairs]


CELLS: list[Mapping[str, Value]] = [
    *(cell("ok", ok=LINES - i, insufficient=i) for i in range(4)),
    *(cell("blocked", "udp.port.drop", ok=i, blocked=LINES - 2 - i, insufficient=2) for i in range(3)),
    cell("mixed", ok=12, blocked=LINES - 12),
    cell("insufficient", insufficient=LINES),
]
STEPPED: list[Mapping[str, Value]] = [{"passed": 100 - i, "failed": i} for i in range(30)]
COVERED: list[Mapping[str, Value]] = [
    {"lines": 8, "measurements": 900 + i, "lag_ms_p50": 60_000 + i, "lag_ms_p95": 600_000, "judged": 8, "interfered": i}
    for i in range(8)
]
NATIONAL: list[Mapping[str, Value]] = [
    {**lines_by(ok=500 - i, blocked=i), "simulated": 0, "cells": 20, "judged": 18, "interfered": i, "shown": 1,
     "band": ">10", "public_shown": 1, "public_cells": 20, "public_judged": 18, "public_interfered": i,
     "public_band": ">10"}
    for i in range(12)
]  # fmt: skip
CONTROLS: list[Mapping[str, Value]] = [{"controls": 4, "answered": 4 - i, "failed": i} for i in range(3)]
