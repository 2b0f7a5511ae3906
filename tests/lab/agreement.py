"""The same runs three ways: forked here, by the installed `ringback check --control FILE`, and by a real collector.

The scoreboard's cells are made in children of one process, for speed. That these say what a volunteer and a collector
would say is shown by runs that go all three ways: states and mechanisms of every target must be those that are
concluded here with as much knowledge.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.facts.collector_key import load_or_create
from tests.lab.bench import LabBench
from tests.lab.model import Run
from tests.lab.plan import COLLECTOR, CONTROLS, WORLD_V4
from tests.lab.situation import CONTROL_ACCESS
from tests.later import also_later
from tests.patience import PATIENCE
from tests.servers.process import prefix, running, where

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
PORT = 8321
Json = dict[str, Any]
Told = Mapping[str, tuple[str, str | None]]  # target → state, mechanism
By = Mapping[Run, Told]
ASK = (
    "import sys, urllib.request as r;"
    "q = r.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]});"
    "print(r.build_opener(r.ProxyHandler({})).open(q, timeout=60).read().decode())"
)


@dataclass(frozen=True)
class Check:
    """One `ringback check` that was started."""

    process: subprocess.Popen[bytes]
    data: Path

    @property
    def out(self) -> Path:
        return self.data / "out.json"

    def lines(self) -> list[Json]:
        """Waits for it. Raises RuntimeError when it failed."""
        code = self.process.wait(PATIENCE)
        if code:
            raise RuntimeError(f"ringback check in {self.data} ended with {code}: {(self.data / 'err').read_text()}")
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def told(self) -> str:
        """Waits for it; the path of what a control saw, before a line failed and after it."""
        self.lines()
        path = self.data / "control.json"
        path.write_text(also_later(self.out.read_text()))
        return str(path)


class Installed:
    """The programs as users have them, on the lab's lines."""

    def __init__(self, bench: LabBench, directory: Path) -> None:
        self._bench, self._lab, self._directory = bench, bench.lab, directory

    def tell(self, runs: Sequence[Run]) -> tuple[dict[Run, Told], dict[Run, Told]]:
        """What the probe and what the collector say of each run."""
        with ExitStack() as stack:
            data = {operator: self._own(operator) for operator in CONTROLS}
            collector = stack.enter_context(self._collector([_identity(each) for each in data.values()]))
            controls = [
                self._started(stack, self._control(runs[0], name), data[name], collector.named, "--one-key")
                for name in data
            ]
            files = [option for control in controls for option in ("--control", control.told())]
            started = {
                run: self._started(stack, run, self._own(f"{run.entry}-{run.access}"), collector.named, *files)
                for run in runs
            }
            said = {run: check.lines() for run, check in started.items()}
            for name in data:  # once more, now that lines have failed
                self._started(stack, self._control(runs[0], name), data[name], collector.named, "--one-key").lines()
            judged = collector.verdicts()
        return {run: _by_target(_verdicts(lines)) for run, lines in said.items()}, {
            run: _by_target([judged[line["uid"]] for line in _verdicts(lines)]) for run, lines in said.items()
        }

    def _control(self, run: Run, operator: str) -> Run:
        return Run(run.entry, operator, CONTROL_ACCESS, run.seed)

    def _own(self, name: str) -> Path:
        path = self._directory / name
        path.mkdir()
        return path

    def _started(self, stack: ExitStack, run: Run, data: Path, collector: str, *more: str) -> Check:
        line = self._bench.take(run)
        stack.callback(self._bench.release, run, line)
        files = ["--targets", self._lab.targets_file, "--ca-file", self._lab.ca_file, "--data-dir", data]
        options = ["--format", "json", "--access", run.access, "--seed", run.seed, "--collector", collector]
        command = line.command(str(BIN / "ringback"), "check", *map(str, [*files, *options]), *more)
        with (data / "out.json").open("wb") as out, (data / "err").open("wb") as err:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        stack.callback(_end, process)
        return Check(process, data)

    @contextmanager
    def _collector(self, keys: Sequence[str]) -> Iterator[Collector]:
        listen, data = where(WORLD_V4.format(COLLECTOR), PORT), self._own("collector")
        known = [word for key in keys for word in ("--control-key", key)]
        files = ["--networks", str(self._lab.networks_file), "--targets", str(self._lab.targets_file)]
        command = [sys.executable, "-m", "tests.laboratory", "serve", "--data", str(data / "store"), "--listen", listen]
        with running(
            ["env", f"PYTHONPATH={ROOT}", *command, *files, *known], data, [f"http:{listen}"], self._lab.world
        ):
            yield Collector(self._lab.world, data / "store", f"http://{listen}")


@dataclass(frozen=True)
class Collector:
    """One that is serving."""

    world: str
    data: Path
    url: str

    @property
    def named(self) -> str:
        """What `--collector` is told: it is over plain HTTP elsewhere, so by its key."""
        return f"ringback:{load_or_create(self.data).key}@{self.url}"

    def get(self, path: str) -> Json:
        """With the operator's token, from the world."""
        token = (self.data / "admin.token").read_text().strip()
        asking = [*prefix(self.world), sys.executable, "-c", ASK, self.url + path, token]
        answer: Json = json.loads(subprocess.run(asking, capture_output=True, check=True, timeout=PATIENCE).stdout)
        return answer

    def verdicts(self) -> dict[str, Json]:
        """By the measurement that was judged, once everything received is judged."""
        deadline = time.monotonic() + PATIENCE
        while self.get("/healthz")["lag"] and time.monotonic() < deadline:
            time.sleep(0.1)
        return {verdict["uid"]: verdict for verdict in self.get("/v1/verdicts?limit=10000")["verdicts"]}


def compare(forked: By, collector: By, alone: By, probe: By) -> Json:
    """How many cells were told three ways, and those that were not told alike.

    A collector has a table of networks and a probe alone has none, so it says less: each is held against what is said
    here with as much knowledge (`forked`, `alone`).
    """
    differ = [
        {"entry": run.entry, "access": run.access, "target": target, "by": by, "forked": [*here], "said": [*there]}
        for by, ours, theirs in (("collector", forked, collector), ("probe", alone, probe))
        for run in ours
        for target, here in sorted(ours[run].items())
        if (there := theirs[run].get(target, ())) != here
    ]
    return {"runs": len(forked), "cells": sum(map(len, forked.values())), "differ": differ}


def _verdicts(lines: Sequence[Json]) -> list[Json]:
    """The latest of each target."""
    every = sorted((line for line in lines if line["type"] == "verdict"), key=lambda line: int(line["round"]))
    return [*{line["target"]: line for line in every}.values()]


def _by_target(verdicts: Sequence[Json]) -> Told:
    return {each["target"]: (each["state"], each["mechanism"]) for each in verdicts}


def _identity(data: Path) -> str:
    command = [str(BIN / "ringback"), "identity", "--data-dir", str(data)]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE).stdout.strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
