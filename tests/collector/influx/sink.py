"""An InfluxDB of a dictionary, for what must hold of points whoever keeps them; and the parts around a forwarder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from collector.influx.forwarder import Forwarder, Write
from collector.influx.points import Points
from collector.influx.schema import Database
from collector.judging.evidence import TargetFiles
from collector.judging.rules import MakeCell
from collector.metrics import Metrics
from collector.warehouse.store import Warehouse
from tests.collector.batches import NOW_MS
from tests.collector.judging.evidence import RULES, parse
from tests.collector.rows import PSEUDONYMS

TARGETS = frozenset({"whatsapp/chat", "viber/call"})
_FIELDS = re.compile(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^,]+)')
Point = tuple[str, str, int]  # database, series, time


def parsed(line: str) -> tuple[str, dict[str, Any], int]:
    """Series, fields and time of a line, read by other means than it was made by."""
    rest, time = line.rsplit(" ", 1)
    series, fields = re.split(r"(?<!\\) ", rest, maxsplit=1)
    return series, {name: _value(text) for name, text in _FIELDS.findall(fields)}, int(time)


def _value(text: str) -> Any:
    if text.startswith('"'):
        return text[1:-1]
    return int(text[:-1]) if text.endswith("i") else float(text)


@dataclass
class Sink:
    """Keeps the last fields of each point. `failures` are raised by the writes to come, one each."""

    points: dict[Point, dict[str, Any]] = field(default_factory=dict)
    failures: list[Exception | None] = field(default_factory=list)
    writes: int = 0

    def write(self, database: Database, lines: Sequence[str]) -> None:
        self.writes += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        for line in lines:
            series, fields, time = parsed(line)
            self.points.setdefault((database.value, series, time), {}).update(fields)

    def of(self, measurement: str) -> dict[Point, dict[str, Any]]:
        return {point: fields for point, fields in self.points.items() if point[1].startswith(f"{measurement},")}

    def saying(self) -> dict[Point, dict[str, Any]]:
        """Without those that say that there is nothing, and without events, which tell how it came about."""
        return {
            point: fields
            for point, fields in self.points.items()
            if fields.get("state") != "none" and any(fields.values()) and not point[1].startswith("event")
        }


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def points_of(
    warehouse: Warehouse,
    log: Any,
    targets: frozenset[str] = TARGETS,
    new_networks: int = 500,
    make_cell: MakeCell = RULES.cell,
) -> Points:
    return Points(warehouse, make_cell, TargetFiles(log, parse), PSEUDONYMS, targets, (0, 1), new_networks)


def forwarder(
    warehouse: Warehouse,
    log: Any,
    write: Write,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    **more: Any,
) -> Forwarder:
    return Forwarder(
        warehouse,
        points_of(warehouse, log),
        write,
        metrics or Metrics(CollectorRegistry()),
        lambda: NOW_MS,
        clock=clock or Clock(),
        chance=lambda: 1.0,
        **more,
    )


def drained(forwarding: Forwarder, clock: Clock) -> None:
    """Steps until nothing is left to do, however long that takes by the clock."""
    idle = 0
    for _ in range(1000):
        clock.now_s += 1000
        idle = 0 if forwarding.step() else idle + 1
        if idle == 2:  # the first may have ended a sweep that began before the last marks
            return
    raise AssertionError("there is always more to write")
