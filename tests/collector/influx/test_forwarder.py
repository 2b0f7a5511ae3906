"""From the warehouse to a real InfluxDB 1.6.7 through influxdb-client, whatever the server does on the way."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from collector.facts.standing import DAY_MS
from collector.influx.client import Client, Misconfigured, Server, Unavailable
from collector.influx.forwarder import Forwarder
from collector.influx.points import MAKERS
from collector.influx.schema import MEASUREMENTS, Database
from collector.metrics import Metrics
from collector.warehouse import outbox
from collector.warehouse.outbox import Kind
from collector.warehouse.store import Warehouse
from probe.judge import cell
from tests.collector.influx.sink import Clock, Sink, drained, forwarder, points_of
from tests.collector.log.memory_log import MemoryLog
from tests.collector.rows import HOUR, KEYS, HourContent, content, fill, step_row, verdict_row
from tests.servers.influx_shim import Failure, Shim, influx_shim
from tests.servers.influxd import Influxd

needs_influxd = pytest.mark.needs("influxdb")
Rows = set[frozenset[tuple[str, Any]]]


def hours(*numbers: int, state: str = "ok") -> list[HourContent]:
    return [
        content(
            [verdict_row(hour=HOUR + n, uid=f"{n}-{key}", key=KEYS[key], state=state) for key in (1, 2, 3)],
            steps=[step_row(hour=HOUR + n)],
        )
        for n in numbers
    ]


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with closing(Warehouse(None)) as warehouse:
        warehouse.feed("influx")
        fill(warehouse, hours(0, 1, 2), 1)
        yield warehouse


@pytest.fixture
async def shim(loop: asyncio.AbstractEventLoop, influxd_server: Influxd, influx_database: str) -> AsyncIterator[Shim]:
    """Before a server with both databases, which are named for the test."""
    influxd_server.create(f"{influx_database}_rollup")
    async with influx_shim(influxd_server) as shim:
        yield shim
    influxd_server.drop(f"{influx_database}_rollup")


def said_by_influx(server: Influxd, database: str) -> Rows:
    """All points: measurement, time, tags and fields."""
    return {
        frozenset(
            (name, value) for name, value in {**row, "measurement": measurement.name}.items() if value is not None
        )
        for measurement in MEASUREMENTS.values()
        for row in server.rows(
            f'SELECT * FROM "{measurement.name}"',
            database if measurement.database is Database.RAW else f"{database}_rollup",
        )
    }


def said_to_sink(sink: Sink) -> Rows:
    rows = set()
    for (_, series, time), fields in sink.points.items():
        measurement, *tags = re.split(r"(?<!\\),", series)
        named = dict(tag.replace(r"\ ", " ").split("=", 1) for tag in tags)
        rows.add(frozenset({"measurement": measurement, "time": time, **named, **fields}.items()))
    return rows


def expected(warehouse: Warehouse) -> Rows:
    """What a dictionary is told of everything that stands in the warehouse."""
    sink, clock = Sink(), Clock()
    warehouse.change(outbox.mark_all)
    drained(forwarder(warehouse, MemoryLog(), sink.write, clock), clock)
    return said_to_sink(sink)


async def attempts(forwarding: Forwarder, clock: Clock, warehouse: Warehouse) -> list[float]:
    """Tries until nothing waits any more; returns the pauses that it wanted, in seconds."""
    pauses = []
    for _ in range(200):
        pauses.append(await asyncio.to_thread(forwarding._attempt))
        clock.now_s += 1000
        if not warehouse.change(outbox.waiting):
            return pauses
    raise AssertionError("it is never done")


@needs_influxd
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_everything_arrives_whatever_happens_on_the_way(
    warehouse: Warehouse, shim: Shim, influx_database: str, api: str
) -> None:
    shim.failures += [
        *(Failure(429, {"Retry-After": "3"}), Failure(503), Failure(500, stored=True), Failure(503, seconds=3.5)),
        *(Failure(408), Failure(500, stored=True)),
    ]
    answer_ms = 3_000  # which a real one keeps to on a busy machine too
    client = Client(Server(url=shim.url, api=api, database=influx_database), answer_ms=answer_ms)
    clock, metrics = Clock(), Metrics(CollectorRegistry())
    forwarding = forwarder(warehouse, MemoryLog(), client.write, clock, metrics)
    with closing(client):
        pauses = await attempts(forwarding, clock, warehouse)
        fill(warehouse, hours(1, state="blocked"), 2)  # judged again, at other times than the first
        await attempts(forwarding, clock, warehouse)
    assert not shim.failures
    assert await asyncio.to_thread(said_by_influx, shim.server, influx_database) == expected(warehouse)
    assert pauses[0] == 3  # as the server asked
    assert metrics.registry.get_sample_value("ringback_influx_failures_total", {"kind": "unavailable"}) == 6


@needs_influxd
async def test_writing_again_changes_nothing(warehouse: Warehouse, shim: Shim, influx_database: str) -> None:
    clock, client = Clock(), Client(Server(url=shim.url, database=influx_database))
    forwarding = forwarder(warehouse, MemoryLog(), client.write, clock)
    with closing(client):
        await attempts(forwarding, clock, warehouse)
        before = await asyncio.to_thread(said_by_influx, shim.server, influx_database)
        warehouse.change(outbox.mark_all)
        await attempts(forwarding, clock, warehouse)
    assert await asyncio.to_thread(said_by_influx, shim.server, influx_database) == before
    assert len(before) > 20


@needs_influxd
async def test_a_point_that_is_refused_is_kept_with_the_reason_and_the_others_are_written(
    warehouse: Warehouse, shim: Shim, influx_database: str
) -> None:
    """Somebody else has written the same measurement with another type of a field."""
    rollup = f"{influx_database}_rollup"
    theirs = f'step_1h lines="many",passed="all" {HOUR * 3_600_000_000_000}'
    await asyncio.to_thread(shim.server.write, rollup, theirs)
    clock, metrics = Clock(), Metrics(CollectorRegistry())
    client = Client(Server(url=shim.url, database=influx_database))
    forwarding = forwarder(warehouse, MemoryLog(), client.write, clock, metrics)
    with closing(client):
        await attempts(forwarding, clock, warehouse)
    letters = warehouse.select("SELECT database, line, status, reason FROM dead_letter ORDER BY line")
    assert [(database, line[:8], status) for database, line, status, _ in letters] == [("rollup", "step_1h,", 400)] * 3
    assert "field type conflict" in letters[0][3]
    assert metrics.registry.get_sample_value("ringback_influx_points_total", {"outcome": "refused"}) == 3
    written = {dict(row)["measurement"] for row in said_by_influx(shim.server, influx_database)}
    assert written >= {"cell_1h", "cell_1d", "country_1h", "control_1h", "coverage_1h", "step_1d", "verdict", "event"}
    assert forwarding.error is None


@needs_influxd
async def test_a_wrong_token_is_said_once_and_loses_nothing(
    warehouse: Warehouse, shim: Shim, influx_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    shim.token = "right"
    clock, client = Clock(), Client(Server(url=shim.url, database=influx_database, token="wrong-one"))
    forwarding = forwarder(warehouse, MemoryLog(), client.write, clock)
    with closing(client), caplog.at_level(logging.DEBUG):
        pauses = [await asyncio.to_thread(forwarding._attempt) for _ in range(5)]
        assert pauses == [60.0] * 5  # no storm
        assert len(shim.writes) == 5
        shim.token = "wrong-one"
        await attempts(forwarding, clock, warehouse)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("collector")]
    assert len(told) == 2
    assert "refuses the token (401)" in told[0]
    assert told[1] == "InfluxDB is written to again."
    assert "wrong-one" not in caplog.text
    assert await asyncio.to_thread(said_by_influx, shim.server, influx_database) == expected(warehouse)


# --- Without a server


def forwarding_to(sink: Sink, warehouse: Warehouse, clock: Clock, **more: Any) -> Forwarder:
    return forwarder(warehouse, MemoryLog(), sink.write, clock, **more)


def test_pauses_grow_to_a_minute_at_most(warehouse: Warehouse) -> None:
    sink, clock = Sink(failures=[Unavailable("no")] * 12), Clock()
    forwarding = forwarding_to(sink, warehouse, clock)
    assert [forwarding._attempt() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert forwarding.error == "no"


def test_a_slow_server_gets_less_at_a_time(warehouse: Warehouse) -> None:
    sizes: list[int] = []

    def slow(database: Database, lines: Any) -> None:
        sizes.append(len(lines))
        raise Unavailable("slow", slow=True)

    rows = [verdict_row(uid=f"{n:04d}", started_ms=HOUR * 3_600_000 + n) for n in range(900)]
    fill(warehouse, [content(rows)], 2)
    forwarding = forwarder(warehouse, MemoryLog(), slow, Clock())
    for _ in range(8):
        forwarding._attempt()
    assert sizes[0] > 900
    assert sizes[-1] == 50


def test_what_goes_on_changing_is_written_once_a_pace(warehouse: Warehouse) -> None:
    sink, clock = Sink(), Clock()
    forwarding = forwarding_to(sink, warehouse, clock)
    drained(forwarding, clock)
    written = sink.writes
    for number in range(20):
        fill(warehouse, hours(0, state="ok" if number % 2 else "blocked"), number)
        clock.now_s += 1
        forwarding.step()
    single = 20  # verdicts follow at once, totals do not
    assert sink.writes - written <= single + 3
    drained(forwarding, clock)
    (cell,) = [fields for point, fields in sink.of("cell_1h").items() if point[2] == HOUR * 3_600_000_000_000]
    assert cell["ok"] == 3


def test_the_latest_hours_come_first(warehouse: Warehouse) -> None:
    fill(warehouse, hours(*range(60)), 2)
    sink, clock = Sink(), Clock()
    forwarding_to(sink, warehouse, clock).step()
    assert {time // 3_600_000_000_000 - HOUR for _, _, time in sink.of("cell_1h")} == set(range(40, 60))


def test_a_change_while_it_is_being_written_is_written_too(warehouse: Warehouse) -> None:
    sink, clock = Sink(), Clock()

    def write(database: Database, lines: Any) -> None:
        if sink.writes == 0:
            fill(warehouse, hours(0, 1, 2, state="down"), 2)
        sink.write(database, lines)

    drained(forwarder(warehouse, MemoryLog(), write, clock), clock)
    assert said_to_sink(sink) == expected(warehouse)
    assert {fields["state"] for fields in sink.of("verdict").values()} == {"down"}


def test_points_that_cannot_be_made_hold_nobody_up(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(points: object, words: object, marks: object, now_ms: int) -> list[str]:
        raise MemoryError("too many")

    sink, clock, metrics = Sink(), Clock(), Metrics(CollectorRegistry())
    forwarding = forwarding_to(sink, warehouse, clock, metrics=metrics)
    with monkeypatch.context() as patch:
        patch.setitem(MAKERS, Kind.HOUR, msgspec.structs.replace(MAKERS[Kind.HOUR], lines=broken))
        for _ in range(5):
            forwarding._attempt()
        assert sink.of("cell_1d")
        assert not sink.of("cell_1h")
        assert caplog.text.count("Points of the kind hour cannot be made") == 1
        assert metrics.registry.get_sample_value("ringback_influx_broken") == 1
    clock.now_s += 60
    forwarding._attempt()
    assert sink.of("cell_1h")
    forwarding._attempt()
    assert metrics.registry.get_sample_value("ringback_influx_broken") == 0


async def test_it_goes_on_until_it_is_cancelled(warehouse: Warehouse) -> None:
    sink, slept = Sink(failures=[Unavailable("a", after_s=7), Misconfigured("b"), ValueError("c")]), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 20:
            raise asyncio.CancelledError

    forwarding = forwarder(warehouse, MemoryLog(), sink.write)
    with pytest.raises(asyncio.CancelledError):
        await forwarding.run(sleep)
    assert slept[:3] == [7, 60, 4]
    assert forwarding.error is None
    assert warehouse.change(outbox.waiting) == 0


async def test_one_can_wait_for_it(warehouse: Warehouse) -> None:
    sink = Sink()
    forwarding = forwarder(warehouse, MemoryLog(), sink.write)
    running = asyncio.create_task(forwarding.run())
    assert await forwarding.finished()
    said = said_to_sink(sink)
    sink.failures += [Misconfigured("b")] * 50
    warehouse.change(outbox.mark_all)
    assert not await forwarding.finished()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert said == expected(warehouse)  # asked once nothing else settles marks


def test_a_server_that_is_down_is_not_called_up_because_nothing_waits_for_it(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    sink, clock = Sink(), Clock()
    forwarding = forwarding_to(sink, warehouse, clock, vitals=lambda: ["collector lag=0i 0"])
    drained(forwarding, clock)
    sink.failures += [Unavailable("It is down.")] * 5
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            forwarding._attempt()
            assert forwarding.error == "It is down."
    assert [record.getMessage() for record in caplog.records] == ["It is down. What waits for it is kept."]
    forwarding._attempt()
    assert forwarding.error is None


def test_its_own_numbers_are_written_once_a_minute(warehouse: Warehouse) -> None:
    sink, clock = Sink(), Clock()
    lines: Callable[[], list[str]] = lambda: [f"collector lag={int(clock.now_s)}i {int(clock.now_s)}"]  # noqa: E731
    forwarding = forwarding_to(sink, warehouse, clock, vitals=lines)
    for second in range(0, 130, 10):
        clock.now_s = second
        forwarding._attempt()
    assert [time for _, series, time in sink.points if series == "collector"] == [0, 60, 120]


@pytest.mark.parametrize("stopped", [False, True])
def test_after_a_midnight_strangers_are_told_of_what_came_late(stopped: bool) -> None:
    """Also when the collector stood still over it; and then it is written again, once."""
    midnight_ms = (HOUR // 24 + 1) * DAY_MS
    of = [verdict_row(key=KEYS[n], uid=f"{n}", bucket=f"b{n}", state="ok") for n in range(1, 4)]
    late = [
        verdict_row(key=KEYS[n], uid=f"{n}", bucket=f"b{n}", state="blocked", received_ms=midnight_ms - 1)
        for n in range(4, 14)
    ]
    warehouse, sink, clock, now = Warehouse(None), Sink(), Clock(), [midnight_ms - 1]
    warehouse.feed("influx")
    fill(warehouse, [content([*of, *late])], 1)

    def started() -> Forwarder:
        points = points_of(warehouse, MemoryLog(), make_cell=cell)
        return Forwarder(warehouse, points, sink.write, Metrics(CollectorRegistry()), lambda: now[0], clock=clock)

    def told(forwarding: Forwarder) -> set[str]:
        drained(forwarding, clock)
        return {fields["public_state"] for fields in sink.of("cell_1h").values()}

    first = started()
    assert told(first) == {"ok"}
    if stopped:
        first = started()
    now[0] += 1
    assert told(first) == {"blocked"}
    written = sink.writes
    now[0] += DAY_MS - 1
    assert (told(first), sink.writes) == ({"blocked"}, written)
    warehouse.close()
