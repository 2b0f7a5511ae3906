"""The product at work in the country: probes on lines, controls abroad, a collector in the world.

Everything is run as a user runs it, as a process of its own, in a namespace.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from collector.facts.collector_key import load_or_create
from tests.country.build import Country
from tests.country.namespaces import Host, run
from tests.country.plan import COLLECTOR, WORLD_V4
from tests.later import also_later
from tests.patience import PATIENCE
from tests.servers.process import prefix, running, where

ROOT = Path(__file__).parents[2]
PROBE = (sys.executable, "-m", "probe.cli")
SCALE = "0.3"  # of the probe's limits: silence is then known after 3 s, with the answers of this country in 1 ms
Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What one `ringback check` said."""

    code: int
    out: str
    said: str  # on stderr
    data: Path = Path()

    @cached_property
    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def measurements(self) -> list[Json]:
        return [line for line in self.lines if line["type"] == "measurement"]

    @property
    def summary(self) -> Json:
        return next(line for line in self.lines if line["type"] == "summary")

    @property
    def verdicts(self) -> Mapping[str, Json]:
        """Of the services, the latest round of each target."""
        every = sorted((line for line in self.lines if line["type"] == "verdict"), key=lambda line: int(line["round"]))
        return {line["target"]: line for line in every if not line["target"].startswith("baseline/")}

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {target: (verdict["state"], verdict["mechanism"]) for target, verdict in self.verdicts.items()}


def identity(data: Path) -> str:
    """The public key of the probe that keeps its state there."""
    return run(*PROBE, "identity", "--data-dir", str(data)).strip()


def check(country: Country, host: Host, *arguments: str, scale: str = SCALE) -> Outcome:
    """One `ringback check` on a host."""
    data = country.directory / f"probe-{host.device}"
    common = ["--targets", country.targets_file, "--ca-file", country.ca_file, "--data-dir", data]
    options = ["--format", "json", "--timeout-scale", scale, *map(str, common), *arguments]
    return Outcome(*ringback(host.command(*PROBE, "check", *options)), data)


def ringback(command: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def controls(outcomes: Sequence[Outcome]) -> list[str]:
    """What these saw, before another check and after it, as its arguments."""
    arguments = []
    for number, outcome in enumerate(outcomes):
        outcome.data.mkdir(exist_ok=True)  # a line without a link keeps nothing
        path = outcome.data / f"control{number}.json"
        path.write_text(also_later(outcome.out))
        arguments += ["--control", str(path)]
    return arguments


@dataclass(frozen=True)
class Collector:
    country: Country
    data: Path
    url: str

    @property
    def named(self) -> str:
        """What `--collector` is told: it is over plain HTTP elsewhere, so by its key."""
        return f"ringback:{load_or_create(self.data).key}@{self.url}"

    def get(self, path: str) -> str:
        """With the operator's token, from the world."""
        token = (self.data / "admin.token").read_text().strip()
        script = (
            "import sys, urllib.request as r;"
            "q = r.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]});"
            "print(r.build_opener(r.ProxyHandler({})).open(q, timeout=60).read().decode())"
        )
        return run(*prefix(self.country.world), sys.executable, "-c", script, self.url + path, token)

    def verdicts(self) -> dict[str, Json]:
        """By the measurement that was judged, once everything received is judged."""
        deadline = time.monotonic() + PATIENCE
        while json.loads(self.get("/healthz"))["lag"] and time.monotonic() < deadline:
            time.sleep(0.1)
        return {verdict["uid"]: verdict for verdict in json.loads(self.get("/v1/verdicts?limit=10000"))["verdicts"]}


@contextmanager
def collector(country: Country, port: int, control_keys: Sequence[str]) -> Iterator[Collector]:
    address, data = WORLD_V4.format(COLLECTOR), country.directory / f"collector-{port}"
    data.mkdir()
    keys = [argument for key in control_keys for argument in ("--control-key", key)]
    files = ["--networks", str(country.networks_file), "--targets", str(country.targets_file)]
    listen = where(address, port)
    command = [sys.executable, "-m", "tests.laboratory", "serve", "--data", str(data / "store"), "--listen", listen]
    with running(["env", f"PYTHONPATH={ROOT}", *command, *files, *keys], data, [f"http:{listen}"], country.world):
        yield Collector(country, data / "store", f"http://{listen}")
