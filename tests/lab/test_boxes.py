"""Under a censor whose triggers we did not write, the verdicts are the design's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ndpi
from tests.lab.boxes import BOXES
from tests.lab.model import Entry
from tests.lab.world import NEEDS
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.needs("root", "libndpi-bin", *NEEDS)


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, Any]]:
    """In a process of its own, whose children may leave for the lab."""
    try:
        ndpi.library()
    except ndpi.Unavailable as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "tests.lab.boxes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return {line["entry"]: line for line in map(json.loads, filter(None, done.stdout.splitlines()))}


@pytest.mark.parametrize("entry", BOXES, ids=lambda entry: entry.name)
def test_a_box_of_others_gets_the_designs_verdict(measured: dict[str, dict[str, Any]], entry: Entry) -> None:
    verdicts = measured[entry.name]["verdicts"]
    said = {target: tuple(verdicts[target][:2]) for target in entry.expected}
    assert said == {target: (each.state, each.mechanism) for target, each in entry.expected.items()}


def test_nobody_else_is_accused(measured: dict[str, dict[str, Any]]) -> None:
    for entry in BOXES:
        accused = {
            target
            for target, (state, *_) in measured[entry.name]["verdicts"].items()
            if state in ("blocked", "likely_blocked")
        }
        assert accused == {target for target, each in entry.expected.items() if each.state == "likely_blocked"}


def test_the_boxes_met_packets(measured: dict[str, dict[str, Any]]) -> None:
    met = {name: line["met"]["ndpi.drop"] for name, line in measured.items()}
    assert met.pop("ndpi.rtp") == 0
    assert all(met.values())
