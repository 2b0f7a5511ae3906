"""A slice of `make torture`: what a stranger may write, and the door lets in, breaks nothing behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe import targets as targets_file
from probe.codecs import forms
from tests.torture.corpus import corpus
from tests.torture.mutants import Mutator
from tests.torture.survival import survive

MUTANTS = 300
POISONED, SEED_OF_POISON = 300, 3  # with addresses that the judge cannot parse


async def test_what_is_accepted_is_judged_shown_exported_and_written(tmp_path: Path) -> None:
    found = await survive(tmp_path, MUTANTS, seed=1)
    assert found.faults == []
    assert found.accepted > 0.8 * MUTANTS
    assert found.lines > found.accepted
    assert found.exported["measurements.ooni"] == found.exported["verdicts.csv"] >= found.accepted


async def test_behind_an_open_door_only_what_is_broken_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what a door of another time has let in: some of it cannot be judged, and all else is as it was."""
    monkeypatch.setattr(forms, "check", lambda line, shape: None)
    found = await survive(tmp_path, POISONED, seed=SEED_OF_POISON)
    assert found.failures == []
    assert found.left_out == {}
    assert 0 < found.unjudgeable.total() < 10
    assert found.accepted > 0.9 * POISONED
    assert found.exported["measurements.ooni"] == found.exported["verdicts.csv"] >= found.accepted


def test_the_same_seed_makes_the_same_mutants() -> None:
    known = corpus(targets_file.packaged())
    first, second = (list(Mutator(known, 7).mutants(50)) for _ in range(2))
    assert first == second
    assert len({each.uid for each in first}) == 50
    assert list(Mutator(known, 8).mutants(50)) != first
