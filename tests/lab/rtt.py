"""Round-trip times as configured against those measured, so that a crowded machine cannot pass for a slow network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from tests.lab.echo import STAMP
from tests.lab.net import Lab
from tests.lab.plan import ACCESSES, COLLECTOR, COUNTRY, WORLD_V4
from tests.lab.shaping import round_trip
from tests.patience import PATIENCE

LINES = 30  # at once: so many cycles may be judged by quality, side by side
DATAGRAMS = 20  # on each
BYTES = 28 + STAMP.size
ADDRESS, PORT = WORLD_V4.format(COLLECTOR), 7777
ECHO = (sys.executable, "-m", "tests.lab.echo")


def configured_ms(access: str) -> float:
    """Of a datagram and its echo."""
    return 1000 * round_trip(ACCESSES[access], BYTES)


def accuracy(seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """By access."""
    return {
        access: {
            "configured_ms": round(configured_ms(access), 1),
            "measured_ms": round(median(times) * 1000, 1),
            "error": round(median(times) * 1000 / configured_ms(access) - 1, 3),
            "n": len(times),
        }
        for access, times in sorted(seconds.items())
        if times
    }


def measure(lab: Lab) -> dict[str, Any]:
    """On LINES lines at once, with datagrams far enough apart not to wait for each other."""
    with ExitStack() as stack:
        stack.enter_context(_echo(lab.world))
        accesses = [[*ACCESSES][number % len(ACCESSES)] for number in range(LINES)]
        lines = [lab.line(COUNTRY[0], access, seed=number) for number, access in enumerate(accesses)]
        for line in lines:
            stack.callback(lab.release, line)
        command = [*ECHO, "ping", ADDRESS, str(PORT), str(DATAGRAMS), *(line.namespace for line in lines)]
        took: dict[str, list[float]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        found: dict[str, list[float]] = {}
        for line in lines:
            found.setdefault(line.access.name, []).extend(took[line.namespace])
    return {"lines": LINES, "accesses": accuracy(found)}


@contextmanager
def _echo(world: str) -> Iterator[None]:
    """Where the collector will be, which is not up yet."""
    command = [*ECHO, "serve", world, ADDRESS, str(PORT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        yield
        serving.communicate(timeout=PATIENCE)
