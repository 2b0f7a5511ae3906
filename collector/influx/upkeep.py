"""Upkeep by the operator's hand: everything is written again, and what was refused is looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from collector.warehouse import outbox
from collector.warehouse.store import Warehouse
from probe.failure import UserError


def refill(warehouse: Warehouse) -> list[str]:
    """Marks everything, for an InfluxDB that lost what it had. Raises UserError where none is fed."""
    if warehouse.change(outbox.destination) is None:
        raise UserError("No InfluxDB is fed from here: one that is given with --influx is told everything anyway.")
    warehouse.change(outbox.mark_all)
    return [f"{warehouse.change(outbox.waiting)} marks are set: all will be written again once the collector runs."]


def refused(warehouse: Warehouse) -> list[str]:
    """The points that InfluxDB refused, the latest last: when, why, and the line."""
    rows = warehouse.select("SELECT at_ms, database, status, reason, line FROM dead_letter ORDER BY at_ms, line")
    return [
        f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ} {database} {status} {reason}\n    {line}"
        for at_ms, database, status, reason, line in rows
    ]
