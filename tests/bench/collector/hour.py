"""A collector that is sent to and judges: how long an hour of many probes takes, and what uploads wait beside it."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from collector.front.access import TOKEN_FILE
from collector.front.batches import CONTENT_TYPE
from probe.model import HOUR_MS
from tests.bench.collector.directory import CONTROLS, START_MS, Sent, control_keys, sent
from tests.bench.collector.figures import Figure, percentile, ratio
from tests.bench.collector.load import Request, Run, answer, evenly, get, paced, post, send
from tests.bench.collector.population import NETWORKS, Population, Probe
from tests.bench.collector.process import Server, served

PROBES, HOUR_S, LAG_S = 10_000, 900.0, 30.0
SHARE = 0.9  # of the time, in which they are sent: the rest is to finish in
LOOK_S = 1.0
BESIDE, ROUNDS, ROUND_S, EACH_S = 1.5, 5, 20.0, 0.2
ABROAD = "198.18.0.0/16"


@contextmanager
def collector(directory: Path, population: Population, *words: str) -> Iterator[Server]:
    """A collector for what is simulated, which knows the networks."""
    directory.mkdir()
    rows = [f"10.{n}.0.0/16,{one.asn},{one.country},{one.operator}" for n, one in enumerate(population.networks)]
    table = directory / "networks.csv"
    table.write_text("\n".join(["prefix,asn,country,operator", *rows, f"{ABROAD},64499,XC,Abroad", ""]))
    keys = [word for key in control_keys(population, 2) for word in ("--control-key", key)]
    given = (directory / "data", "--networks", table, "--simulated", *keys, *words)
    with served("tests.bench.collector.served", *given) as server:
        yield server


def hour(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """All that so many probes measure in an hour, two cycles each, sent evenly in less than a quarter of one."""
    probes = 20 if options.quick else options.probes or PROBES
    most_s = HOUR_S * probes / PROBES
    population = Population(simulated=True)
    requests = [_upload(population, each) for each in sent(population, probes)]
    with collector(directory / "hour", population) as server:
        token = (directory / "hour" / "data" / TOKEN_FILE).read_text().strip()
        took_s, lag_s = asyncio.run(_hour(server, token, requests, most_s))
        cpu_s, resident = server.cpu_s(), server.resident_bytes()
    said = f"an hour of {probes:,} probes ({len(requests):,} batches) took {took_s:.0f} s, lag {lag_s:.0f} s at most,"
    said += f" {cpu_s:.0f} s of processor, {resident / 1e6:.0f} MB"
    mark = f"≤ {most_s:.0f} s" + ("" if probes == PROBES else f", {probes / PROBES:.2%} of {HOUR_S:.0f} s")
    return [Figure(said=said, mark=f"{mark}, lag ≤ {LAG_S:.0f} s", holds=took_s <= most_s and lag_s <= LAG_S)]


async def _hour(server: Server, token: str, requests: list[Request], most_s: float) -> tuple[float, float]:
    """How long it took until all was judged, and the greatest lag: how long ago the oldest came that is not judged.

    Gives up after twice the time.
    """
    run, began, lag_s = Run(), time.perf_counter(), 0.0
    sending = asyncio.create_task(send(server.port, evenly(requests, most_s * SHARE / len(requests)), run))
    while time.perf_counter() - began < 2 * most_s + LAG_S:
        await asyncio.sleep(LOOK_S)
        judged, now_s = await _judged(server.port, token), time.perf_counter() - began
        waiting = sorted(run.answered_s)[judged:]
        lag_s = max([lag_s, *(now_s - came_s for came_s in waiting[:1])])
        if judged >= len(requests):
            break
    await sending
    return time.perf_counter() - began, lag_s


async def _judged(port: int, token: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(get("/healthz", Authorization=f"Bearer {token}").head)
    said = msgspec.json.decode(await answer(reader))
    writer.close()
    return int(said["projection_cursor"])


def beside(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """Four uploads of 20 a second, as of some thousand probes, where they are judged and where they are only kept."""
    rounds, round_s = (2, 2.0) if options.quick else (ROUNDS, ROUND_S)
    population = Population(simulated=True)
    with (
        collector(directory / "judging", population) as judging,
        collector(directory / "idle", population, "--without-judging") as idle,
    ):
        seen: dict[str, list[float]] = {"judging": [], "idle": []}
        for number in range(rounds + 1):
            for name, server in (("judging", judging), ("idle", idle)):
                count = int(round_s / EACH_S * 4)
                probes = [population.probe(number * count + each) for each in range(count)]
                uploads = [_upload(population, Sent(probe, START_MS + number * HOUR_MS)) for probe in probes]
                p99_s = percentile(paced(server.port, uploads, EACH_S / 4).each_s, 99)
                if number:  # the first is for what is made at the first
                    seen[name].append(p99_s)
    found = ratio(seen["judging"], seen["idle"])
    each = ", ".join(f"{a * 1000:.0f}/{b * 1000:.0f}" for a, b in zip(seen["judging"], seen["idle"], strict=True))
    said = f"p99 of uploads beside judging is {found:.2f} of that without (ms, in pairs: {each})"
    return [Figure(said=said, mark=f"≤ {BESIDE}", holds=found <= BESIDE)]


def _upload(population: Population, one: Sent) -> Request:
    body = one.probe.batch(one.started_ms)
    return post("/v1/batches", body, CONTENT_TYPE, X_Forwarded_For=_address(population, one.probe))


def _address(population: Population, probe: Probe) -> str:
    """Each has a /24 of its own, in its network."""
    place = probe.number // NETWORKS
    if probe.number >= CONTROLS:
        return f"198.18.{probe.number % 256}.1"
    return f"10.{probe.number % NETWORKS}.{place % 256}.{1 + place // 256}"
