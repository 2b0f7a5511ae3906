"""How fast batches of 50 are taken, beside the ceiling (bare.py) and an InfluxDB, one after the other in each round.

All are sent the same measurements over 16 connections, and say 2xx when they are on the disk. A rate is of the wall,
and depends on what else this machine does; a ratio of two rates does so less, and processor time least.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct

from collector.facts import collector_key
from collector.facts.collector_key import CollectorKey
from collector.front.batches import CONTENT_TYPE
from collector.instance import now_ms
from probe.codecs.seal import unseal
from probe.model import HOUR_MS, Measurement
from tests import components
from tests.bench.collector.figures import Figure, ratio
from tests.bench.collector.load import Request, all_at_once, post
from tests.bench.collector.population import Population, Probe
from tests.bench.collector.process import Server, served
from tests.servers.influxd import influxd

SIZE = 50
ROUNDS, BATCHES = 7, 120  # of each round
QUICK = (3, 20)
MARK = 0.70
OURS, CEILING, WITHOUT_ROWS, INFLUXD = "Ringback", "the ceiling", "the ceiling without rows", "influxd"

Encode = Callable[[bytes, Probe], Request]


class Rival(Struct, frozen=True):
    """A server, and how it wants a batch."""

    server: Server
    encode: Encode


class Round(Struct, frozen=True):
    """Measurements a second, processor time of each in µs, and how long an upload took."""

    rate: float
    cpu_us: float
    p50_s: float
    p99_s: float


def ingest(directory: Path, options: argparse.Namespace) -> list[Figure]:
    rounds, batches = QUICK if options.quick else (ROUNDS, BATCHES)
    (directory / "data").mkdir(mode=0o700)
    key = collector_key.load_or_create(directory / "data")
    with ExitStack() as stack:
        rivals = {name: stack.enter_context(start(directory)) for name, start in _rivals().items()}
        seen: dict[str, list[Round]] = {name: [] for name in rivals}
        made = _made(key, batches)
        for rival in rivals.values():  # once, for what is made at the first
            _round(rival, next(made))
        for _ in range(rounds):
            probes = next(made)
            for name, rival in rivals.items():
                seen[name].append(_round(rival, probes))
    return [*(_figure(name, found) for name, found in seen.items()), *_ratios(seen)]


def _made(key: CollectorKey, batches: int) -> Iterator[list[tuple[Probe, bytes]]]:
    population, number = Population(), 0
    while True:
        probes = [population.probe(each) for each in range(number, number + batches)]
        yield [(probe, probe.batch(now_ms() - HOUR_MS, key, SIZE)) for probe in probes]
        number += batches


def _rivals() -> dict[str, Callable[[Path], AbstractContextManager[Rival]]]:
    found = {OURS: _ringback, CEILING: _ceiling, WITHOUT_ROWS: _without_rows}
    return found | ({INFLUXD: _influxd} if components.find("influxdb") else {})


@contextmanager
def _ringback(directory: Path) -> Iterator[Rival]:
    with served("tests.bench.collector.served", directory / "data", "--without-judging") as server:
        yield Rival(server, lambda body, _: post("/v1/batches", body, CONTENT_TYPE))


@contextmanager
def _ceiling(directory: Path) -> Iterator[Rival]:
    with served("tests.bench.collector.bare", directory / "rows.sqlite", "--rows") as server:
        yield Rival(server, _for_bare)


@contextmanager
def _without_rows(directory: Path) -> Iterator[Rival]:
    with served("tests.bench.collector.bare", directory / "bare.sqlite") as server:
        yield Rival(server, _for_bare)


@contextmanager
def _influxd(directory: Path) -> Iterator[Rival]:
    (at := directory / "influxd").mkdir()
    with influxd(at) as real:
        real.create("bench")
        yield Rival(Server(real.pid, real.port), _for_influxd)


def _for_bare(body: bytes, probe: Probe) -> Request:
    """The same lines, with a signature over the plain digest of each."""
    *lines, _, _ = gzip.decompress(body).split(b"\n")
    signature = probe.sign(b"".join(hashlib.sha256(line).digest() for line in lines)).hex()
    plain = b"\n".join([*lines, b'{"signature":"%s"}' % signature.encode(), b""])
    return post("/v1/batches", gzip.compress(plain, mtime=0), CONTENT_TYPE)


def _for_influxd(body: bytes, probe: Probe) -> Request:
    """A point of each measurement, and one of each attempt: what a panel is made of."""
    points = [point for each in unseal(body).measurements for point in _points(each, probe)]
    return post("/write?db=bench&precision=ms", "\n".join(points).encode(), "text/plain")


def _points(seen: Measurement, probe: Probe) -> Iterator[str]:
    place = f"target={seen.target},country={probe.network.country},asn={probe.network.asn}"
    yield f'measurement,{place} key="{probe.key}",uid="{seen.uid}",round={seen.round}i {seen.started_ms}'
    for number, each in enumerate(seen.attempts):
        step = each.observations[-1] if each.observations else None
        took = f'took={step.took_us}i,failure="{step.failure or ""}"' if step else "took=0i"
        yield f"attempt,{place},handshake={each.handshake},number={number} {took} {seen.started_ms}"


def _round(rival: Rival, made: Sequence[tuple[Probe, bytes]]) -> Round:
    requests = [rival.encode(body, probe) for probe, body in made]
    before_s = rival.server.cpu_s()
    run = all_at_once(rival.server.port, requests)
    measurements = len(requests) * SIZE
    cpu_us = (rival.server.cpu_s() - before_s) / measurements * 1e6
    return Round(measurements / run.took_s, cpu_us, run.p(50), run.p(99))


def _figure(name: str, seen: Sequence[Round]) -> Figure:
    rate, cpu_us = median(each.rate for each in seen), median(each.cpu_us for each in seen)
    p50_ms, p99_ms = median(each.p50_s for each in seen) * 1000, median(each.p99_s for each in seen) * 1000
    return Figure(
        said=f"{name}: {rate:,.0f} measurements/s, {cpu_us:.0f} µs of processor each, p50 {p50_ms:.0f} ms, "
        f"p99 {p99_ms:.0f} ms"
    )


def _ratios(seen: dict[str, list[Round]]) -> Iterator[Figure]:
    ours = seen[OURS]
    for name, theirs in seen.items():
        if name == OURS:
            continue
        rate = ratio([each.rate for each in ours], [each.rate for each in theirs])
        cpu = ratio([each.cpu_us for each in ours], [each.cpu_us for each in theirs])
        said = f"{rate:.2f} of the rate of {name}, at {cpu:.2f} of its processor time"
        marked = name == CEILING
        yield Figure(said=said, mark=f"≥ {MARK}" if marked else "", holds=rate >= MARK if marked else None)
