"""The dashboards keep the rules, and each rule can be broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grafana.building.palette import COLOURS
from probe.model import State
from tests.grafana.boards import Board, board, boards
from tests.grafana.lint import LINTS, faults

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("one", boards(), ids=lambda one: one.name)
def test_the_dashboards_keep_the_rules(one: Board) -> None:
    assert faults(one) == []


def query_of(page: dict[str, Any], panel: int, letter: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in page["panels"] if one["id"] == panel)["targets"][letter]
    return found


def asked(panel: int, old: str, new: str) -> Change:
    def change(page: dict[str, Any]) -> None:
        target = query_of(page, panel)
        assert old in target["query"]
        target["query"] = target["query"].replace(old, new)

    return change


def panel_of(page: dict[str, Any], panel: int) -> dict[str, Any]:
    return next(one for one in page["panels"] if one["id"] == panel)


BROKEN: list[tuple[str, str, Change]] = [
    ("identity", "map", lambda page: page.update(id=3)),
    ("identity", "map", lambda page: page.update(timezone="browser")),
    ("ids", "map", lambda page: panel_of(page, 4).update(id=3)),
    ("ids", "map", lambda page: query_of(page, 4, 1).update(refId="A")),
    ("grid", "map", lambda page: panel_of(page, 4)["gridPos"].update(w=20)),
    ("texts", "map", lambda page: panel_of(page, 4).update(description="Countries.")),
    ("texts", "map", lambda page: panel_of(page, 4).update(title="Where WhatsApp works")),
    ("sources", "country", lambda page: query_of(page, 8)["datasource"].update(uid="ringback-rollup")),
    ("hours_and_days", "coverage", asked(7, '"control_1h"', '"control_$per"')),
    ("names", "country", asked(7, '"lines"', '"probes"')),
    ("dialect", "country", asked(7, "max(", "integral(")),
    ("dialect", "country", asked(7, "GROUP BY", "SLIMIT 3 GROUP BY")),
    ("dialect", "country", asked(7, "$timeFilter AND", "")),
    ("variables", "map", lambda page: page["templating"]["list"].pop(1)),
    ("variables", "map", lambda page: page["templating"]["list"].reverse()),
    ("formats", "country", asked(7, "${operator:regex}", "$operator")),
    ("links", "map", lambda page: _link(page, "/d/ringback-nowhere?x=1")),
    ("links", "map", lambda page: _link(page, "/d/ringback-country?var-asn=${__data.fields.country:percentencode}")),
    ("links", "map", lambda page: _link(page, "/d/ringback-country?var-country=${__data.fields.asn:percentencode}")),
    ("aliases", "country", lambda page: query_of(page, 7).update(alias="$tag_asn")),
    ("aliases", "operator", lambda page: query_of(page, 5).update(alias="$tag_access")),
    ("shares", "operator", asked(4, ', "n",', ",")),
    ("shares", "operator", asked(4, '"judged" > 0', '"judged" >= 0')),
    ("absence", "operator", asked(5, "fill(null)", "fill(0)")),
    ("absence", "operator", asked(5, " fill(null)", "")),
    ("absence", "operator", lambda page: panel_of(page, 5)["fieldConfig"]["defaults"].update(noValue="0")),
    ("absence", "operator", lambda page: panel_of(page, 5)["fieldConfig"]["defaults"]["custom"].update(spanNulls=True)),
    ("palette", "country", lambda page: _mappings(page)["mixed"].update(text="mixed")),
    ("palette", "country", lambda page: _mappings(page).pop("down")),
    ("palette", "country", asked(3, '"look"', '"state"')),
    ("maps", "map", lambda page: panel_of(page, 3)["options"]["layers"].pop(0)),
    ("maps", "map", lambda page: panel_of(page, 3)["options"]["view"].update(id="fit")),
    ("maps", "map", lambda page: _style(page, 3)["text"].update(fixed="?")),
    ("maps", "map", lambda page: _style(page, 4).update(color={"field": "share"})),
    ("tables", "map", lambda page: panel_of(page, 5)["transformations"].pop()),
    ("tables", "map", lambda page: panel_of(page, 5)["transformations"][1]["options"]["indexByName"].pop("access")),
    ("tables", "map", lambda page: panel_of(page, 5)["options"]["footer"].update(enablePagination=False)),
    ("tables", "map", lambda page: _column(page, 5, "n", "displayName", "n (measured cells)")),
    ("tables", "map", lambda page: _column(page, 5, "operator", "custom.width", 700)),
    ("nulls", "map", lambda page: panel_of(page, 3)["fieldConfig"]["defaults"]["thresholds"]["steps"].pop(0)),
    ("kinds", "public", lambda page: _column(page, 5, "calls share", "color", {"fixedColor": COLOURS[State.OK]})),
    ("kinds", "public", lambda page: _column(page, 4, "role", "mappings", None)),
    ("kinds", "public", lambda page: _column(page, 4, "country", "mappings", None)),
    ("kinds", "operator", lambda page: query_of(page, 3).update(alias="$tag_access · $tag_role")),
    ("pages", "country", lambda page: panel_of(page, 3)["options"].update(perPage=30)),
    ("buckets", "country", asked(3, "time($per)", "time($__interval)")),
    ("buckets", "public", lambda page: panel_of(page, 5).pop("interval")),
    ("simulated", "country", lambda page: page["panels"].pop(0)),
    ("floor", "public", asked(4, '"public_shown" = 1 AND', "")),
    ("floor", "public", asked(4, 'sum("public_cells") AS "n"', 'sum("lines") AS "n"')),
    ("floor", "public", asked(4, 'sum("public_cells") AS "n"', 'sum("established") AS "n"')),
    ("floor", "public", asked(4, 'sum("public_cells") AS "n"', 'sum("cells") AS "n"')),
    ("floor", "public", asked(4, 'sum("public_interfered")', 'sum("interfered")')),
    ("floor", "public", asked(4, " AND time <= now() - 25h", "")),
    ("floor", "public", lambda page: page["tags"].append("ringback")),
]


def _link(page: dict[str, Any], url: str) -> None:
    overrides = panel_of(page, 4)["fieldConfig"]["overrides"]
    overrides.append({"matcher": {}, "properties": [{"id": "links", "value": [{"title": "x", "url": url}]}]})


def _style(page: dict[str, Any], layer: int) -> dict[str, Any]:
    found: dict[str, Any] = panel_of(page, 3)["options"]["layers"][layer]["config"]["style"]
    return found


def _column(page: dict[str, Any], panel: int, name: str, property_: str, value: object) -> None:
    """Gives a property of a column another value, or takes it away."""
    overrides = panel_of(page, panel)["fieldConfig"]["overrides"]
    [found] = [one for one in overrides if one["matcher"]["options"] == name]
    others = [one for one in found["properties"] if one["id"] != property_]
    found["properties"] = [*others, *([] if value is None else [{"id": property_, "value": value}])]


def _mappings(page: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = panel_of(page, 3)["fieldConfig"]["defaults"]["mappings"][0]["options"]
    return found


@pytest.mark.parametrize(
    ("rule", "name", "change"), BROKEN, ids=[f"{i}-{rule}" for i, (rule, _, _) in enumerate(BROKEN)]
)
def test_a_broken_dashboard_is_found(rule: str, name: str, change: Change) -> None:
    page = json.loads(json.dumps(next(one for one in boards() if one.name == name).json))
    change(page)
    assert list(LINTS[rule](board(name, json.dumps(page))))


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(LINTS)
