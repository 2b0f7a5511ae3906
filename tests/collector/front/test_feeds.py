"""GET /v1/addresses: where probes failed, for controls to dial; of services, and of nobody who uses them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.warehouse.questions import failing
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import FailingRow
from probe.model import HOUR_MS, AlsoDial, Endpoint, Plane, Target, Targets, Transport
from tests.collector.batches import NOW_MS
from tests.collector.rows import HOUR, HourContent, content, failing_row, fill
from tests.collector.servers import TARGETS, TOKEN, serving

ENDPOINT = Endpoint(host="chat.whatsapp.example", port=443, transport=Transport.TCP, handshake="tls")
OTHER = Endpoint(host="chat.whatsapp.example", port=5222, transport=Transport.TCP, handshake="tcp")
CHAT = Target(id="whatsapp/chat", plane=Plane.SIGNALLING, endpoints=(ENDPOINT, OTHER))
SINCE, UNTIL = HOUR * HOUR_MS, (HOUR + 2) * HOUR_MS


def dial(address: str, endpoint: Endpoint = ENDPOINT) -> AlsoDial:
    return AlsoDial(
        target="whatsapp/chat",
        host=endpoint.host,
        port=endpoint.port,
        transport=endpoint.transport,
        handshake=endpoint.handshake,
        address=address,
    )


def v4(*numbers: int, **changes: Any) -> list[FailingRow]:
    return [failing_row(address=f"203.0.113.{number}", **changes) for number in numbers]


def by_hour(rows: Iterable[FailingRow]) -> list[HourContent]:
    rows = list(rows)
    hours = sorted({(row.target, row.hour) for row in rows})
    return [content([], [], [row for row in rows if (row.target, row.hour) == place]) for place in hours]


def holding(*rows: FailingRow) -> Warehouse:
    warehouse = Warehouse(None)
    fill(warehouse, by_hour(rows), 1)
    return warehouse


def listed(warehouse: Warehouse, since_ms: int = SINCE, until_ms: int = UNTIL, **limits: int) -> list[AlsoDial]:
    return failing(warehouse, [CHAT], since_ms, until_ms, **{"most_each": 4, "limit": 500, **limits})


def addresses(dials: list[AlsoDial]) -> list[str]:
    return [each.address.rpartition(".")[2] for each in dials]


def test_the_newest_hour_first_then_where_most_lines_failed() -> None:
    warehouse = holding(*v4(1, 2, lines=9), *v4(3, lines=2, hour=HOUR + 1), *v4(4, 2, hour=HOUR + 1))
    assert addresses(listed(warehouse)) == ["3", "2", "4", "1"]
    assert listed(warehouse)[0] == dial("203.0.113.3")
    assert addresses(listed(warehouse, limit=2)) == ["3", "2"]


@pytest.mark.parametrize(
    ("since_ms", "until_ms", "found"),
    [
        (SINCE, SINCE + 1, ["1"]),
        (SINCE + HOUR_MS - 1, SINCE + HOUR_MS + 1, ["2", "1"]),  # the hours that the span touches
        (SINCE + HOUR_MS, UNTIL, ["2"]),
        (SINCE + 5, SINCE + 5, []),
        (0, SINCE, []),
        (UNTIL, UNTIL + HOUR_MS, []),
    ],
)
def test_of_a_time(since_ms: int, until_ms: int, found: list[str]) -> None:
    assert addresses(listed(holding(*v4(1), *v4(2, hour=HOUR + 1)), since_ms, until_ms)) == found


def test_one_endpoint_does_not_keep_another_from_being_seen() -> None:
    six = [failing_row(address=f"2001:db8::{number}") for number in range(1, 10)]
    many = holding(*v4(*range(1, 10), lines=5), *six, *v4(20, port=5222, handshake="tcp"))
    found = listed(many)
    assert len(found) == 9
    assert found[-1] == dial("203.0.113.20", OTHER)
    assert sum(":" in each.address for each in found) == 4


def test_only_what_todays_targets_dial() -> None:
    known = v4(1)
    strange = [
        failing_row(target="whatsapp/web"),
        failing_row(host="else.where.example"),
        failing_row(port=25),
        failing_row(transport="udp"),
        failing_row(handshake="tcp"),
    ]
    assert listed(holding(*known, *strange)) == [dial("203.0.113.1")]
    assert failing(holding(*known), [], SINCE, UNTIL, most_each=4, limit=500) == []


async def test_strangers_may_ask_and_see_nobody(tmp_path: Path) -> None:
    now_hour = NOW_MS // HOUR_MS
    targets = Targets(targets=(CHAT,), digest=TARGETS.digest, body=TARGETS.body)
    over = now_hour - 2
    public = {"hour": over, "shown_from_ms": NOW_MS}
    rows = [*v4(1, **public, lines=3), *v4(2, **public, lines=7), *v4(3, hour=now_hour - 3, shown_from_ms=1)]
    rows += v4(5, hour=now_hour - 1, shown_from_ms=NOW_MS + 1)  # not yet
    rows += v4(4, hour=over, lines=900)  # never: they are too few that count
    async with serving(tmp_path, owner=False, targets=targets) as collector:
        fill(collector.parts.warehouse, by_hour(rows), 0)
        async with collector.session.get(f"{collector.url}/v1/addresses") as answer:
            assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
            lines = (await answer.read()).splitlines()
        assert [msgspec.json.decode(line) for line in lines] == [
            {
                "target": "whatsapp/chat",
                "host": "chat.whatsapp.example",
                "port": 443,
                "transport": "tcp",
                "handshake": "tls",
                "address": address,
            }
            for address in ("203.0.113.1", "203.0.113.2")
        ]
        assert "203.0.113.4" in (await collector.get("/v1/addresses", Authorization=f"Bearer {TOKEN}"))[1]
        old = f"since={(now_hour - 3) * HOUR_MS}&until={(now_hour - 2) * HOUR_MS}"
        assert "203.0.113.3" in (await collector.get(f"/v1/addresses?{old}"))[1]
