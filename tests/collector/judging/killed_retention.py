"""Kills a collector at every so many lines of letting bodies go, and lets another one finish: for test_retention.py.

    python -m tests.collector.judging.killed_retention JUDGED_DIRECTORY WORKING_DIRECTORY KEEP_DAYS STRIDE [KEY]

Where there is a KEY, it is forgotten first. Each collector is a forked process, which ends without any clean-up, at
every STRIDEth line. Prints how many were killed.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from collector.log.operator import Decision, What, decide
from probe import durable
from tests.collector.judging.aging import collector
from tests.collector.log.killed_moves import killed_at

TRACED = (
    *("freezes.py", "rewriting.py", "retention.py", "frozen.py", "index_thinning.py"),
    *("forgetting.py", "frozen_without.py", "operator.py"),
)
NEVER_MS = 2**53  # of what was received at any time
MOST_VISITS = 2  # the second day that goes is as good as the tenth


def kept(data: Path, keep: int) -> str:
    """What a collector makes of a directory: all that stands in the warehouse, and which bodies stay."""
    with collector(data, keep) as parts:
        parts.projector.catch_up()
        bodies = [(entry.position, entry.envelope.digest) for entry in parts.log.read(0, 100_000)]
        names = sorted(str(path.relative_to(data)) for path in (data / "log").rglob("*"))
        return repr((parts.warehouse.dump(), bodies, names, parts.index.hours()))


def _write(data: Path, keep: int, key: str | None) -> None:
    if key is not None:
        decide(data / "log", Decision(at_ms=NEVER_MS, key=key, what=What.FORGET, why="asked"))
    (data / "kept").write_text(kept(data, keep))


def _to_the_end(work: Callable[[], None]) -> None:
    killed_at(0, work, ())


def main(judged: Path, work: Path, keep: int, stride: int, key: str | None = None) -> None:
    shutil.copytree(judged, whole := work / "whole")
    _to_the_end(lambda: _write(whole, keep, key))
    expected = (whole / "kept").read_text()
    for line in itertools.count(1, stride):
        shutil.copytree(judged, data := work / str(line))
        killed = killed_at(line, lambda data=data: _write(data, keep, key), TRACED, MOST_VISITS)
        _to_the_end(lambda data=data: _write(data, keep, key))
        assert (data / "kept").read_text() == expected, f"after a kill at line {line}"
        shutil.rmtree(data)
        if not killed:
            sys.stdout.write(f"{line // stride}\n")
            return


if __name__ == "__main__":
    with durable.for_the_owner_alone():
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
