"""The collector's own numbers as a point, one a minute: for the dashboard of those who run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime

from msgspec import Struct
from prometheus_client import CollectorRegistry

from collector.influx.line import MS_NS, Value, line
from collector.influx.schema import COLLECTOR
from collector.log import Log
from collector.warehouse import outbox
from collector.warehouse.store import Warehouse
from probe.model import Targets

TAKEN = ("stored", "known")
DAY_MS = 86_400_000


class Vitals(Struct, frozen=True):
    """The sources of the collector's own numbers."""

    log: Log
    warehouse: Warehouse
    targets: Targets
    registry: CollectorRegistry
    now_ms: Callable[[], int]
    networks_age_ms: Callable[[], int | None] = lambda: None

    def lines(self) -> list[str]:
        """The point of now. Counters are since this process began."""
        counted = counters(self.registry)
        projected, cursor, now_ms = self.warehouse.cursor(), self.log.latest(), self.now_ms()
        networks_ms = self.networks_age_ms()
        fields: dict[str, Value | None] = {
            "accepted": counted["ringback_measurements_total", "stored"],
            "refused": sum(
                count
                for (name, outcome), count in counted.items()
                if name == "ringback_batches_total" and outcome not in TAKEN
            ),
            "log_cursor": cursor,
            "projected_cursor": projected,
            "lag": cursor - projected,
            "outbox": self.warehouse.change(outbox.waiting),
            "dead_letters": self.warehouse.change(outbox.buried),
            "influx_written": counted["ringback_influx_points_total", "written"],
            "targets_age_days": age_days(self.targets, now_ms),
            "networks_age_days": None if networks_ms is None else networks_ms // DAY_MS,
        }
        return [line(COLLECTOR, {}, fields, now_ms * MS_NS)]


def counters(registry: CollectorRegistry) -> Counter[tuple[str, str]]:
    """The counters: (name, outcome) → count."""
    return Counter(
        {
            (sample.name, sample.labels["outcome"]): int(sample.value)
            for family in registry.collect()
            for sample in family.samples
            if "outcome" in sample.labels
        }
    )


def age_days(targets: Targets, now_ms: int) -> int | None:
    """Days since the newest date of an endpoint: the last time that anybody looked. None when none has a date."""
    dates = [endpoint.date for target in targets.targets for endpoint in target.endpoints]
    known = [day for day in map(_day, dates) if day is not None]
    return (datetime.fromtimestamp(now_ms / 1000, UTC).date() - max(known)).days if known else None


def _day(text: str) -> date | None:
    """The day of `2026-08-21`; of `2026-08` the first."""
    try:
        return date.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError:
        return None
