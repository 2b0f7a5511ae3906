"""What a measurement takes on the collector's disk, when it came with 49 others in a batch of format 2.

    python -m tests.bench.storage [MEASUREMENTS]

Genuine measurements (of the replay's own probes, with every fact that they note), sealed, received, indexed and judged
by a whole collector. Prints bytes a measurement: of the log by column, of the index by table, of the warehouse, and of
what stays of it when the bodies have gone.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from collector.front.batches import prefixes
from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES
from collector.log import Envelope
from collector.replay.episode import load
from collector.replay.play import moments
from collector.replay.simulate import cycle
from collector.warehouse.store import TABLES
from probe import durable
from probe import targets as targets_file
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal
from probe.model import BatchHeader, Context, Measurement, Network, Targets

MOROCCO = [Network(country="MA", asn=asn, operator=name) for asn, name in ((36903, "Maroc Telecom"), (36884, "inwi"))]
MEASUREMENTS, EACH = 20_000, 50
BUCKET_BYTES = 32


def sent(targets: Targets) -> Iterator[tuple[Ed25519PrivateKey, list[Measurement]]]:
    """What the lines of a story measure, hour by hour."""
    story = load("morocco-2016")
    keys = {line.name: Ed25519PrivateKey.generate() for line in story.lines}
    for moment in moments(story, every_h=1):
        for line in story.lines:
            made = cycle(story, targets, line, moment)
            if made is not None:
                yield keys[line.name], [replace(each, simulated=False) for each in made.measurements]


def envelope(key: Ed25519PrivateKey, seen: list[Measurement], targets: Targets) -> tuple[Envelope, int]:
    links = list(dict.fromkeys(each.link for each in seen))
    sealed_ms = max(each.started_ms for each in seen) + 60_000
    header = BatchHeader(
        format=2,
        key=key.public_key().public_bytes_raw().hex(),
        batch=secrets.token_hex(16),
        sealed_ms=sealed_ms,
        software="ringback 0.1.0",
        targets=targets.digest,
        contexts=len(links),
        salt=secrets.token_hex(16),
    )
    contexts = [encode(Context(link=link)) for link in links]
    body = seal(header, [say(each, links.index(each.link)) for each in seen], key.sign, contexts)
    named = {prefix: MOROCCO[hash(prefix) % 2] for prefix in prefixes(seen)}
    bucket = secrets.token_bytes(BUCKET_BYTES)
    return Envelope(received_ms=sealed_ms + 1000, network=MOROCCO[0], named=named, bucket=bucket, body=body), sealed_ms


async def receive(parts: Parts, targets: Targets, wanted: int) -> tuple[int, int]:
    """How many measurements in how many batches."""
    measurements = batches = 0
    for key, seen in whole_batches(sent(targets)):
        await parts.log.append(*envelope(key, seen, targets))
        measurements, batches = measurements + len(seen), batches + 1
        if measurements >= wanted:
            break
    return measurements, batches


def whole_batches(
    sent: Iterable[tuple[Ed25519PrivateKey, list[Measurement]]],
) -> Iterator[tuple[Ed25519PrivateKey, list[Measurement]]]:
    """Of 50 measurements each, as of a probe that waits for them."""
    waiting: dict[Ed25519PrivateKey, list[Measurement]] = {}
    for key, seen in sent:
        together = waiting.setdefault(key, [])
        together += seen
        while len(together) >= EACH:
            yield key, list(islice(together, EACH))
            del together[:EACH]


def by_table(path: Path) -> dict[str, int]:
    """Bytes of the pages of each table and index."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            return dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"))
        except sqlite3.OperationalError:  # an SQLite without that table
            return {"all": path.stat().st_size}


def say_bytes(what: str, sizes: dict[str, int], measurements: int) -> None:
    each = "  ".join(f"{name} {size / measurements:.1f}" for name, size in sizes.items() if size > measurements / 10)
    sys.stdout.write(f"{what}: {sum(sizes.values()) / measurements:.1f}   ({each})\n")


def main(wanted: int) -> None:
    targets = targets_file.packaged()
    with tempfile.TemporaryDirectory() as directory, durable.for_the_owner_alone():
        data = Path(directory) / "data"
        with opened(Options(data=data), RULES) as parts:
            measurements, batches = asyncio.run(receive(parts, targets, wanted))
            parts.projector.catch_up()
            parts.warehouse.select("CHECKPOINT")
            frozen = Path(directory) / "frozen"
            frozen.mkdir()
            for table in TABLES:
                to = frozen / f"{table.name}.parquet"
                rows = f"SELECT * FROM {table.name} {table.ordered}"
                parts.warehouse.select(f"COPY ({rows}) TO '{to}' (FORMAT parquet, COMPRESSION zstd)")
        report(data, frozen, measurements, batches)


def report(data: Path, frozen: Path, measurements: int, batches: int) -> None:
    sys.stdout.write(f"{measurements} measurements in {batches} batches; bytes a measurement:\n")
    segments = sorted((data / "log").glob("*.sqlite"))
    columns: dict[str, int] = {}
    for path in segments:
        with closing(sqlite3.connect(path)) as connection:
            lengths = "sum(length(body)) AS body, sum(length(named)) AS named"
            found = connection.execute(f"SELECT {lengths} FROM envelope")
            for (name, *_), size in zip(found.description, found.fetchone(), strict=True):
                columns[name] = columns.get(name, 0) + size
    columns["rest"] = sum(path.stat().st_size for path in segments) - sum(columns.values())
    say_bytes(f"log ({len(segments)} days)", columns, measurements)
    say_bytes("index", by_table(data / "index.sqlite"), measurements)
    say_bytes("warehouse", {"all": (data / "warehouse.duckdb").stat().st_size}, measurements)
    say_bytes("frozen", {path.stem: path.stat().st_size for path in sorted(frozen.iterdir())}, measurements)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MEASUREMENTS)
