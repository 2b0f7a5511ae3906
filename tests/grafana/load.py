"""`make grafana-load`: the dashboards on a month of rollups of 10,000 probes. Some five minutes, 3 GB of disk.

Writes the month into an influxd of its own, asks every query of every page three times, and prints the slowest.
Ends with 1 when a query over 30 days takes more than a second of the server's processor time, which is more than it
takes on a quiet machine whatever else this one does, or gives more series than Grafana takes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.grafana.asking import Stores
from tests.grafana.month import Filled, daily, hourly
from tests.grafana.timing import MOST_SECONDS, MOST_SERIES, Meter, Timed, timed, write
from tests.servers.influxd import Influxd, influxd

DAYS = 30
SHOWN = 8
SLOW = f"more than {MOST_SECONDS} s"


def main() -> int:
    with tempfile.TemporaryDirectory() as directory, influxd(Path(directory)) as server:
        stores = prepared(server)
        for rollup in [*daily(), *hourly()]:
            fill(stores, rollup)
        meter = processor_time(child())
        bad = report(f"{DAYS} days, per day", list(timed(stores, "1d", DAYS, meter=meter)))
        report("7 days, per hour", list(timed(stores, "1h", 7, meter=meter)))
        report(f"{DAYS} days, per hour (for comparison)", list(timed(stores, "1h", DAYS, meter=meter)))
    return 1 if bad else 0


def prepared(server: Influxd) -> Stores:
    stores = Stores(server, raw="ringback", rollup="ringback_rollup")
    server.create(stores.raw)
    server.query(f'CREATE DATABASE "{stores.rollup}" WITH DURATION INF SHARD DURATION 52w')
    return stores


def fill(stores: Stores, rollup: Filled) -> None:
    start = time.perf_counter()
    points = write(stores, rollup.lines(DAYS))
    seconds = time.perf_counter() - start
    say(f"{rollup.measurement.name}: {len(rollup.tags):,} series, {points:,} points in {seconds:.0f} s")


def report(what: str, times: list[Timed]) -> list[Timed]:
    """Prints the slowest, and returns those that are too slow or too many."""
    slowest = sorted(times, key=lambda one: -one.processor)
    say(f"\n{what}: {len(times)} queries; the most series {max(one.series for one in times)}.")
    say("    wall  processor  series  where")
    for one in slowest[:SHOWN]:
        where = f"{one.query.page} {one.query.panel}{one.query.letter}"
        say(f"{one.seconds:6.3f} s {one.processor:8.3f} s {one.series:7}  {where}")
    bad = [one for one in times if one.processor > MOST_SECONDS or one.series > MOST_SERIES]
    for one in bad:
        say(f"  {SLOW}, or than {MOST_SERIES} series: {one.query}")
    return bad


def child() -> int:
    """The process id of the only process that this one has started."""
    own = os.getpid()
    [pid] = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return int(pid)


def processor_time(pid: int) -> Meter:
    """Seconds of user and system time of a process, from proc_pid_stat(5)."""

    def seconds() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return seconds


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
