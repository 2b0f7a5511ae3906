"""Lines of JSON to the files of a format. Each writer takes pieces as they come, and says at the end what it wrote."""

from __future__ import annotations

import csv
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import duckdb
import msgspec

from collector.package.data_package import Files, relative
from collector.package.tables import columns

PARQUET_KINDS = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "date": "DATE",
}
DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "256MB",
    "threads": 2,
    "autoinstall_known_extensions": False,  # nothing is ever fetched
}

GZIP_LEVEL = 6
SLICE = 1 << 20

Pieces = AsyncIterator[bytes]  # whole lines
Write = Callable[[Pieces, str, Path, bool], Awaitable[Files]]  # of which data set, into which directory, in full or not


async def write_jsonl(pieces: Pieces, dataset: str, directory: Path, full: bool) -> Files:
    """Writes JSON Lines, as they come."""
    path, rows = directory / f"{dataset}.jsonl", 0
    with path.open("wb") as file:
        async for piece in pieces:
            file.write(piece)
            rows += piece.count(b"\n")
    return Files(dataset=dataset, format="jsonl", paths=relative(directory, [path]), rows=rows)


async def write_ooni(pieces: Pieces, dataset: str, directory: Path, full: bool) -> Files:
    """Writes JSON Lines, compressed, as OONI publishes its own; the same lines give the same bytes."""
    path, rows = directory / f"{dataset}.jsonl.gz", 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as file:
        async for slice_ in _even(pieces):
            file.write(slice_)
            rows += slice_.count(b"\n")
    return Files(dataset=dataset, format="jsonl", paths=relative(directory, [path]), rows=rows)


async def _even(pieces: Pieces) -> AsyncIterator[bytes]:
    """The same bytes in slices of one size, for what gzip makes depends on how much it is given at once."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        whole = len(waiting) // SLICE * SLICE
        for start in range(0, whole, SLICE):
            yield bytes(waiting[start : start + SLICE])
        del waiting[:whole]
    yield bytes(waiting)


async def write_csv(pieces: Pieces, dataset: str, directory: Path, full: bool) -> Files:
    """Writes CSV (RFC 4180) with a heading; an absent value is empty, times and booleans are Table Schema's."""
    names = [column.name for column in columns(dataset, full)]
    path, rows = directory / f"{dataset}.csv", 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        async for piece in pieces:
            decoded = [msgspec.json.decode(line) for line in piece.splitlines()]
            writer.writerows([_text(row.get(name)) for name in names] for row in decoded)
            rows += len(decoded)
    return Files(dataset=dataset, format="csv", paths=relative(directory, [path]), rows=rows)


def _text(value: object) -> object:
    return {None: "", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else value


async def write_parquet(pieces: Pieces, dataset: str, directory: Path, full: bool) -> Files:
    """Writes Parquet by day and country, in the layout of Hive: cells/day=2016-02-26/country=MA/….parquet."""
    lines = await write_jsonl(pieces, dataset, directory, full)
    kept = directory / lines.paths[0]
    target = directory / dataset
    kinds = {column.name: PARQUET_KINDS[column.kind] for column in columns(dataset, full)}
    try:
        _copy(kept, target, kinds, partitioned=lines.rows > 0)
    finally:
        kept.unlink()
    return Files(
        dataset=dataset, format="parquet", paths=relative(directory, target.rglob("*.parquet")), rows=lines.rows
    )


def _copy(lines: Path, target: Path, kinds: Mapping[str, str], *, partitioned: bool) -> None:
    """DuckDB reads and writes in bounded memory; what it must put aside goes beside the target.

    Without rows there are no parts: then one file has the columns, for a package without a resource is none.
    """
    spill = lines.with_suffix(".tmp")
    with duckdb.connect(config={**DUCKDB, "temp_directory": str(spill)}) as connection:
        read = f"SELECT * FROM read_json({_quoted(lines)}, format='newline_delimited', columns={dict(kinds)})"
        options = "FORMAT parquet, COMPRESSION zstd"
        if partitioned:
            connection.execute(f"COPY ({read}) TO {_quoted(target)} ({options}, PARTITION_BY (day, country))")
        else:
            target.mkdir()
            connection.execute(f"COPY ({read}) TO {_quoted(target / 'empty.parquet')} ({options})")
    if spill.exists():
        spill.rmdir()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


FORMATS: Mapping[str, tuple[Write, tuple[str, ...]]] = {  # how, and which data sets; all but cells need the token
    "ooni": (write_ooni, ("measurements",)),
    "parquet": (write_parquet, ("cells", "verdicts")),
    "csv": (write_csv, ("cells", "verdicts")),
    "jsonl": (write_jsonl, ("cells", "verdicts")),
}
