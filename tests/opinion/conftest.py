"""One run of all handshakes for the tests of this directory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.components import require
from tests.opinion.world import Taken
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """`wire` is a capture; `taken` is case → what came of it."""

    wire: Path
    taken: dict[str, Taken]


@pytest.fixture(scope="session")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    require("root", "iproute2", "util-linux")
    directory = tmp_path_factory.mktemp("opinion")
    command = ["unshare", "--net", sys.executable, "-m", "tests.opinion.world", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    taken = msgspec.json.decode((directory / "taken.json").read_bytes(), type=dict[str, Taken])
    return Run(directory / "wire.pcap", taken)
