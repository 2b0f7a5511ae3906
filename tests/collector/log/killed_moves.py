"""Kills the move of an old log at every third line that it runs, and lets another one finish: for test_moving.py.

    python -m tests.collector.log.killed_moves OLD_DIRECTORY WORKING_DIRECTORY

Each move is a forked process, which ends without any clean-up. Prints how many were killed.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

from collector.facts.kept_targets import KeptTargets
from collector.log import Entry, moving
from collector.log.sqlite import SqliteLog

TRACED = ("moving.py", "segment.py")
STRIDE = 3


def move(data: Path) -> None:
    moving.move(data / "log.sqlite", data / "log", KeptTargets(data / "targets").put)


def held(data: Path) -> tuple[list[Entry], list[str]]:
    """The envelopes of a moved log, and the names of all files but the log's."""
    with closing(SqliteLog(data / "log")) as log:
        return log.read(0, 1000), sorted(path.name for path in data.iterdir())


def killed_at(
    line: int, work: Callable[[], None], traced: tuple[str, ...] = TRACED, most_visits: float = math.inf
) -> bool:
    """Does `work` in a process that is killed when it comes to its `line`th line of these files; False when it ended
    before. Each line of a file counts so many times.
    """
    child = os.fork()
    if child == 0:
        left, visits = itertools.count(line, -1), Counter[tuple[str, int]]()

        def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
            if not frame.f_code.co_filename.endswith(traced):
                return None
            place = (frame.f_code.co_filename, frame.f_lineno)
            visits[place] += event == "line"
            if event == "line" and visits[place] <= most_visits and next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, f"failed before line {line}"
    return False


def main(old: Path, work: Path) -> None:
    shutil.copytree(old, whole := work / "whole")
    move(whole)
    expected = held(whole)
    for line in itertools.count(1, STRIDE):
        shutil.copytree(old, data := work / str(line))
        killed = killed_at(line, lambda data=data: move(data))
        move(data)
        assert held(data) == expected, f"after a kill at line {line}"
        shutil.rmtree(data)
        if not killed:
            sys.stdout.write(f"{line // STRIDE}\n")
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
