"""A slice of the lab in every run of the tests: a dozen entries, one access, the same seeds: 40 s on two idle cores.

It runs as `python -m tests.lab --slice`, in a process of its own, for this one may not leave the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab.runs import SLICE
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
NEEDS = ("root", "iproute2", "coturn", "caddy", "unbound", "dnsmasq-base")

pytestmark = pytest.mark.needs(*NEEDS)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("lab") / "slice.json"
    command = [sys.executable, "-m", "tests.lab", "--slice", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert out.exists(), done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize("entry", sorted({run.entry for run in SLICE}))
def test_what_is_said_is_true(board: Mapping[str, Any], entry: str) -> None:
    assert [row for row in board["wrong"] if row["entry"] == entry] == []
    assert board["entries"][entry]["state_correct"] == 1.0


def test_nobody_is_accused_wrongly(board: Mapping[str, Any]) -> None:
    assert board["false_accusations"] == 0
