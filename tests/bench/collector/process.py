"""Servers of a bench in processes of their own, and what they cost: processor time and memory, as the kernel counts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct


class Server(Struct, frozen=True):
    """A process that listens on a port of this machine."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """The processor time that it and its children have used."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children(self.pid)))

    def resident_bytes(self) -> int:
        return sum(_resident(pid) for pid in (self.pid, *_children(self.pid)))


@contextmanager
def served(module: str, *words: str | Path) -> Iterator[Server]:
    """Runs a module that prints the address on which it listens, until its standard input ends."""
    command: Sequence[str] = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"{module} does not start.")
            yield Server(process.pid, int(address.rpartition(":")[2]))
        finally:
            process.stdin.close()


def _cpu_s(pid: int) -> float:
    """Of its threads that run; the kernel counts whole processes in hundredths of a second only."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
