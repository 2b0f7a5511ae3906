"""The runner keeps its promises on a bench without a network: limits, order, controls measured once, children ended."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from probe.model import ControlMeasurement, Link, Measurement, Network
from tests.lab import fork
from tests.lab.fork import Result
from tests.lab.model import Run
from tests.lab.pace import Pace
from tests.lab.runner import LAST, Runner

SAID = Measurement(
    uid="0" * 32, target="signal/chat", cycle="1" * 32, round=1, started_ms=0, clock_offset_ms=0, link=Link(up=True)
)


class Paper:
    """A bench whose lines are numbers and whose orders are results."""

    def __init__(self, result: Result | None = None) -> None:
        self.result = result or Result(measurements=(SAID,), up=True)
        self.taken: Counter[int] = Counter()
        self.at_once = 0
        self.orders: list[tuple[Run, int | None]] = []  # with how many controls

    def world(self, run: Run) -> str:
        return run.entry

    def controls(self, run: Run) -> Sequence[Run]:
        return [Run(run.entry, control, "adsl", 0) for control in ("control1", "control2")]

    def take(self, run: Run) -> int:
        line = next(number for number in range(100) if not self.taken[number])
        self.taken[line] += 1
        self.at_once = max(self.at_once, sum(self.taken.values()))
        return line

    def release(self, run: Run, line: int) -> None:
        self.taken[line] -= 1

    def order(self, run: Run, line: int, controls: Sequence[ControlMeasurement] | None) -> Any:
        self.orders.append((run, None if controls is None else len(controls)))
        return self.result

    def told(self, control: Run, result: Result) -> list[ControlMeasurement]:
        return [
            ControlMeasurement(key=control.operator, network=Network(), measurement=each)
            for each in result.measurements
        ]


@pytest.fixture(autouse=True)
def _children_only_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child is forked: the result is in the pipe at once."""

    def start(result: Result) -> tuple[int, int]:
        reading, writing = os.pipe()
        os.write(writing, msgspec.json.encode(result))
        os.close(writing)
        return 0, reading

    monkeypatch.setattr(fork, "start", start)
    monkeypatch.setattr(fork, "finish", lambda process, data: msgspec.json.decode(data, type=Result))


IDLE = Pace(lambda: 0, itertools.count().__next__)


def runs(entries: Sequence[str], seeds: int) -> list[Run]:
    return [Run(entry, "iam", "4g", seed) for entry in entries for seed in range(seeds)]


def test_every_run_is_measured_with_both_controls_of_its_world() -> None:
    bench = Paper()
    wanted = runs(["a", "b"], 5)
    measured = [run for run, _ in Runner(bench, 3, IDLE).measure(wanted)]
    assert sorted(measured, key=str) == sorted(wanted, key=str)
    assert Counter(count for _, count in bench.orders) == {None: 4, 2: 10}
    assert bench.at_once == 3
    assert not +bench.taken


def test_controls_are_measured_once_and_kept() -> None:
    bench = Paper()
    runner = Runner(bench, 3, IDLE)
    assert len([*runner.measure(runs(["a"], 2))]) == 2
    assert len([*runner.measure(runs(["a"], 2))]) == 2
    assert sum(count is None for _, count in bench.orders) == 2
    assert sorted(each.key for each in runner.judged_with(Run("a", "iam", "3g", 9))) == ["control1", "control2"]


def test_of_the_last_runs_the_slowest_begin_first() -> None:
    """How long an entry takes is known from its runs before; the clock goes on when a run ends."""
    took, now = {"middling": 9.0, "quick": 1.0, "slow": 60.0}, [0.0]

    class Slow(Paper):
        def world(self, run: Run) -> str:
            return "one"

        def release(self, run: Run, line: int) -> None:
            now[0] += took[run.entry]
            super().release(run, line)

    bench = Slow()
    wanted = [Run(entry, "iam", "4g", seed) for seed in range(4) for entry in took]
    found = [*Runner(bench, 1, IDLE, clock=lambda: now[0]).measure(wanted)]
    begun = [run for run, controls in bench.orders if controls is not None]
    assert len(found) == len(wanted) == len(begun)
    assert begun[:-LAST] == wanted[:-LAST]
    assert [run.entry for run in begun[-LAST:]] == ["slow", "quick"]


def test_a_control_that_was_starved_comes_before_the_runs_that_wait_for_it() -> None:
    starved = Paper(Result(measurements=(SAID,), starved=True))
    list(Runner(starved, 1, IDLE, tries=1).measure(runs(["a", "b"], 2)))
    firsts = [number for number, (_, controls) in enumerate(starved.orders) if controls is not None]
    assert min(firsts) == 12  # both worlds' two controls, three times each


def test_without_controls_nothing_is_judged() -> None:
    with pytest.raises(RuntimeError, match="could not measure"):
        [*Runner(Paper(Result(error="no route")), 3, IDLE).measure(runs(["a"], 1))]


def test_who_was_starved_is_measured_again_and_not_for_ever() -> None:
    starved = Paper(Result(measurements=(SAID,), starved=True))
    runner = Runner(starved, 3, IDLE)
    assert [run for run, _ in runner.measure(runs(["a"], 1))] == runs(["a"], 1)
    assert Counter(count for _, count in starved.orders) == {None: 6, 2: 3}
    assert runner.again == 6
    once = Runner(Paper(Result(starved=True)), 3, IDLE, tries=1)
    assert len([*once.measure(runs(["a"], 2))]) == 2
    assert once.again == 4  # the controls' alone
