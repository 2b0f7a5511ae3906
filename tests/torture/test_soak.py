"""A slice of `make torture`: a few seconds of everything at once, and whether growth would be seen."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pytest

from tests.torture import soak
from tests.torture.served import Taken

SECONDS, PROBES = 4.0, 4_000


async def test_all_is_answered(tmp_path: Path) -> None:
    seen = await soak.soak(tmp_path / "data", SECONDS, PROBES)
    assert seen.faults == []
    assert seen.answers["uploads 200"] > 0
    assert seen.answers["pages 200"] > 0
    assert seen.answers["refused"] > 0
    assert len(seen.taken) > 1


def test_growth_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(look: int, growth: float) -> Taken:
        return Taken(memory_mb=100 + growth * look, peak_mb=200, processor_s=look, threads=9, files=20)

    def line(growth: float) -> soak.Line:
        looks = [taken(look, growth) for look in range(50)]
        soaked = soak.Soaked(answers=Counter(), faults=[], taken=looks, caught_up_s=0.0)

        async def soaking(data: Path, seconds: float, probes: int) -> soak.Soaked:
            return soaked

        monkeypatch.setattr(soak, "soak", soaking)
        (told,) = soak.torture(tmp_path, argparse.Namespace(soak_s=1.0))
        return told

    assert line(0.1).faults == []
    assert len(line(2.0).faults) == 1
    assert len(line(20.0).faults) == 2
