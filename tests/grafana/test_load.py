"""The small version of `make grafana-load`: one day, and a fifth of the countries, with all places in each.

How long a query takes is told by that one only: here the machine does other things.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.grafana import month
from tests.grafana.asking import Stores
from tests.grafana.boards import boards
from tests.grafana.month import daily
from tests.grafana.timing import MOST_SERIES, timed, write
from tests.servers.influxd import Influxd

COUNTRIES = 4


@pytest.fixture(scope="module")
def full(influxd_server: Influxd) -> Iterator[Stores]:
    stores = Stores(influxd_server, raw="grafana_month_raw", rollup="grafana_month")
    for database in (stores.raw, stores.rollup):
        influxd_server.create(database)
    for rollup in daily(month.COUNTRIES[:COUNTRIES]):
        write(stores, rollup.lines(1))
    yield stores
    for database in (stores.raw, stores.rollup):
        influxd_server.drop(database)


def test_no_query_gives_more_series_than_grafana_takes(full: Stores) -> None:
    """Where a page shows all countries at once, there would be five times as many."""
    times = list(timed(full, "1d", 30, times=1))
    pages = {one.name: one for one in boards()}
    series = {}
    for one in times:
        alone = "country" in pages[one.query.page].variables and not pages[one.query.page].variables["country"].multi
        series[str(one.query)] = one.series * (1 if alone else len(month.COUNTRIES) // COUNTRIES)
    assert max(series.values()) > 100  # the world is not empty
    assert {query: count for query, count in series.items() if count >= MOST_SERIES} == {}
