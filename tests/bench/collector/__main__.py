"""`make bench-collector`: how fast a collector is, each line with its figure and mark. Exits with 1 where one misses.

To add something, add a row to BENCHES. Figures are of this machine, as it is: look at the load beside them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from tests.bench.collector.figures import Figure
from tests.bench.collector.hour import beside, hour
from tests.bench.collector.ingest import ingest
from tests.bench.collector.judging import judging, one_more, rebuild, storage
from tests.bench.collector.reading import reading

Bench = Callable[[Path, argparse.Namespace], list[Figure]]

BENCHES: Mapping[str, Bench] = {
    "ingest": ingest,
    "judging": judging,
    "one-more": one_more,
    "rebuild": rebuild,
    "bytes": storage,
    "p99": beside,
    "hour": hour,
    "reading": reading,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.collector", description=__doc__)
    parser.add_argument("--only", choices=BENCHES, help="one of them")
    parser.add_argument("--quick", action="store_true", help="a small part of each: to see that it runs")
    parser.add_argument("--probes", type=int, help="in a rebuild and in an hour, instead of as many as their marks say")
    parser.add_argument("--directory", type=Path, help="where to write: on a disk, for fsync costs nothing in memory")
    options = parser.parse_args()
    chosen = {name: bench for name, bench in BENCHES.items() if options.only in (None, name)}
    held = [_held(name, bench, options) for name, bench in chosen.items()]
    return int(not all(held))


def _held(name: str, bench: Bench, options: argparse.Namespace) -> bool:
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        figures = bench(Path(directory), options)
    for figure in figures:
        print(replace(figure, holds=None if options.quick else figure.holds).line(name), flush=True)
    print(f"        {name} took {time.monotonic() - began:.0f} s; load {load:.1f} to {os.getloadavg()[0]:.1f}")
    return options.quick or all(figure.holds is not False for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
