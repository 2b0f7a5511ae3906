"""kill -9 of a collector that holds a month of a hundred probes: how soon it answers again, and what it then has."""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

from collector.instance import now_ms
from tests.collector.uploaders import Uploader, kept
from tests.torture import month
from tests.torture.kills import READY_S, UPLOADERS, kill_often, lost_and_doubled, ready_faults, told
from tests.torture.line import Line
from tests.torture.served import load

PROBES = 100
KILLS = 10


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    data = directory / "data"
    batches = month.write(data, options.month_probes, now_ms())
    uploaders = [Uploader(directory, number + 1) for number in range(UPLOADERS)]
    seen = asyncio.run(kill_often(data, uploaders, min(KILLS, options.kills), random.Random(options.seed)))
    lost, doubled = lost_and_doubled(uploaders, kept(data, after=batches))
    yield Line(
        figure=f"over a month of {options.month_probes} probes ({batches} batches): {told(seen)}; {lost} lost, "
        f"{doubled} doubled, {load()}",
        mark=f"ready ≤ {READY_S:g} s, 0 lost, 0 doubled",
        faults=[*ready_faults(seen), *([f"{lost} are lost, {doubled} doubled"] if lost or doubled else [])],
    )
