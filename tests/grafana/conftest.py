"""The small world in a real influxd."""

from __future__ import annotations

import pytest

from tests.grafana import world
from tests.grafana.asking import Stores
from tests.servers.influxd import Influxd


@pytest.fixture(scope="session")
def stores(influxd_server: Influxd) -> Stores:
    built = Stores(influxd_server, raw="grafana_raw", rollup="grafana_rollup")
    world.fill(built)
    return built
