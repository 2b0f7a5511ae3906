"""`make torture`: what a collector must survive, each line with its figure and its mark. Exits with 1 where one fails.

To add something, add a row to TORTURES.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from tests.torture.survival import survive

MUTANTS = 20_000


class Line(Struct, frozen=True, kw_only=True):
    """A line of the report. `faults` are what was seen that must not be; without any, it holds."""

    figure: str
    mark: str
    faults: list[str]


def type_correct_mutants(directory: Path, options: argparse.Namespace) -> Line:
    """T7: what a stranger may write in the right types, through the door and all that stands behind it."""
    found = asyncio.run(survive(directory, options.mutants, options.seed))
    exported = sum(found.exported.values())
    return Line(
        figure=f"{options.mutants} mutants, {found.accepted} let in; {exported} rows exported, {found.lines} points; "
        f"{len(found.faults)} faults",
        mark=f"≥ {MUTANTS} mutants, 0 faults",
        faults=found.faults,
    )


TORTURES: Mapping[str, Callable[[Path, argparse.Namespace], Line]] = {"mutants": type_correct_mutants}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--only", choices=TORTURES, help="one line of them")
    parser.add_argument("--mutants", type=int, default=MUTANTS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = {name: torture for name, torture in TORTURES.items() if options.only in (None, name)}
    held = [_holds(name, torture, options) for name, torture in chosen.items()]  # each is tried, whatever came before
    return int(not all(held))


def _holds(name: str, torture: Callable[[Path, argparse.Namespace], Line], options: argparse.Namespace) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        line = torture(Path(directory), options)
    sign = "FAILS" if line.faults else "holds"
    print(f"{sign}  {name}: {line.figure} (mark: {line.mark}); {time.monotonic() - began:.0f} s", flush=True)
    for fault in line.faults[:20]:
        print(f"       {fault}", flush=True)
    return not line.faults


if __name__ == "__main__":
    sys.exit(main())
