"""The table of networks: what a million addresses take, and how much memory it needs. `make bench-networks`.

Of as many ranges as the npm packages have, made by chance; ARGS="FILE…" takes archives of tables instead.
"""

from __future__ import annotations

import argparse
import io
import ipaddress
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from collector.facts.networks_file import NetworksFile
from collector.facts.operators import packaged
from collector.facts.published.fetching import of_file
from collector.facts.published.making import Source, make

RANGES = {4: 412_000, 6: 150_000}
LOOKED_UP = 1_000_000
GOAL_S, GOAL_MB = 5, 60
PAGE = 4096


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path)
    parser.add_argument("--read", metavar="TABLE", type=Path, help="in a process of its own")
    given = parser.parse_args(words)
    return _read(given.read) if given.read else _make(given.files)


def _make(files: Sequence[Path]) -> int:
    begun = time.process_time()
    made = make([of_file(path) for path in files] or [_chance("owners"), _chance("countries")])
    print(f"made: {time.process_time() - begun:.1f} s of processor, {_peak_mb():.0f} MB at most, ranges {made.ranges}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "networks.table"
        path.write_bytes(made.data)
        print(f"file: {len(made.data) / 1e6:.1f} MB", flush=True)
        return subprocess.run(
            [sys.executable, "-m", "tests.bench.networks", "--read", str(path)], check=False
        ).returncode


def _read(path: Path) -> int:
    before, begun = _resident_mb(), time.process_time()
    networks = NetworksFile(path, packaged(), lambda: time.time_ns() // 1_000_000, optional=False)
    after = _resident_mb()
    took = time.process_time() - begun
    print(
        f"read: {took:.2f} s of processor, {after - before:.1f} MB resident (goal {GOAL_MB}), of {after:.1f} MB in all"
    )
    asked = list(_addresses())
    begun = time.process_time()
    for address in asked:
        networks.lookup(address)
    took = time.process_time() - begun
    print(f"{LOOKED_UP} addresses: {took:.2f} s of processor (goal {GOAL_S} s)")
    return 0 if took <= GOAL_S and after - before <= GOAL_MB else 1


def _chance(what: str) -> Source:
    """Rows in order, as packages have them."""
    lines = []
    for family, count in RANGES.items():
        kind, bits = (ipaddress.IPv4Address, 32) if family == 4 else (ipaddress.IPv6Address, 62)
        ends = sorted(random.Random(f"{what} {family}").sample(range(1 << bits), 2 * count))
        shift = 0 if family == 4 else 63
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            said = f"{first % 70_000 + 1},Operator {first % 70_000}" if what == "owners" else "MA"
            lines.append(f"{kind(first << shift)},{kind(last << shift)},{said}\n")
    return Source(f"{what}.csv", io.BytesIO("".join(lines).encode()))


def _addresses() -> Iterator[str]:
    """Of both families, half and half."""
    chance = random.Random(1)
    for number in range(LOOKED_UP):
        yield str(
            ipaddress.IPv6Address(chance.getrandbits(125))
            if number % 2
            else ipaddress.IPv4Address(chance.getrandbits(32))
        )


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
