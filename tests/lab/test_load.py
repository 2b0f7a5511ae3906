"""The lab beside a load: its processes come and go, and what is left open is no fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.lab.load import busy, concluded_wrongly, told

BOARD: dict[str, Any] = {
    "runs": 2,
    "wall_s": 61.2,
    "false_accusations": 1,
    "starved": {"left": 1},
    "entries": {"one": {"outcomes": {"right": 5, "shallow": 1, "wrong_state": 3, "not_yet": 7, "false_accusation": 1}}},
    "wrong": [
        {"said": "insufficient", "outcome": "wrong_state", "times": 2},
        {"said": "impaired local.firewall", "outcome": "wrong_state", "times": 1},
        {"said": "blocked tls.mitm", "outcome": "false_accusation", "times": 1},
    ],
}


def test_what_is_left_open_is_not_wrong() -> None:
    assert [row["said"] for row in concluded_wrongly(BOARD)] == ["impaired local.firewall", "blocked tls.mitm"]
    assert "2 runs in 61 s: 6 cells right, 2 left open, 2 wrong, 1 false accusations" in told(BOARD)


def test_the_load_ends_with_the_runs() -> None:
    with busy(2) as processes:
        assert all(Path(f"/proc/{each}").exists() for each in processes)
    assert not any(Path(f"/proc/{each}").exists() for each in processes)
