"""How fast an InfluxDB is caught up with: `make bench-influx`, on a real influxd 1.6.7 of this machine.

Makes the verdicts of so many probes in a warehouse, as after an outage, and writes them all: single verdicts, totals
of hours and days, coverage. Prints how many seconds of measuring one second of writing makes up for.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from collector.influx.client import Client, Server
from collector.influx.forwarder import Forwarder
from collector.influx.points import Points
from collector.influx.schema import Database
from collector.judging.evidence import TargetFiles
from collector.metrics import Metrics
from collector.warehouse import outbox
from collector.warehouse.outbox import Kind
from collector.warehouse.store import Warehouse
from probe.judge.cells import cell
from probe.model import Targets
from tests.collector.log.memory_log import MemoryLog
from tests.collector.rows import PSEUDONYMS
from tests.servers.influxd import influxd

HOUR = 492_222 // 24 * 24
NETWORKS = 80

# Each probe has one network in one of 20 countries and one access; each measurement is one of seven verdicts.
VERDICTS = """
INSERT INTO verdict SELECT
    'service' || t || '/call', 'service' || t, 'call', $hour + m // $each,
    ($hour + m // $each) * 3600000 + p * 89 + (m % $each) * 600000,
    lpad(p::VARCHAR, 64, '0'), lpad((p * 1000000 + t * 1000 + m)::VARCHAR, 32, '0'), 1, 'c',
    chr((65 + p % 20)::INT) || 'A', 1000 + p % $networks, 'Operator ' || (p % $networks),
    ['3g', '4g', 'wifi', 'adsl', 'fibre'][1 + p // $networks % 5], 'unknown', 'unknown', 'unknown',
    CASE WHEN hash(p, t, m) % 10 < 7 THEN 'ok' WHEN hash(p, t, m) % 10 = 7 THEN 'blocked' ELSE 'insufficient' END,
    CASE WHEN hash(p, t, m) % 10 = 7 THEN 'tls.sni.drop' END, NULL, 'bound', 'tls', 'rule', 1, 'A reason.',
    'ringback 0.1.0', 'd', true, false, false, ($hour + m // $each) * 3600000 + p * 89 + (m % $each) * 600000 + 4000,
    true, p::VARCHAR, true, true, 0, '', '', ''
FROM range($probes) AS probes(p), range($targets) AS targets(t), range($each * $hours) AS measurements(m)
"""
STEPS = """
INSERT INTO step SELECT target, hour, country, asn, operator, access, simulated, word, count(*), count(*) // 9
FROM verdict, (SELECT unnest(['dns', 'tcp', 'tls']) AS word) GROUP BY ALL
"""
MARKS = """
INSERT INTO unsent_verdict SELECT row_number() OVER (ORDER BY hour, target, key), target, hour, key, uid FROM verdict
"""


def filled(options: argparse.Namespace, directory: Path) -> Warehouse:
    warehouse = Warehouse(directory / "warehouse.duckdb")
    bound = {"hour": HOUR, "networks": NETWORKS, "each": options.each, "hours": options.hours}
    warehouse.select(VERDICTS, {**bound, "probes": options.probes, "targets": options.targets})
    warehouse.select(STEPS)
    warehouse.change(
        lambda c: c.execute("INSERT INTO seen SELECT DISTINCT 'network', country, asn, '', '', false, 0 FROM verdict")
    )
    warehouse.feed("influx")
    return warehouse


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=10_000)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--each", type=int, default=2, help="measurements of a target in an hour")
    parser.add_argument("--hours", type=int, default=1)
    parser.add_argument("--only", type=Kind, nargs="*", default=[*Kind, None], help="these kinds of marks")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as directory, influxd(Path(directory)) as real:
        warehouse = filled(options, Path(directory))
        for name in ("ringback", "ringback_rollup"):
            real.create(name)
        client = Client(Server(url=real.url, api="v1"))
        ids = frozenset(f"service{n}/call" for n in range(options.targets))
        files = TargetFiles(MemoryLog(), lambda body, name: Targets(targets=()))
        points = Points(warehouse, cell, files, PSEUDONYMS, ids, (0, 1))
        report(warehouse, points, client, options)
        client.close()
        warehouse.close()
    return 0


def report(warehouse: Warehouse, points: Points, client: Client, options: argparse.Namespace) -> None:
    """Each kind by itself, then all together, against how long it took to measure."""
    written = 0
    total_s = 0.0
    clock = time.perf_counter

    def counted(database: Database, lines: Sequence[str]) -> None:
        nonlocal written
        written += len(lines)
        client.write(database, lines)

    for kind in options.only:
        warehouse.change(lambda c: c.execute("DELETE FROM unsent"))
        warehouse.change(outbox.mark_all)
        if kind is None:
            warehouse.change(lambda c: c.execute("DELETE FROM unsent"))
            warehouse.change(lambda c: c.execute(MARKS))
        else:
            warehouse.change(lambda c, only=kind: c.execute("DELETE FROM unsent WHERE kind <> $1", [only.value]))
        forwarder = Forwarder(warehouse, points, counted, Metrics(CollectorRegistry()), lambda: 0)
        written, began, used = 0, clock(), time.process_time()
        while warehouse.change(outbox.waiting):
            forwarder.step()
        took, cpu = clock() - began, time.process_time() - used
        name = "single marks" if kind is None else kind.value
        print(f"{name:14} {written:9} points  {took:7.2f} s  ({cpu:.2f} s of our processor)", flush=True)
        total_s += took if kind is not Kind.VERDICTS else 0  # which is the other way to write the same
    real_s = options.hours * 3600
    print(f"{real_s} s of {options.probes} probes in {total_s:.1f} s: {real_s / total_s:.0f} times real time")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
