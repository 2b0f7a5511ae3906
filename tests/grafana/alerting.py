"""Evaluates an alert rule as Grafana does: queries on InfluxDB, reductions of each series, and math over what is left.

Numbers meet by their labels: a number without a label, or with fewer, is for all that have more. Where nothing meets,
there is no data, and the rule says what that means.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from tests.grafana.asking import Stores
from tests.grafana.interpolation import Range, interpolated
from tests.servers.influxd import Series

Labels = frozenset[tuple[str, str]]
Numbers = dict[Labels, float]
Rule = Mapping[str, Any]

REDUCERS: dict[str, Callable[[list[float]], float]] = {"last": lambda values: values[-1], "mean": fmean}
OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def firing(stores: Stores, rule: Rule, now_ms: int) -> list[dict[str, str]]:
    """The labels of the alerts that fire; [{}] for one without labels, or when no data means alarm."""
    asked: dict[str, list[Series]] = {}
    numbers: dict[str, Numbers] = {}
    for part in rule["data"]:
        model = part["model"]
        if part["datasourceUid"] != "__expr__":
            asked[part["refId"]] = _answer(stores, part, now_ms)
        elif model["type"] == "reduce":
            numbers[part["refId"]] = reduced(asked[model["expression"]], REDUCERS[model["reducer"]])
        else:
            numbers[part["refId"]] = computed(model["expression"], numbers)
    result = numbers[rule["condition"]]
    if not result:
        return [{}] if rule["noDataState"] == "Alerting" else []
    return [dict(sorted(labels)) for labels, value in result.items() if value]


def _answer(stores: Stores, part: Mapping[str, Any], now_ms: int) -> list[Series]:
    ago = part["relativeTimeRange"]
    span = Range(now_ms - ago["from"] * 1000, now_ms - ago["to"] * 1000)
    text = interpolated(part["model"]["query"], {}, {}, span, part["model"]["intervalMs"])
    return stores.query(part["datasourceUid"], text)


def reduced(answer: list[Series], reducer: Callable[[list[float]], float]) -> Numbers:
    """One number for each series that has any; nulls are dropped."""
    found = {}
    for series in answer:
        assert len(series.columns) == 2, "an alert's query selects one number"
        values = [float(row[1]) for row in series.values if row[1] is not None]
        if values:
            found[frozenset(series.tags.items())] = reducer(values)
    return found


def computed(expression: str, numbers: Mapping[str, Numbers]) -> Numbers:
    """Grafana's math, in the part of it that the rules use."""
    names = re.findall(r"\$(\w+)", expression)
    python = re.sub(r"\$(\w+)", r"\1", expression).replace("&&", " and ").replace("||", " or ")
    tree = ast.parse(python, mode="eval").body
    most = max((numbers[name] for name in names), key=lambda found: max(map(len, found), default=-1))
    results = {}
    for labels in most:
        met = {name: _meets(labels, numbers[name]) for name in names}
        if None not in met.values():
            results[labels] = float(_value(tree, {name: value for name, value in met.items() if value is not None}))
    return results


def _meets(labels: Labels, found: Numbers) -> float | None:
    return next((value for fewer, value in found.items() if fewer <= labels), None)


def _value(node: ast.expr, known: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left, known), _value(node.right, known))
    if isinstance(node, ast.Compare):
        return OPERATORS[type(node.ops[0])](_value(node.left, known), _value(node.comparators[0], known))
    assert isinstance(node, ast.BoolOp)
    every = [bool(_value(part, known)) for part in node.values]
    return all(every) if isinstance(node.op, ast.And) else any(every)
