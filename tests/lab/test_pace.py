"""The pace at which runs begin: by how busy the machine is, and never not at all."""

from __future__ import annotations

import itertools

import pytest

from tests.lab.pace import APART, Pace, others_running


def test_runs_begin_while_processors_are_free() -> None:
    clock = itertools.count(step=0.2)
    running = [0]
    pace = Pace(lambda: running[0], lambda: next(clock), processors=2)
    assert [pace.allows() for running[0] in (0, 4, 5)] == [True, True, False]
    running[0] = 3
    assert pace.allows()


@pytest.mark.parametrize(("processors", "apart"), [(1, APART), (2, APART / 2), (8, APART / 8)])
def test_idle_processors_are_not_filled_at_a_stroke(processors: int, apart: float) -> None:
    now = [0.0]
    pace = Pace(lambda: 0, lambda: now[0], processors)
    begun = []
    for now[0] in (0.0, apart * 0.9, apart * 1.1, apart * 2.0, apart * 2.2):
        begun.append(pace.allows())
    assert begun == [True, False, True, False, True]


def test_whatever_others_do_one_begins_now_and_then() -> None:
    now = [0.0]
    pace = Pace(lambda: 100, lambda: now[0], processors=2)
    begun = []
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5, 2.0):
        begun.append(pace.allows())
    assert begun == [True, False, False, True, False, True]


def test_how_busy_this_machine_is_can_be_read() -> None:
    assert others_running() >= 0
