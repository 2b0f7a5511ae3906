"""Measuring runs and adding them up: from runs to the scoreboard."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from probe import __version__
from probe.judge.verdict import RULES_VERSION
from probe.model import Verdict
from tests.lab import runs as chosen
from tests.lab.agreement import Installed, Told, compare
from tests.lab.bench import LabBench
from tests.lab.catalogue import ENTRIES, HARMLESS, HARMLESS_NAMES
from tests.lab.fork import Result
from tests.lab.model import Run, Scored
from tests.lab.rtt import accuracy
from tests.lab.runner import TRIES, Runner
from tests.lab.score import Said, command, score
from tests.lab.scoreboard import Board, summary
from tests.lab.techniques import TECHNIQUES

ROOT = Path(__file__).parents[2]
Progress = Callable[[int, int], None]


class Failed(RuntimeError):
    """A run could not be measured: the lab's fault, which no score may hide."""


class Session:
    """Runs on one lab, with its controls kept."""

    def __init__(self, bench: LabBench, at_once: int, tries: int = TRIES) -> None:
        self.bench, self.runner, self._at_once = bench, Runner(bench, at_once, tries=tries), at_once
        self._commit = commit()  # now, for it may be another when the runs are done

    def results(self, runs: Sequence[Run], progress: Progress = lambda done, whole: None) -> dict[Run, Result]:
        """Raises Failed for a run that could not be measured."""
        found: dict[Run, Result] = {}
        for run, result in self.runner.measure(runs):
            if result.error:
                raise Failed(f"{command(run)} could not be measured:\n{result.error}")
            found[run] = result
            progress(len(found), len(runs))
        return found

    def board(self, runs: Sequence[Run], progress: Progress = lambda done, whole: None) -> dict[str, Any]:
        """The scoreboard of these runs."""
        started = time.monotonic()
        results = self.results(runs, progress)
        about = {
            "seeds": {"scoring": _ends({run.seed for run in runs}), "tuning": _ends(chosen.TUNING_SEEDS)},
            "versions": {"ringback": __version__, "rules": RULES_VERSION, "commit": self._commit},
            "runs": len(runs),
            "at_once": self._at_once,
            "cpu_s_of_a_run": round(sum(each.cpu_s for each in results.values()) / len(results), 3),
            "rtt_during_runs": accuracy(rtts(results)),
            "starved": {"measured_again": self.runner.again, "left": sum(each.starved for each in results.values())},
            "without_effect": self.without_effect(),
        }
        return summary(as_board(results), about | {"wall_s": round(time.monotonic() - started, 1)})

    def agreement(self, directory: Path) -> dict[str, Any]:
        """Of what is forked here with the installed programs."""
        self.bench.alone = True
        results = self.results(chosen.THREE_WAYS)
        self.bench.alone = False
        probe, collector = Installed(self.bench, directory).tell(chosen.THREE_WAYS)
        alone = {run: told(result.alone) for run, result in results.items()}
        return compare({run: told(result.verdicts) for run, result in results.items()}, collector, alone, probe)

    def without_effect(self) -> dict[str, list[str]]:
        """Entry → filters that no packet ever met: then its score means nothing."""
        idle = {name: [each for each, packets in met.items() if not packets] for name, met in self.bench.met.items()}
        return {name: filters for name, filters in sorted(idle.items()) if filters}


def as_board(results: dict[Run, Result]) -> Board:
    return Board(
        scored=[one for run, result in results.items() for one in scored(run, result)],
        techniques={entry.name: entry for entry in TECHNIQUES},
        impairments={entry.name: entry for entry in HARMLESS},
        harmless_runs=sum(run.entry in HARMLESS_NAMES for run in results),
    )


def scored(run: Run, result: Result) -> list[Scored]:
    said = [Said(each.target, each.state, each.mechanism, each.rule) for each in result.verdicts]
    return score(run, ENTRIES[run.entry], said, harmless=run.entry in HARMLESS_NAMES)


def commit() -> str:
    """What was measured with; `-dirty` when it was changed since."""
    asking = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(asking, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def told(verdicts: Iterable[Verdict]) -> Told:
    return {each.target: (str(each.state), each.mechanism) for each in verdicts}


def rtts(results: dict[Run, Result]) -> dict[str, list[float]]:
    """Seconds of neutral STUN, by access, in runs of techniques: some wait behind other packets of the self-check."""
    found: dict[str, list[float]] = {}
    for run, result in results.items():
        if run.entry not in HARMLESS_NAMES or run.entry == "clean":
            found.setdefault(run.access, []).extend(each / 1e6 for each in result.rtts_us)
    return found


def _ends(seeds: Iterable[int]) -> list[int]:
    return [min(seeds), max(seeds)]
