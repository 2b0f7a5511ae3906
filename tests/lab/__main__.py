"""`python -m tests.lab`: the whole scoreboard, or some of it again.

    python -m tests.lab                          everything; writes tests/lab/scoreboard.json
    python -m tests.lab --entry sni-drop         one entry on all its accesses; prints its board and writes nothing
    python -m tests.lab --entry sni-drop --operator iam --access 4g --seed 7         one run, in detail
    python -m tests.lab --loaded                 300 runs beside 20 busy processes; writes nothing

Exits with 1 when somebody is accused wrongly, or when the installed programs say something else; beside a load also
when anything that is concluded is not right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lab import fork, load, plan, progress, rtt, scoreboard
from tests.lab.bench import LabBench
from tests.lab.catalogue import ENTRIES, HARMLESS
from tests.lab.model import Entry, Run
from tests.lab.net import Lab
from tests.lab.runner import TRIES
from tests.lab.runs import SCORING_SEEDS, SLICE, SLICE_SCALE, board, runs_of
from tests.lab.session import Session
from tests.lab.techniques import TECHNIQUES
from tests.lab.telling import tell

FILE = Path(__file__).with_name("scoreboard.json")
SPARE = 40  # lines beside those of the runs: controls, and runs of the installed programs
AT_ONCE = 140  # cycles side by side: as many as two cores carry without starving any


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    runs = wanted(arguments)
    arguments.whole = not (arguments.entry or arguments.slice or arguments.limit or arguments.loaded)
    at_once = arguments.at_once or (load.AT_ONCE if arguments.loaded else AT_ONCE)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-")))
        lab = stack.enter_context(Lab(directory, slots=min(at_once, len(runs) + SPARE)))
        fork.preload()
        scale = SLICE_SCALE if arguments.slice else 1.0
        session = Session(LabBench(lab, ENTRIES, directory, scale=scale), at_once, 1 if arguments.loaded else TRIES)
        if arguments.seed is not None:
            text, innocent = tell(session, runs[0])
            sys.stdout.write(text)
            return 0 if innocent else 1
        if arguments.loaded:
            stack.enter_context(load.busy())
        result = session.board(runs, progress=progress.told_on(sys.stderr))
        keep(result, arguments)  # before anything else can fail
        if arguments.whole:
            result |= {"rtt": rtt.measure(lab), "agreement": session.agreement(directory)}
            keep(result, arguments)
    sys.stdout.write(scoreboard.table(result) + "\n")
    if arguments.loaded:
        sys.stdout.write(load.told(result) + "\n")
        return 1 if result["false_accusations"] or load.concluded_wrongly(result) else 0
    return 1 if result["false_accusations"] or result.get("agreement", {}).get("differ") else 0


def keep(result: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Writes the whole board, and a part of it only to a file that was named."""
    if arguments.whole or arguments.out != FILE:
        arguments.out.write_text(scoreboard.as_text(result))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.lab", description=(__doc__ or "").splitlines()[0])
    top.add_argument("--entry", choices=sorted(ENTRIES), metavar="NAME", help="a technique or an impairment")
    top.add_argument("--operator", choices=plan.COUNTRY, default=plan.COUNTRY[0])
    top.add_argument("--access", choices=sorted(plan.ACCESSES))
    top.add_argument("--seed", type=int, help="one run, told in detail")
    top.add_argument("--first-seed", type=int, default=SCORING_SEEDS[0], metavar="N")
    top.add_argument("--seeds", type=int, default=3, metavar="N", help="of one entry: so many on each access")
    top.add_argument("--at-once", type=int, metavar="N", help="cycles side by side")
    top.add_argument("--limit", type=int, metavar="N", help="only N runs of the board; writes nothing")
    top.add_argument("--slice", action="store_true", help="what `make test` runs; writes nothing but to another --out")
    top.add_argument(
        "--loaded", action="store_true", help=f"{load.RUNS} runs of the board beside a load; writes nothing"
    )
    top.add_argument("--out", type=Path, default=FILE, metavar="FILE")
    return top


def wanted(arguments: argparse.Namespace) -> list[Run]:
    """The runs that were asked for."""
    if arguments.slice:
        return SLICE
    if arguments.entry is None:
        most = arguments.limit or (load.RUNS if arguments.loaded else None)
        return board(TECHNIQUES, HARMLESS, arguments.first_seed)[:most]
    entry: Entry = ENTRIES[arguments.entry]
    if arguments.seed is not None:
        return [Run(entry.name, arguments.operator, arguments.access or entry.accesses[0], arguments.seed)]
    runs = runs_of(entry, range(arguments.first_seed, arguments.first_seed + arguments.seeds))
    return [run for run in runs if arguments.access in (None, run.access)]


if __name__ == "__main__":
    sys.exit(main())
