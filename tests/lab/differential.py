"""The same techniques through the kernel (kernel.py) and through the lab's own path: the verdicts must be the same.

    python -m tests.lab.differential [ENTRY …]

measures every technique that both can do, as the same stages, with the same servers and controls, and says as JSON
lines what was concluded. What the one censor does wrong the other would have to do wrong in the same way. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from collector.facts.networks import read_networks
from probe.measuring.session import Settings
from probe.model import Access, ControlMeasurement, Measurement, Network
from probe.net.vantage import describe_resolver
from tests.lab import fork, plan, settings
from tests.lab.kernel import OPERATOR, Kernel
from tests.lab.kernel_rules import NotShared, doing
from tests.lab.model import Entry, Stage
from tests.lab.moments import BEFORE_AND_AFTER, around, now_ms, placed
from tests.lab.net import Lab
from tests.lab.techniques import TECHNIQUES

SCALE = 0.4  # of the probe's limits: what is silent is given up after 3 s
AT_ONCE = 16
SEEDS = range(1, 20)  # of a technique's draws, until one can be shared


@dataclass(frozen=True)
class Shared:
    """A technique with one draw that both can do."""

    entry: Entry
    stages: tuple[Stage, ...]


def shared(entry: Entry) -> Shared:
    """Raises NotShared when no draw can be."""
    if entry.at != "operator" or set(entry.settings) - {"operators"}:
        raise NotShared("more than the operator's packets is special about it")
    reason = NotShared()
    for seed in SEEDS:
        stages = tuple(entry.draw(Random(f"{entry.name}:{seed}")))
        try:
            doing(stages)
        except NotShared as error:
            reason = error
        else:
            return Shared(entry, stages)
    raise reason


def catalogue(names: Sequence[str]) -> Iterator[Shared]:
    """The techniques that both can do, or those of these names. Raises NotShared for a name that is none of them."""
    for entry in TECHNIQUES:
        if names and entry.name not in names:
            continue
        try:
            yield shared(entry)
        except NotShared:
            if names:
                raise


@dataclass(frozen=True)
class Verdicts:
    """Target → state, mechanism, rule: through the kernel, and through the lab's own path."""

    kernel: Mapping[str, Sequence[Any]]
    path: Mapping[str, Sequence[Any]]
    error: str = ""


class Field:
    """Measures namespaces of a lab, and judges each with the same two controls."""

    def __init__(self, lab: Lab, root: Path) -> None:
        self._lab, self._root = lab, root
        self._networks = read_networks(lab.networks_file)
        settings.lay_out(root, "eth0")
        self._controls: tuple[ControlMeasurement, ...] = ()
        for operator in plan.CONTROLS:
            line = lab.line(operator, "adsl", seed=1)
            (result,) = side_by_side([self._order(line.namespace, line.operator.resolver, keep=True)])
            self._controls += as_controls(operator, result.measurements)

    def measure(self, namespaces: Sequence[str]) -> list[fork.Result]:
        """In their order. All are taken for lines of Maroc Telecom's."""
        return side_by_side([self._order(namespace, OPERATOR.resolver) for namespace in namespaces])

    def _order(self, namespace: str, resolver: str, keep: bool = False) -> fork.Order:
        resolvers = (describe_resolver(resolver, 53, self._lab.targets.resolvers),)
        return fork.Order(
            namespace=namespace,
            targets=self._lab.targets,
            trust=self._lab.trust,
            seed=namespace,
            settings=Settings(declared=Access.ADSL, resolvers=resolvers, root=self._root),
            scale=SCALE,
            controls=around(self._controls, now_ms()),
            keep=keep,
            network=Network(country=OPERATOR.country, asn=OPERATOR.asn, operator=OPERATOR.name),
            networks=self._networks,
        )


def as_controls(operator: str, seen: Sequence[Measurement]) -> tuple[ControlMeasurement, ...]:
    network = Network(operator=operator)
    both = [each for minutes in BEFORE_AND_AFTER for each in placed(seen, minutes)]
    return tuple(ControlMeasurement(key=operator, network=network, measurement=each) for each in both)


def side_by_side(orders: Sequence[fork.Order]) -> list[fork.Result]:
    """Some at a time: each is mostly waiting, but what it measures is time."""
    started: deque[tuple[int, int]] = deque()
    results = []
    for order in orders:
        if len(started) == AT_ONCE:
            results.append(collected(*started.popleft()))
        started.append(fork.start(order))
    return [*results, *(collected(*each) for each in started)]


def collected(child: int, reading: int) -> fork.Result:
    with os.fdopen(reading, "rb") as pipe:
        return fork.finish(child, pipe.read())


def said(result: fork.Result) -> dict[str, tuple[str, str | None, str]]:
    services = [each for each in result.verdicts if not each.target.startswith("baseline/")]
    return {each.target: (str(each.state), each.mechanism, each.rule) for each in services}


def compare(names: Sequence[str]) -> Iterator[tuple[str, Verdicts]]:
    """By the name of the technique."""
    every = list(catalogue(names))
    fork.preload()
    with (
        tempfile.TemporaryDirectory(prefix="ringback-kernel-") as directory,
        Lab(Path(directory) / "lab", slots=len(every) + 2) as lab,
        Kernel(lab, Path(directory) / "kernel") as kernel,
    ):
        field = Field(lab, Path(directory) / "device")
        lines = [kernel.line(each.stages).namespace for each in every]
        lines += [lab.line("iam", "adsl", censor=each.stages, seed=1).namespace for each in every]
        results = field.measure(lines)
        for number, each in enumerate(every):
            through_kernel, through_path = results[number], results[len(every) + number]
            error = through_kernel.error or through_path.error
            yield each.entry.name, Verdicts(said(through_kernel), said(through_path), error)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.differential", description=__doc__)
    parser.add_argument("entries", nargs="*", metavar="ENTRY")
    for entry, verdicts in compare(parser.parse_args().entries):
        line = {"entry": entry, "kernel": verdicts.kernel, "path": verdicts.path, "error": verdicts.error}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
