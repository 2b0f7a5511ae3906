"""The lab beside a load: as on a device that does other things, whatever the probe then still concludes must be true.

A crowded machine answers late, and what is late looks like what is dropped. Nothing may be accused for it: a cell is
right, or it is `insufficient`.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

PROCESSES = 20
RUNS = 300
AT_ONCE = 40  # cycles side by side, which then have more to wait for than each other
# Ends by itself when whoever started it is gone.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
Json = dict[str, Any]


@contextmanager
def busy(count: int = PROCESSES) -> Iterator[list[int]]:
    """So many processes that only compute, by their ids; they are ended afterwards."""
    processes = [subprocess.Popen([sys.executable, "-S", "-c", BUSY]) for _ in range(count)]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def concluded_wrongly(board: Mapping[str, Any]) -> list[Json]:
    """The board's rows of what is neither right nor left open."""
    return [row for row in board["wrong"] if not row["said"].startswith("insufficient")]


def told(board: Mapping[str, Any]) -> str:
    """What this kind of board says, for people."""
    counts = Counter[str]()
    for row in board["entries"].values():
        counts.update(row["outcomes"])
    wrong = sum(row["times"] for row in concluded_wrongly(board))
    right = sum(counts[outcome] for outcome in ("right", "shallow"))
    open_ = counts.total() - counts["not_yet"] - right - wrong
    return (
        f"Beside {PROCESSES} busy processes, {board['runs']} runs in {board['wall_s']:.0f} s: {right} cells right, "
        f"{open_} left open, {wrong} wrong, {board['false_accusations']} false accusations. "
        f"{board['starved']['left']} runs were starved."
    )
