"""What is no HTTP: an answer of ours, and few lines in the log."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from collector.front.connections import Sparing
from tests.collector.servers import serving


async def answered(port: int, request: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """The status line, the headers and the body of the answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, dict(line.decode().split(": ", 1) for line in lines), body


MALFORMED = [
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", MALFORMED)
async def test_an_answer_of_ours(tmp_path: Path, request_bytes: bytes) -> None:
    async with serving(tmp_path, owner=False) as collector:
        status, headers, body = await answered(collector.port, request_bytes)
    assert status.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert headers["Server"] == "ringback"
    assert json.loads(body)["error"] == "bad_request"


async def test_a_flood_of_them_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, owner=False) as collector:
        for _ in range(20):
            await answered(collector.port, MALFORMED[2])
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage().startswith("A connection failed before any route: ")
    assert "127.0.0.1" not in caplog.text


def test_one_line_of_a_kind_in_a_while() -> None:
    now = [0.0]
    sparing = Sparing(60.0, lambda: now[0])

    def said(kind: str) -> str | None:
        record = logging.LogRecord("x", logging.ERROR, "", 0, kind, (), None)
        return record.getMessage() if sparing.filter(record) else None

    assert [said("a"), said("a"), said("b"), said("a")] == ["a", None, "b", None]
    now[0] = 59.9
    assert said("a") is None
    now[0] = 60.0
    assert said("a") == "a (3 more like this were not logged)"
    assert said("a") is None
    now[0] = 200.0
    assert [said("b"), said("a")] == ["b", "a (1 more like this were not logged)"]
