"""The committed dashboards and alert rules as the tests need them: every query with where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.grafana.interpolation import Variable

ROOT = Path(__file__).parents[2] / "grafana"
DASHBOARDS = ROOT / "dashboards"
RULES = ROOT / "provisioning" / "alerting" / "rules.yaml"
SOURCES = ("ringback-raw", "ringback-rollup")


@dataclass(frozen=True)
class Query:
    """One query of a dashboard. `least` is the panel's smallest interval."""

    page: str
    panel: int | str  # a panel's id, or the name of a variable or an annotation
    title: str
    letter: str
    text: str
    uid: str
    alias: str = ""
    format: str = "time_series"
    least: str = "1m"

    def __str__(self) -> str:
        return f"{self.page}, panel {self.panel} “{self.title}”, query {self.letter}: {self.text}"


@dataclass(frozen=True)
class Board:
    """A dashboard: its JSON, and what was taken from it."""

    name: str
    json: Mapping[str, Any]
    variables: Mapping[str, Variable] = field(default_factory=dict)

    @property
    def panels(self) -> list[dict[str, Any]]:
        return list(self.json.get("panels", ()))

    def queries(self) -> Iterator[Query]:
        for panel in self.panels:
            for target in panel.get("targets", ()):
                yield _of_panel(self.name, panel, target)
        for variable in self.json["templating"].get("list", ()):
            if variable["type"] == "query":
                yield _of_variable(self.name, variable)
        for annotation in self.json["annotations"].get("list", ()):
            yield _of_annotation(self.name, annotation)


def board(name: str, text: str) -> Board:
    parsed = json.loads(text)
    found = {
        one["name"]: Variable(one["name"], bool(one.get("multi")), one.get("allValue", ""))
        for one in parsed["templating"].get("list", ())
    }
    return Board(name, parsed, found)


@cache
def boards() -> tuple[Board, ...]:
    return tuple(board(path.stem, path.read_text()) for path in sorted(DASHBOARDS.glob("*.json")))


@cache
def queries() -> tuple[Query, ...]:
    return tuple(query for one in boards() for query in one.queries())


@cache
def rules() -> tuple[Mapping[str, Any], ...]:
    parsed = yaml.safe_load(RULES.read_text())
    return tuple(rule for group in parsed["groups"] for rule in group["rules"])


def grouped_tags(text: str) -> list[str]:
    """The tags that a query groups by."""
    groups = text.rpartition(" GROUP BY ")[2] if " GROUP BY " in text else ""
    return re.findall(r'"(\w+)"', groups)


def _of_panel(page: str, panel: Mapping[str, Any], target: Mapping[str, Any]) -> Query:
    return Query(
        page=page,
        panel=panel["id"],
        title=panel["title"],
        letter=target["refId"],
        text=target["query"],
        uid=target["datasource"]["uid"],
        alias=target.get("alias", ""),
        format=target["resultFormat"],
        least=panel.get("interval", "1m"),
    )


def _of_variable(page: str, variable: Mapping[str, Any]) -> Query:
    name = variable["name"]
    return Query(
        page=page, panel=name, title="variable", letter="", text=variable["query"], uid=variable["datasource"]["uid"]
    )


def _of_annotation(page: str, annotation: Mapping[str, Any]) -> Query:
    return Query(
        page=page,
        panel=annotation["name"],
        title="annotation",
        letter="",
        text=annotation["target"]["query"],
        uid=annotation["datasource"]["uid"],
        format="table",
    )
