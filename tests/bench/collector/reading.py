"""What those who look wait for, at ten million verdicts: pages and cells, over HTTP, by who asks.

Rows are made in DuckDB by the real schema, an hour after the other, as they come. *Cold* is the first of its kind after
a start; *warm* what follows, of a page for strangers what is kept of it for a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from collector.front.access import TOKEN_FILE
from collector.instance import WAREHOUSE_FILE, now_ms
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CELL_COLUMNS, VERDICT_COLUMNS, cell_values, verdict_values
from probe import targets as targets_file
from probe.model import HOUR_MS
from tests.bench.collector.figures import Figure, percentile
from tests.bench.collector.load import Request, answer, get
from tests.bench.collector.process import served
from tests.collector.rows import CELL, VERDICT

PROBES, TARGETS, EACH, HOURS = 500, 37, 2, 270  # 9,990,000 verdicts
NETWORKS = 80
STARTS, AGAIN = 5, 20
MARK_MS = 150

PLACE = """
    chr((65 + n % 20)::INT) || 'A' AS country, 1000 + n AS asn, 'Operator ' || n AS operator,
    ['3g', '4g', 'wifi', 'adsl', 'fibre'][1 + n % 5] AS access,
    $targets[1 + t] AS target, split_part($targets[1 + t], '/', 1) AS service,
    split_part($targets[1 + t], '/', 2) AS role, $hour::BIGINT AS hour
"""
VERDICTS = f"""
INSERT INTO verdict SELECT template.* REPLACE (
    made.country AS country, made.asn AS asn, made.operator AS operator, made.access AS access,
    made.target AS target, made.service AS service, made.role AS role, made.hour AS hour,
    made.started_ms AS started_ms, made.key AS key, made.uid AS uid, made.state AS state,
    made.mechanism AS mechanism, made.bucket AS bucket
) FROM template, (
    SELECT {PLACE}, $hour::BIGINT * 3600000 + p * 89 + m * 1700000 AS started_ms, lpad(p::VARCHAR, 64, '0') AS key,
        md5(concat(p, t, m, $hour)) AS uid, 'b' || p AS bucket,
        CASE WHEN hash(p, t, m, $hour) % 10 < 8 THEN 'ok' WHEN n % 4 = 0 THEN 'blocked' ELSE 'insufficient' END
            AS state,
        CASE WHEN state = 'blocked' THEN 'tls.sni.drop' END AS mechanism
    FROM (SELECT p, p % $networks AS n FROM range($probes) AS probes(p)) AS probes,
        range($each) AS measurements(m), range($count) AS targets(t)
) AS made
"""
CELLS = f"""
INSERT INTO cell SELECT template.* REPLACE (
    made.country AS country, made.asn AS asn, made.operator AS operator, made.access AS access,
    made.target AS target, made.service AS service, made.role AS role, made.hour AS hour,
    made.since_ms AS since_ms, made.until_ms AS until_ms, made.state AS state,
    made.public_state AS public_state, made.lines AS lines, made.counted AS counted,
    made.established AS established, made.buckets AS buckets, made.states AS states,
    made.shown_from_ms AS shown_from_ms, made.shown_until_ms AS shown_until_ms
) FROM template, (
    SELECT {PLACE}, $hour::BIGINT * 3600000 AS since_ms, ($hour::BIGINT + 1) * 3600000 AS until_ms,
        CASE WHEN n % 4 = 0 AND t % 9 = 0 THEN 'blocked' ELSE 'ok' END AS state, state AS public_state, 6 AS lines,
        6 AS counted, 6 AS established, 6 AS buckets, '{{"' || state || '":6}}' AS states,
        whose AS shown_from_ms, whose * (1::BIGINT << 52) AS shown_until_ms
    FROM range($networks) AS networks(n), range($count) AS targets(t), range(2) AS readers(whose)
) AS made
"""


def reading(directory: Path, options: argparse.Namespace) -> list[Figure]:
    hours, starts = (3, 1) if options.quick else (HOURS, STARTS)
    data = directory / "data"
    data.mkdir(mode=0o700)
    size = filled(data / WAREHOUSE_FILE, hours)
    seen: dict[str, tuple[list[float], list[float], list[int]]] = {}
    for _ in range(starts):
        with served("tests.bench.collector.served", data, "--without-judging") as server:
            token = (data / TOKEN_FILE).read_text().strip()
            for name, request in questions(token).items():
                cold, warm, sizes = seen.setdefault(name, ([], [], []))
                first, *again = asyncio.run(_asked(server.port, request, 1 + AGAIN // starts))
                cold.append(first[0])
                warm += [took_ms for took_ms, _ in again]
                sizes.append(first[1])
    return [_figure(name, size, *found) for name, found in seen.items()]


def questions(token: str) -> Mapping[str, Request]:
    owner = {"Authorization": f"Bearer {token}"}
    since = f"since={(now_ms() // HOUR_MS - 168) * HOUR_MS}"
    stranger = {"X-Forwarded-For": "203.0.113.7"}
    return {
        "page, owner": get("/", **owner),
        "page of a country, owner": get("/country/AA", **owner),
        "page, stranger": get("/", **stranger),
        "page of a country, stranger": get("/country/BA", **stranger),
        "cells of 24 h, owner": get("/v1/cells", **owner),
        "cells of a country and service, owner": get("/v1/cells?country=AA&service=whatsapp", **owner),
        "the same, of 7 d": get(f"/v1/cells?country=AA&service=whatsapp&{since}", **owner),
        "cells of 24 h, stranger": get("/v1/cells", **stranger),
        "verdicts, the newest 1,000": get("/v1/verdicts", **owner),
    }


async def _asked(port: int, request: Request, times: int) -> list[tuple[float, int]]:
    """How long each took, in ms, and the size of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for _ in range(times):
        began = time.perf_counter()
        writer.write(request.head)
        body = await answer(reader)
        found.append(((time.perf_counter() - began) * 1000, len(body)))
    writer.close()
    return found


def _figure(name: str, rows: int, cold: list[float], warm: list[float], sizes: list[int]) -> Figure:
    p95 = percentile(warm, 95)
    said = (
        f"{name}: {percentile(warm, 50):.0f} ms, p95 {p95:.0f} ms warm of {len(warm)}; cold {percentile(cold, 50):.0f}"
    )
    said += f", {max(cold):.0f} ms at most of {len(cold)}; {max(sizes) / 1000:,.0f} kB; {rows:,} verdicts"
    return Figure(said=said, mark=f"p95 ≤ {MARK_MS} ms", holds=p95 <= MARK_MS)


def filled(path: Path, hours: int) -> int:
    """Makes a warehouse of the last hours; the number of its verdicts."""
    Warehouse(path).close()
    last = now_ms() // HOUR_MS
    with duckdb.connect(str(path), config={"memory_limit": "2GB", "threads": 2}) as connection:
        for table, columns, values in _templates():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE template AS SELECT * FROM {table} LIMIT 0")
            connection.execute(f"INSERT INTO template VALUES ({', '.join('?' * len(columns))})", list(values))
            for hour in range(last - hours + 1, last + 1):
                connection.execute(VERDICTS if table == "verdict" else CELLS, _bound(hour, table))
        connection.execute("CHECKPOINT")
        ((size,),) = connection.execute("SELECT count(*) FROM verdict").fetchall()
    return int(size)


def _bound(hour: int, table: str) -> dict[str, object]:
    targets = [each.id for each in targets_file.packaged().targets if each.endpoints][:TARGETS]
    bound = {"hour": hour, "targets": targets, "count": len(targets), "networks": NETWORKS}
    return bound | ({"probes": PROBES, "each": EACH} if table == "verdict" else {})


def _templates() -> Iterator[tuple[str, Mapping[str, str], tuple[object, ...]]]:
    yield "verdict", VERDICT_COLUMNS, verdict_values(VERDICT)
    yield "cell", CELL_COLUMNS, cell_values(CELL)
