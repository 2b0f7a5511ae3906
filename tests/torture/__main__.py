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

from tests.torture import kills, malformed, ready, replays, soak, stampede, starving, survival, sybil
from tests.torture.line import Line, Torture

TORTURES: Mapping[str, Torture] = {
    "mutants": survival.torture,
    "kills": kills.torture,
    "ready": ready.torture,
    "soak": soak.torture,
    "T7": malformed.torture,
    "T8": starving.torture,
    "T10": replays.torture,
    "T12": sybil.torture,
    "stampede": stampede.torture,
}
LONG = ("kills", "soak", "stampede")  # what `make torture-long` does, for hours; the others are of minutes
LONG_KILLS, LONG_SOAK_S = 300, 3_600.0


def main(words: Sequence[str]) -> int:
    options = _options(words)
    usual = LONG if options.long else [name for name in TORTURES if name != "stampede"]
    chosen = {name: TORTURES[name] for name in ([options.only] if options.only else usual)}
    held = [_holds(name, torture, options) for name, torture in chosen.items()]  # each is tried, whatever came before
    return int(not all(held))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--only", choices=TORTURES, help="one line of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=survival.MUTANTS)
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG)}, for hours")
    parser.add_argument("--kills", type=int, help=f"{kills.KILLS}, or {LONG_KILLS}")
    parser.add_argument("--soak-s", type=float, help=f"{soak.SECONDS:.0f}, or {LONG_SOAK_S:.0f}")
    parser.add_argument("--probes", type=int, default=stampede.PROBES, help="of the stampede")
    parser.add_argument("--month-probes", type=int, default=ready.PROBES, help="whose month a collector holds")
    parser.add_argument("--replays", type=int, default=replays.BODIES)
    parser.add_argument("--sybils", type=int, default=sybil.SYBILS)
    parser.add_argument("--repeats", type=int, default=malformed.REPEATS, help="of each kind of T7")
    parser.add_argument("--pairs", type=int, default=starving.PAIRS, help="of turns of T8")
    options = parser.parse_args(words)
    options.kills = options.kills or (LONG_KILLS if options.long else kills.KILLS)
    options.soak_s = options.soak_s or (LONG_SOAK_S if options.long else soak.SECONDS)
    return options


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
