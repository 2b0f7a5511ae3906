"""The committed files are what the program makes, and what Grafana's own types make of them again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.building.files import ROOT, files
from tests.grafana.boards import DASHBOARDS, Board, boards


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_committed_file_is_what_the_program_makes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files()[path], f"{path.relative_to(ROOT)} differs: run `make dashboards`"


def test_no_dashboard_is_left_over() -> None:
    assert set(DASHBOARDS.glob("*.json")) <= set(files())


@pytest.mark.parametrize("one", boards(), ids=lambda one: one.name)
def test_grafanas_types_know_every_field(one: Board) -> None:
    """What the types of Grafana do not know would be gone after reading and writing. (Annotations: see frame.py.)"""
    register_default_plugins()
    once = json.loads(json.dumps(one.json))
    again = json.loads(json.dumps(Dashboard.from_json(once), cls=JSONEncoder))
    once = json.loads(json.dumps(one.json))
    for page in (again, once):
        for annotation in page["annotations"].get("list", ()):
            assert annotation.pop("target")
            for absent in ("builtIn", "type"):
                annotation.pop(absent, None)
    assert again == once
