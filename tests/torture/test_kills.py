"""A slice of `make torture`: some kills at random moments, and whether a loss would be seen."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.torture.kills import Killed, Ready, kill

KILLS = 3


async def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    seen = await kill(tmp_path, KILLS, seed=2)
    assert seen.faults == []
    assert (seen.kills, seen.acknowledged > 0, len(seen.ready) > 0) == (KILLS, True, True)


def test_what_went_wrong_is_told() -> None:
    sound = Killed(kills=1, ready=[Ready(0.5, 0.4)], acknowledged=9, lost=0, doubled=0, unjudged=0, as_rebuilt=True)
    assert sound.faults == []
    for fault in ({"lost": 1}, {"doubled": 2}, {"unjudged": 1}, {"as_rebuilt": False}):
        assert len(replace(sound, **fault).faults) == 1
