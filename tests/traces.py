"""Looks for addresses in everything that was kept: files as they are, batches inflated, rows of the databases.

It reads SQLite, DuckDB and gzip by their own libraries, and nothing by the product's code.
"""

from __future__ import annotations

import gzip
import ipaddress
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

GZIP = b"\x1f\x8b\x08"
ZLIB = b"\x78\x9c"


class Traces:
    """A heap of bytes in which addresses can be found."""

    def __init__(self) -> None:
        self.batches = 0
        self.rows = 0
        self._chunks: list[bytes] = []

    @classmethod
    def of_probe(cls, data: Path) -> Traces:
        traces = cls()
        traces.add_directory(data)
        return traces

    def add(self, data: bytes) -> None:
        """As it is and, where it is a batch or else deflated, inflated."""
        self._chunks.append(data)
        if data.startswith(ZLIB):
            self._chunks.append(zlib.decompress(data))
        if data.startswith(GZIP):
            self.batches += 1
            self._chunks.append(inflated(data))

    def add_directory(self, directory: Path) -> None:
        for path in filter(Path.is_file, directory.rglob("*")):
            self.add(path.read_bytes())
            for row in _rows(path):
                self.rows += 1
                for value in row:
                    self.add(value if isinstance(value, bytes) else str(value).encode())

    def found(self, addresses: Iterable[str]) -> list[str]:
        """Those of the addresses that occur in any of their forms."""
        everything = b"\0".join(self._chunks)
        return [one for one in addresses if any(form in everything for form in forms(one))]


def inflated(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def forms(address: str) -> set[bytes]:
    """As text, short and long; IPv6 also in binary (four bytes of IPv4 are found in anything)."""
    parsed = ipaddress.ip_address(address)
    texts = {address.encode(), parsed.exploded.encode(), parsed.reverse_pointer.encode()}
    return texts | ({parsed.packed, parsed.packed.hex().encode()} if parsed.version == 6 else set())


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as log:
            for (table,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                yield from log.execute(f'SELECT * FROM "{table}"')
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as warehouse:
            for (table,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                yield from warehouse.execute(f'SELECT * FROM "{table}"').fetchall()
