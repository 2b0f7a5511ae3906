"""The files that the program makes: path → text, the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.building.alerts import rules
from grafana.building.pages import PAGES

ROOT = Path(__file__).parents[1]


MADE = "# Made by `make dashboards` from grafana/building/alerts.py: change it there.\n"


def files() -> dict[Path, str]:
    dashboards = {ROOT / "dashboards" / f"{name}.json": dashboard(name) for name in PAGES}
    return {**dashboards, ROOT / "provisioning/alerting/rules.yaml": alerting()}


def alerting() -> str:
    return MADE + yaml.safe_dump(rules(), sort_keys=False, allow_unicode=True, width=10_000)


def dashboard(name: str) -> str:
    built = PAGES[name]().build()
    return json.dumps(built, cls=JSONEncoder, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
