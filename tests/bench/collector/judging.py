"""How fast is judged, what one batch more costs, how long a rebuild takes, and what is kept of a measurement."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from collector.instance import INDEX_FILE, LOG_DIRECTORY, WAREHOUSE_FILE
from tests.bench.collector.directory import control_keys, fill, sent
from tests.bench.collector.figures import Figure, slope
from tests.bench.collector.population import Population
from tests.bench.collector.worker import Took

RATE, REBUILT, REBUILT_S = 2_000, 1_000_000, 600
CONTROLS = (0, 4, 8)
FEW = 4  # targets of a cycle, where many lines matter and not many targets
FLAT = 0.25  # of slope, of both memory and one batch more
LOG_BYTES, WAREHOUSE_BYTES = 250, 60


def judging(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """So many measurements of one hour, judged at once in one process, by how many controls measured beside them."""
    probes, population = 5 if options.quick else 60, Population(simulated=True)
    figures = []
    for controls in CONTROLS:
        rates, grown, sizes = [], [], []
        for times in (1, 2, 4):
            size, took = _judged(directory / f"{controls}-{times}", population, probes * times, controls)
            rates.append(size / took.cpu_s)
            grown.append(max(took.grew_bytes, 1))
            sizes.append(size)
        said = f"{controls} controls: {', '.join(f'{rate:,.0f}' for rate in rates)} measurements/s a core"
        said += f" (of {', '.join(f'{size:,}' for size in sizes)}); memory grew by"
        said += f" {', '.join(f'{size / 1e6:.0f}' for size in grown)} MB"
        figures.append(Figure(said=said, mark=f"≥ {RATE:,}", holds=min(rates) >= RATE))
    return figures


def _judged(data: Path, population: Population, probes: int, controls: int) -> tuple[int, Took]:
    size = fill(data, population, sent(population, probes, controls=controls))
    took = work("catch-up", data, control_keys(population, controls))
    shutil.rmtree(data)
    return size, took


def one_more(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """The processor time of a step for one batch of a new line, in an hour of few lines and of many."""
    lines, population = (20, 200) if options.quick else (100, 10_000), Population(simulated=True)
    costs = []
    for count in lines:
        data = directory / str(count)
        fill(data, population, sent(population, count, cycles=1, targets=FEW))
        keys = control_keys(population, 2)
        work("catch-up", data, keys)
        costs.append(median(work("one-more", data, keys, "--targets", str(FEW)).each_s))
        shutil.rmtree(data)
    grown = slope(lines, costs)
    each = ", ".join(f"{cost * 1000:.0f} ms at {count:,}" for cost, count in zip(costs, lines, strict=True))
    said = f"one batch of {FEW} measurements more: {each} lines an hour: slope {grown:.2f}"
    return [Figure(said=said, mark=f"≤ {FLAT}", holds=grown <= FLAT)]


def rebuild(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """From the log alone. What is not 1 M measurements is extrapolated, and says so."""
    population = Population(simulated=True)
    probes, hours = (4, 1) if options.quick else (options.probes or 400, 4)
    size = fill(directory / "data", population, sent(population, probes, hours=hours))
    took = work("rebuild", directory / "data", control_keys(population, 2))
    whole_s = took.wall_s * REBUILT / size
    said = f"{size:,} measurements in {took.wall_s:.0f} s of wall, {took.cpu_s:.0f} s of processor,"
    said += f" memory grew by {took.grew_bytes / 1e6:.0f} MB"
    if size < REBUILT:
        said += f"; extrapolated to 1 M in proportion: {whole_s / 60:.1f} min"
    return [Figure(said=said, mark="1 M in ≤ 10 min", holds=whole_s <= REBUILT_S)]


def storage(directory: Path, options: argparse.Namespace) -> list[Figure]:
    """Bytes on the disk of each measurement, when all is judged and closed."""
    population, probes = Population(simulated=True), 5 if options.quick else 200
    data = directory / "data"
    size = fill(data, population, sent(population, probes, hours=2))
    work("catch-up", data, control_keys(population, 2))
    return [
        _bytes("log", data / LOG_DIRECTORY, size, LOG_BYTES),
        _bytes("index", data / INDEX_FILE, size, None),
        _bytes("warehouse", data / WAREHOUSE_FILE, size, WAREHOUSE_BYTES),
    ]


def _bytes(name: str, path: Path, size: int, mark: int | None) -> Figure:
    files = list(path.rglob("*")) if path.is_dir() else list(path.parent.glob(f"{path.name}*"))
    each = sum(file.stat().st_size for file in files) / size
    said = f"{name}: {each:.0f} bytes a measurement (of {size:,})"
    return Figure(said=said, mark=f"≤ {mark}" if mark else "", holds=each <= mark if mark else None)


def work(name: str, data: Path, keys: Sequence[str], *words: str) -> Took:
    controls = [word for key in keys for word in ("--control-key", key)]
    command = [sys.executable, "-m", "tests.bench.collector.worker", name, str(data), *controls, *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=7200)
    return msgspec.json.decode(done.stdout, type=Took)
