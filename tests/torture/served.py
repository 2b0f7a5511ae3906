"""A real collector, in a process of its own: when it answers, what it takes of the machine, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from collector.front.access import TOKEN_FILE
from tests.patience import PATIENCE
from tests.torture.wire import Address, Gone, ask, get

PAUSE_S = 0.01  # between two tries to reach it
TICKS = os.sysconf("SC_CLK_TCK")
PORTS = range(20_000, 30_000)
MB = 1_000_000


class Taken(Struct, frozen=True, kw_only=True):
    """What a process has of the machine: memory and its peak in MB, processor in seconds."""

    memory_mb: float
    peak_mb: float
    processor_s: float
    threads: int
    files: int


class Served:
    """A collector that was started."""

    def __init__(self, process: asyncio.subprocess.Process, address: Address, data: Path) -> None:
        self.process, self.address, self.data = process, address, data
        self._began = time.monotonic()

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    async def ready(self) -> float:
        """Waits for its first answer; the seconds since it was started. Raises AssertionError where it ends instead."""
        while True:
            assert self.process.returncode is None, f"the collector ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() - self._began < PATIENCE, f"the collector does not answer: {self.said()}"
            try:
                answer = await ask(self.address, get("/healthz"))
            except Gone:
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status == 200:
                return time.monotonic() - self._began

    async def caught_up(self) -> None:
        """Waits until all that it received is judged."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if not (await self.health())["lag"]:
                    return
                await asyncio.sleep(PAUSE_S)

    async def health(self) -> dict[str, Any]:
        """As its owner is told it."""
        token = (self.data / TOKEN_FILE).read_text().strip()
        answer = await ask(self.address, get("/healthz", Authorization=f"Bearer {token}"))
        return dict(json.loads(answer.body))

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """As its operator ends it."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await self.process.wait()

    def taken(self) -> Taken:
        directory = Path("/proc") / str(self.process.pid)
        status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
        after_name = (directory / "stat").read_text().rpartition(")")[2].split()
        return Taken(
            memory_mb=int(status["VmRSS"].split()[0]) * 1024 / MB,
            peak_mb=int(status["VmHWM"].split()[0]) * 1024 / MB,
            processor_s=(int(after_name[11]) + int(after_name[12])) / TICKS,
            threads=int(status["Threads"]),
            files=len(os.listdir(directory / "fd")),
        )

    def forget_peak(self) -> None:
        """The peak of memory is counted from now on."""
        (Path("/proc") / str(self.process.pid) / "clear_refs").write_text("5")

    def said(self) -> str:
        """The end of what it wrote."""
        return _output(self.data).read_text(errors="replace")[-2_000:]


def _output(data: Path) -> Path:
    return data.with_name(f"{data.name}.said")


def free_port() -> int:
    """A port that was free a moment ago: a collector that is started again listens where it did.

    None of those from which connections take theirs: who tries one of them often enough meets himself.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@asynccontextmanager
async def served(data: Path, *options: str, port: int | None = None) -> AsyncIterator[Served]:
    """A collector on `data`, which may not answer yet; it is ended at the end, if it still runs."""
    address = ("127.0.0.1", port or free_port())
    command = [sys.executable, "-m", "collector", "serve", "--data", str(data), "--listen", f"127.0.0.1:{address[1]}"]
    with _output(data).open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, *options, stdout=said, stderr=said)
        one = Served(process, address, data)
        try:
            yield one
        finally:
            await one.end()


def load() -> str:
    """How busy the machine is, to stand beside what depends on it."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
