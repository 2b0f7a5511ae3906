"""Requests to a server on this machine, over so many connections at once.

Plain sockets: whoever asks shall cost little, for it shares the machine with who is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

CONNECTIONS = 16


class Request(Struct, frozen=True):
    """A request as it goes over the wire."""

    head: bytes
    body: bytes = b""


class Run(Struct):
    """How long all took, and each; and when each was answered, since the beginning."""

    took_s: float = 0.0
    each_s: list[float] = []
    answered_s: list[float] = []

    def p(self, hundredths: int) -> float:
        return sorted(self.each_s)[min(len(self.each_s) * hundredths // 100, len(self.each_s) - 1)]


class Unexpected(Exception):
    """A server refused what it should have taken."""


def post(path: str, body: bytes, content_type: str, **headers: str) -> Request:
    named = {"Content-Type": content_type, "Content-Length": str(len(body))} | headers
    return Request(_head("POST", path, named), body)


def get(path: str, **headers: str) -> Request:
    return Request(_head("GET", path, headers))


def _head(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def all_at_once(port: int, requests: Sequence[Request], connections: int = CONNECTIONS) -> Run:
    """Each connection sends the next as soon as its last is answered."""
    return asyncio.run(send(port, [(0.0, each) for each in requests], Run(), connections))


def paced(port: int, requests: Sequence[Request], each_s: float, connections: int = CONNECTIONS) -> Run:
    """One after so many seconds; each is as old as since the time that it was due."""
    return asyncio.run(send(port, evenly(requests, each_s), Run(), connections))


def evenly(requests: Iterable[Request], each_s: float) -> Iterator[tuple[float, Request]]:
    return ((number * each_s, each) for number, each in enumerate(requests))


async def send(port: int, requests: Iterable[tuple[float, Request]], run: Run, connections: int = CONNECTIONS) -> Run:
    """Sends each when it is due, and notes it in `run`."""
    began, waiting = time.perf_counter(), iter(requests)
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_one_after_the_other(port, waiting, began, run))
    run.took_s = time.perf_counter() - began
    return run


async def _one_after_the_other(port: int, waiting: Iterator[tuple[float, Request]], began: float, run: Run) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for due_s, request in waiting:
        await asyncio.sleep(max(0.0, began + due_s - time.perf_counter()))
        sent = began + due_s if due_s else time.perf_counter()
        writer.write(request.head + request.body)
        await answer(reader)
        now = time.perf_counter()
        run.each_s.append(now - sent)
        run.answered_s.append(now - began)
    writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The body. Raises Unexpected for any but 2xx."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, _, rest = head.partition(b"\r\n")
    sizes = [line.partition(b":")[2] for line in rest.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(int(sizes[0])) if sizes else b""
    if status.split()[1][:1] != b"2":
        raise Unexpected(f"{status.decode()}: {body[:300].decode(errors='replace')}")
    return body
