"""Variables into queries, as Grafana 11 does it, from what its sources and their own tests say.

Sources: public/app/features/templating (formats, All, custom all values), the InfluxDB data source's
interpolateQueryExpr, pkg/tsdb/influxdb/models/query.go ($timeFilter, $interval), rangeUtil.calculateInterval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALL = "$__all"
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
BUILT_IN = ("timeFilter", "__interval", "__interval_ms", "interval")
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
Value = str | Sequence[str]

# The widths that Grafana rounds to, in milliseconds: the largest raw width of each, and what it becomes.
ROUNDED = (
    *((15_000, 10_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000), (210_000, 120_000)),
    *((450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000), (2_700_000, 1_800_000)),
    *((5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000), (32_400_000, 21_600_000)),
    *((86_400_000, 43_200_000), (604_800_000, 86_400_000), (1_814_400_000, 604_800_000)),
)
MONTH_MS = 2_592_000_000


class Undefined(Exception):
    """A query names a variable that its dashboard does not have."""


@dataclass(frozen=True)
class Range:
    """What is looked at, in milliseconds of Unix time, both ends included."""

    since_ms: int
    until_ms: int

    @property
    def time_filter(self) -> str:
        return f"time >= {self.since_ms}ms and time <= {self.until_ms}ms"


@dataclass(frozen=True)
class Variable:
    """As in a dashboard's JSON. `multi` decides how Grafana escapes by itself."""

    name: str
    multi: bool
    all_value: str


def interpolated(
    text: str, variables: Mapping[str, Variable], chosen: Mapping[str, Value], span: Range, interval_ms: int
) -> str:
    """A query as InfluxDB gets it. Raises Undefined."""

    def value(match: re.Match[str]) -> str:
        name, form = match[1] or match[3], match[2]
        if name in BUILT_IN:
            return match[0]
        if name not in variables:
            raise Undefined(f"{match[0]} is not a variable of the dashboard")
        return shown(variables[name], chosen[name], form, text)

    replaced = VARIABLE.sub(value, text)
    width = duration(interval_ms)
    for sign, meaning in (
        ("$timeFilter", span.time_filter),
        ("$interval", width),
        ("$__interval_ms", str(interval_ms)),
        ("$__interval", width),
    ):
        replaced = replaced.replace(sign, meaning)
    return replaced


def shown(variable: Variable, value: Value, form: str | None, query: str) -> str:
    """A variable's value in a query. A custom all value is taken as it is, whatever the format."""
    if value == ALL:
        return variable.all_value
    if form == "regex":
        return regex(value)
    if form is not None:
        raise Undefined(f"the format {form} is not one that these tests know")
    return by_itself(variable, value, query)


def regex(value: Value) -> str:
    """The format `regex`: escaped, and several values as alternatives in parentheses."""
    if isinstance(value, str):
        return escaped(value)
    parts = [escaped(one) for one in value]
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def by_itself(variable: Variable, value: Value, query: str) -> str:
    """Without a format the InfluxDB source decides: what begins with a digit it leaves alone."""
    if isinstance(value, str) and re.match(r"\s*[+-]?(\d|\.\d)", value):
        return value
    if variable.multi:
        return escaped(value) if isinstance(value, str) else f"({'|'.join(map(escaped, value))})"
    in_regex = re.search(rf"=~\s*/[^/]*\${variable.name}\b[^/]*/", query)
    return escaped(str(value)) if in_regex else str(value)


def escaped(value: str) -> str:
    return SPECIAL.sub(lambda match: f"\\{match[0]}", value)


def interval(span: Range, least: str, points: int = 1000) -> int:
    """$__interval in milliseconds: the range over the points that a panel is wide, rounded, and at least `least`."""
    raw = (span.until_ms - span.since_ms) / points
    rounded = next((width for most, width in ROUNDED if raw < most), MONTH_MS)
    return max(rounded, milliseconds(least))


def milliseconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([dhms])", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS_MS[unit]


def duration(interval_ms: int) -> str:
    """As Grafana's server writes it for InfluxDB: the largest unit that fits whole numbers, rounded down."""
    for unit, size in UNITS_MS.items():
        if interval_ms >= size:
            return f"{math.floor(interval_ms / size)}{unit}"
    return f"{interval_ms}ms"
