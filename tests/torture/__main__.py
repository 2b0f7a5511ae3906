"""`make torture`: what a collector must survive, each line with its figure and its mark. Exits with 1 where one fails.

To add something, add a row to TORTURES.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.torture import kills, malformed, starving, survival
from tests.torture.line import Line, Torture

TORTURES: Mapping[str, Torture] = {
    "mutants": survival.torture,
    "kills": kills.torture,
    "T7": malformed.torture,
    "T8": starving.torture,
}


def main(words: Sequence[str]) -> int:
    options = _options(words)
    chosen = {name: torture for name, torture in TORTURES.items() if options.only in (None, name)}
    held = [_holds(name, torture, options) for name, torture in chosen.items()]  # each is tried, whatever came before
    return int(not all(held))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--only", choices=TORTURES, help="one line of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=survival.MUTANTS)
    parser.add_argument("--kills", type=int, default=kills.KILLS)
    parser.add_argument("--repeats", type=int, default=malformed.REPEATS, help="of each kind of T7")
    parser.add_argument("--pairs", type=int, default=starving.PAIRS, help="of turns of T8")
    return parser.parse_args(words)


def _holds(name: str, torture: Torture, options: argparse.Namespace) -> bool:
    """Whether all lines of one torture hold."""
    began, held = time.monotonic(), True
    try:
        with tempfile.TemporaryDirectory() as directory:
            for line in torture(Path(directory), options):
                _tell(name, line, time.monotonic() - began)
                began, held = time.monotonic(), held and not line.faults
    except Exception:  # the others are to be tried too
        print(f"FAILS  {name}: broken off\n{traceback.format_exc()}", flush=True)
        return False
    return held


def _tell(name: str, line: Line, took_s: float) -> None:
    print(
        f"{'FAILS' if line.faults else 'holds'}  {name}: {line.figure} (mark: {line.mark}); {took_s:.0f} s", flush=True
    )
    for fault in line.faults[:20]:
        print(f"       {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
