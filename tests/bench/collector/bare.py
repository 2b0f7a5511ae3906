"""The ceiling: what no collector can do without, and no more. `python -m tests.bench.collector.bare FILE [--rows]`.

aiohttp takes a body, zlib inflates it, msgspec decodes each line into its type, Ed25519 verifies one signature over
the SHA-256 of each line, SQLite keeps the body with a group commit, and 200 says so. With `--rows` a row of each
measurement is kept too, to be found by. Prints where it listens, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sqlite3
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from probe.codecs.said_once import MeasurementLine
from probe.model import BatchHeader, Context

TABLES = """
CREATE TABLE body (position INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE measurement (
    position INTEGER NOT NULL, line INTEGER NOT NULL, key TEXT NOT NULL, uid TEXT NOT NULL, target TEXT NOT NULL,
    cycle TEXT NOT NULL, started_ms INTEGER NOT NULL, PRIMARY KEY (key, uid)
) WITHOUT ROWID;
"""
Waiting = tuple[bytes, BatchHeader, list[Any], asyncio.Future[None]]


class Bare:
    def __init__(self, path: Path, rows: bool) -> None:
        self._path, self._rows = path, rows
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue()
        self._header, self._context, self._line = map(msgspec.json.Decoder, (BatchHeader, Context, MeasurementLine))
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {TABLES}")

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        header, seen = self._opened(body)
        kept = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((body, header, seen, kept))
        await kept
        return web.json_response({"stored": len(seen)})

    def _opened(self, body: bytes) -> tuple[BatchHeader, list[Any]]:
        first, *lines, last = zlib.decompress(body, wbits=31)[:-1].split(b"\n")
        header = self._header.decode(first)
        for line in lines[: header.contexts]:
            self._context.decode(line)
        seen = [self._line.decode(line) for line in lines[header.contexts :]]
        digests = [hashlib.sha256(line).digest() for line in (first, *lines)]
        signature = bytes.fromhex(last[14:-2].decode())
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(header.key)).verify(signature, b"".join(digests))
        return header, seen

    async def write(self) -> None:
        while True:
            group = [await self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get_nowait())
            await asyncio.to_thread(self._commit, group)
            for *_, kept in group:
                kept.set_result(None)

    def _commit(self, group: list[Waiting]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for body, header, seen, _ in group:
            position = self._connection.execute("INSERT INTO body (body) VALUES (?)", (body,)).lastrowid
            if self._rows:
                rows = [
                    (position, line, header.key, one.uid, one.target, one.cycle, one.started_ms)
                    for line, one in enumerate(seen)
                ]
                self._connection.executemany("INSERT INTO measurement VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")


async def serve(path: Path, rows: bool) -> None:
    bare = Bare(path, rows)
    app = web.Application()
    app.router.add_post("/v1/batches", bare.receive)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    writing = asyncio.create_task(bare.write())
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    writing.cancel()
    await runner.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", action="store_true")
    given = parser.parse_args()
    asyncio.run(serve(given.file, given.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
