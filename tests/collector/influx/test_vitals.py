"""The collector's own numbers, as the dashboard of those who run it has them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from collector.influx.vitals import Vitals
from collector.metrics import Metrics
from collector.warehouse.store import Warehouse
from probe.model import Targets
from tests.collector.log.memory_log import MemoryLog

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("age_ms", "said"),
    [(None, False), (0, "networks_age_days=0i"), (DAY_MS - 1, "=0i"), (165 * DAY_MS + 7, "networks_age_days=165i")],
)
def test_the_age_of_the_networks_is_told_where_it_is_known(age_ms: int | None, said: str | bool) -> None:
    warehouse = Warehouse(None)
    registry = Metrics(CollectorRegistry()).registry
    vitals = Vitals(MemoryLog(), warehouse, Targets(targets=(), digest="", body=b""), registry, lambda: DAY_MS)
    [line] = replace(vitals, networks_age_ms=lambda: age_ms).lines()
    warehouse.close()
    assert ("networks_age_days" in line) is bool(said)
    assert str(said or "") in line
