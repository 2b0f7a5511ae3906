"""Starting a server, knowing that it is up because its protocol answers, and ending exactly that process."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE
from tests.servers import answers

START_SECONDS = PATIENCE / 2  # servers take 0.05 to 0.2 s where nothing else runs


class DidNotStart(RuntimeError):
    """A server ended or stayed mute; the message has the tail of its log."""


@contextmanager
def running(
    command: Sequence[str], directory: Path, questions: Sequence[str], inside: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command, in the network namespace `inside` if given, and yields once it answers (see answers.py)."""
    log = directory / "log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*prefix(inside), *command], cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        if not answer(process, list(questions), inside):
            tail = log.read_text(errors="replace")[-2000:]
            raise DidNotStart(f"{command} does not answer (exit {process.poll()}); its log ends:\n{tail}")
        yield process
    finally:
        end(process)


def prefix(inside: str | None) -> list[str]:
    return ["ip", "netns", "exec", inside] if inside else []


def answer(process: subprocess.Popen[bytes], questions: list[str], inside: str | None) -> bool:
    """Whether all questions were answered in time; gives up when the server is gone."""
    if inside:
        asking = [*prefix(inside), sys.executable, answers.__file__, "--within", str(START_SECONDS), *questions]
        return subprocess.run(asking, timeout=PATIENCE, check=False).returncode == 0
    deadline = time.monotonic() + START_SECONDS
    while questions and process.poll() is None and time.monotonic() < deadline:
        questions = [question for question in questions if not answers.asks(question)]
        time.sleep(0.02)
    return not questions


def end(process: subprocess.Popen[bytes], seconds: float = 3.0) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def where(address: str, port: int) -> str:
    """host:port as people write it, with brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def free_port() -> int:
    """A port free for TCP and UDP on 127.0.0.1, below the ephemeral range so that no client socket takes it first."""
    while True:
        port = random.randint(10_000, 32_000)
        if all(_is_free(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
