"""Damage of a log is found and named: in a page, a body, a signature. What was kept by other rules is no damage."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from collector import commands
from collector.front.batches import CONTENT_TYPE
from collector.front.listening import address_of, listening, open_socket
from collector.instance import Options, glance_at_log, opened
from collector.log import soundness
from probe.codecs.seal import SealError, encode, unseal
from tests.collector.batches import Volunteer
from tests.collector.judging.evidence import RULES

Capture = pytest.CaptureFixture[str]
BATCHES = 3


async def _upload(options: Options) -> None:
    volunteer = Volunteer()
    with opened(options, RULES) as parts, open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock), aiohttp.ClientSession() as session:
            for _ in range(BATCHES):
                data = volunteer.seal([volunteer.measure() for _ in range(20)])
                async with session.post(
                    f"{address_of(sock)}/v1/batches", data=data, headers={"Content-Type": CONTENT_TYPE}
                ) as answer:
                    assert answer.status == 200
            # as a verifier meets it: beside a collector that runs
            assert await asyncio.to_thread(commands.main, ["verify", "--data", str(options.data)]) == 0


@pytest.fixture
def data(tmp_path: Path, capsys: Capture) -> Path:
    """The directory of a collector that received some batches, and ended."""
    options = Options(data=tmp_path / "data")
    asyncio.run(_upload(options))
    assert capsys.readouterr().out.endswith(f"{BATCHES} batches in 1 files: all is as it was received.\n")
    return options.data


def log_file(data: Path) -> Path:
    (path,) = soundness.files(data)
    return path


def bodies(data: Path, change: Callable[[bytes], bytes], *, known: bool = False) -> None:
    """Changes the body of the second batch; `known`: its digest is noted, as if it had been received so."""
    with closing(sqlite3.connect(log_file(data), isolation_level=None)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        table = next(name for name in soundness.BATCHES if name in tables)
        column = soundness.BATCHES[table][0]
        (position,) = connection.execute(f"SELECT {column} FROM {table} ORDER BY 1 LIMIT 1 OFFSET 1").fetchone()
        (body,) = connection.execute(f"SELECT body FROM {table} WHERE {column} = ?", (position,)).fetchone()
        changed = change(body)
        connection.execute(f"UPDATE {table} SET body = ? WHERE {column} = ?", (changed, position))
        if known and "digest" in tables:
            digest = hashlib.sha256(changed).digest()
            connection.execute("UPDATE digest SET sha256 = ? WHERE position = ?", (digest, position))


def verified(data: Path, capsys: Capture) -> tuple[int, list[str]]:
    code = commands.main(["verify", "--data", str(data)])
    return code, capsys.readouterr().out.splitlines()


def a_hole(body: bytes) -> bytes:
    return body[:200] + bytes(8) + body[208:]


def another_line(body: bytes) -> bytes:
    """Whole by every checksum, and not what was signed."""
    return gzip.compress(gzip.decompress(body).replace(b'"round":1', b'"round":2', 1), mtime=0)


@pytest.mark.parametrize("change", [a_hole, another_line, lambda body: body[:-20]])
def test_a_body_that_is_not_what_was_received(data: Path, capsys: Capture, change: Callable[[bytes], bytes]) -> None:
    for known in (False, True):
        bodies(data, change, known=known)
        code, (fault, summary) = verified(data, capsys)
        assert code == 1
        assert fault.startswith(f"{log_file(data).name}: batch 2: ")
        assert summary == f"{BATCHES} batches in 1 files: 1 faults. Restore a backup."


def test_what_was_kept_by_other_rules_is_no_damage(data: Path, capsys: Capture) -> None:
    volunteer = Volunteer()
    line = encode(volunteer.measure()).replace(b'"round":1', b'"round":"one"')
    strange = volunteer.seal_lines([line])
    with pytest.raises(SealError) as refused:
        unseal(strange)
    assert refused.value.reason == "bad_schema"
    bodies(data, lambda _: strange, known=True)
    assert verified(data, capsys)[0] == 0


def test_pages_that_are_damaged(data: Path, capsys: Capture, caplog: pytest.LogCaptureFixture) -> None:
    path = log_file(data)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(path.stat().st_size // 4))
    code, lines = verified(data, capsys)
    assert code == 1
    assert len(lines) > 1
    assert all(line.startswith(f"{path.name}: ") for line in lines[:-1])
    glance_at_log(data)
    assert "The log is damaged: " in caplog.text
    assert "`ringback-collector verify --data" in caplog.text


def test_at_the_start_of_a_sound_one_nothing_is_said(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    glance_at_log(data)
    assert soundness.glance(log_file(data)).batches == BATCHES
    assert not caplog.records
    bodies(data, a_hole)
    glance_at_log(data)
    assert "batch 2: " in caplog.text


@pytest.mark.parametrize("content", [b"", b"no database" * 500])
def test_what_is_no_log(tmp_path: Path, capsys: Capture, content: bytes) -> None:
    assert commands.main(["verify", "--data", str(tmp_path)]) == 2
    (tmp_path / "log.sqlite").write_bytes(content)
    code, lines = verified(tmp_path, capsys)
    assert code == 1
    assert lines[0].startswith("log.sqlite: ")
