"""A data directory as after a month of so many probes, written directly: through the door it would take days.

The log's bodies are genuine and all different, as gzip lets one say the time in its header, but what they hold repeats;
verdicts and cells are made in the warehouse itself. The index says that it is as far as the log, and holds nothing.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from collector.instance import INDEX_FILE, LOG_DIRECTORY, Options, opened
from collector.judging.rules import RULES
from collector.log import Entry, Envelope, segment
from collector.warehouse.editions import FOR_EVER_MS
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import Change
from probe import targets as targets_file
from probe.model import HOUR_MS, Network
from tests.collector.batches import Volunteer
from tests.torture.honest import A_DAY, Honest, genuine

DAY_MS = 24 * HOUR_MS
DAYS = 30
SIZE = 50  # measurements in a batch
BATCHES_A_DAY = A_DAY // SIZE + 1
SEALED = 40  # batches that repeat
NETWORKS = 10

# Every probe sees each target so often in a day, at that time, on one network; each network has 4G and ADSL.
VERDICTS = """
INSERT INTO verdict BY NAME SELECT
    target, split_part(target, '/', 1) AS service, split_part(target, '/', 2) AS role,
    $hour + m * 24 * $days // $each AS hour, ($hour + m * 24 * $days // $each) * 3600000 + p * 997 AS started_ms,
    lpad(p::VARCHAR, 64, '0') AS key, lpad((p * 1000000 + t * 10000 + m)::VARCHAR, 32, '0') AS uid, 1 AS round,
    lpad((p * 10000 + m)::VARCHAR, 32, '0') AS cycle,
    'MA' AS country, 64500 + p % $networks AS asn, 'Operator ' || (p % $networks) AS operator,
    ['4g', 'adsl'][1 + p // $networks % 2] AS access, 'unknown' AS declared, 'unknown' AS detected, 'unknown' AS behind,
    CASE hash(p, t, m) % 10 WHEN 7 THEN 'blocked' WHEN 8 THEN 'insufficient' ELSE 'ok' END AS state,
    CASE WHEN hash(p, t, m) % 10 = 7 THEN 'tls.sni.drop' END AS mechanism, 'bound' AS grade, 'tls' AS step,
    'rule' AS rule, $rules AS rules_version, 'A reason.' AS reason, 'ringback 0.1.0' AS software, $targets AS targets,
    true AS targets_known, false AS is_control, false AS simulated,
    ($hour + m * 24 * $days // $each) * 3600000 + p * 997 + 4000 AS received_ms, true AS established,
    lpad(to_hex(p), 32, '0') AS bucket, true AS checked, true AS consistent
FROM range($probes) AS probes(p), (SELECT unnest($names::VARCHAR[]) AS target, generate_subscripts($names, 1) AS t),
    range($each) AS measurements(m)
"""
# Each as the owner sees it, and as strangers do from an hour after its end on.
CELLS = """
INSERT INTO cell BY NAME SELECT
    target, service, role, hour, hour * 3600000 AS since_ms, (hour + 1) * 3600000 AS until_ms, country, asn, operator,
    access, mode(state) AS state, any_value(mechanism) AS mechanism, count(DISTINCT key) AS lines,
    count(DISTINCT key) AS counted, 0 AS answered, '{"ok":' || count(DISTINCT key) || '}' AS states,
    mode(state) AS public_state, any_value(mechanism) AS public_mechanism, count(DISTINCT key) AS established,
    count(DISTINCT key) AS buckets, 1 AS sources_floor, shown * (hour + 2) * 3600000 AS shown_from_ms,
    $for_ever AS shown_until_ms, false AS simulated
FROM verdict, (SELECT unnest([0, 1]) AS shown)
GROUP BY target, service, role, hour, country, asn, operator, access, shown
"""


def write(data: Path, probes: int, until_ms: int, days: int = DAYS) -> int:
    """Writes so many days up to then into `data`; the number of batches in the log."""
    options, first = Options(data=data), until_ms // DAY_MS - days
    with opened(options, RULES) as parts:
        parts.kept_targets.put(parts.targets.digest, parts.targets.body)
        parts.projector.step()
        log, names = parts.log.id, [target.id for target in parts.targets.targets]
        _fill(parts.warehouse, names, probes, first * 24, days)
    latest = _segments(data / LOG_DIRECTORY, log, probes, first, days)
    with sqlite3.connect(data / INDEX_FILE) as index:
        index.execute("UPDATE meta SET position = ?", (latest,))
    index.close()
    with opened(options, RULES) as parts:
        parts.warehouse.put(Change(), latest)
    return latest


def _fill(warehouse: Warehouse, names: list[str], probes: int, first_hour: int, days: int) -> None:
    each = A_DAY * days // len(names)  # measurements of a target by one probe
    bound = {"hour": first_hour, "days": days, "each": each, "networks": NETWORKS, "probes": probes, "names": names}
    digest = targets_file.packaged().digest
    warehouse.select(VERDICTS, {**bound, "rules": RULES.version, "targets": digest})
    warehouse.select(CELLS, {"for_ever": FOR_EVER_MS})


def _segments(directory: Path, log: str, probes: int, first_day: int, days: int) -> int:
    bodies, position = _bodies(), 0
    for day in range(first_day, first_day + days):
        one = segment.create(directory, day, log, position + 1)
        connection = sqlite3.connect(one.path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for number in range(probes * BATCHES_A_DAY):
            position += 1
            received_ms = day * DAY_MS + number * DAY_MS // (probes * BATCHES_A_DAY)
            network = Network(country="MA", asn=64_500 + number % NETWORKS, operator=f"Operator {number % NETWORKS}")
            entry = Entry(position, Envelope(received_ms=received_ms, network=network, named={}, body=next(bodies)))
            segment.insert(connection, entry, entry.envelope.digest)
        connection.execute("COMMIT")
        connection.close()
    return position


def _bodies() -> Iterator[bytes]:
    """Without end, none twice: the same batches, compressed at other times."""
    honest, volunteer = Honest(genuine(), targets_file.packaged().digest), Volunteer(1)
    sealed = [honest.batch(volunteer, SIZE, 0) for _ in range(SEALED)]
    for number in itertools.count(1):
        body = sealed[number % SEALED]
        yield body[:4] + number.to_bytes(4, "little") + body[8:]
