"""A slice of `make torture`: beside each attack in small every upload is answered, and what is slow is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.instance import now_ms
from tests.torture import month
from tests.torture.attacks import ATTACKS
from tests.torture.starving import Turns, line, take_turns

ATTACKERS, UPLOADS = 6, 5


@pytest.mark.parametrize("kind", ATTACKS)
async def test_every_upload_is_answered(tmp_path: Path, kind: str) -> None:
    month.write(tmp_path / "data", 2, now_ms(), 1)
    turns = await take_turns(tmp_path / "data", kind, 1, UPLOADS, ATTACKERS)
    assert turns.unanswered == 0
    assert [len(turn) for turn in (*turns.idle, *turns.beside)] == [UPLOADS, UPLOADS]
    assert turns.done != [""]


def test_what_is_slow_is_told_with_by_how_much() -> None:
    fast = Turns(idle=[[0.01] * 9], beside=[[0.019] * 9], unanswered=0, done=["9 200"])
    slow = Turns(idle=[[0.01] * 9], beside=[[0.019] * 8 + [1.5]], unanswered=1, done=["9 200"])
    assert line("idle", fast).faults == []
    assert len(line("idle", slow).faults) == 3
    assert "times the mark" in line("idle", slow).faults[1]
