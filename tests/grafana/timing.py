"""How long the queries of the dashboards take, and how many series they give."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from statistics import median

from msgspec import Struct

from tests.grafana.asking import Stores, ask, frames
from tests.grafana.boards import Board, Query, boards
from tests.grafana.interpolation import ALL, Range, Value
from tests.grafana.month import COUNTRIES, OPERATORS, SINCE_S

MOST_SERIES = 1000  # the default limit of Grafana's data source
MOST_SECONDS = 1.0
BATCH = 20_000
DAY_MS = 86_400_000


class Timed(Struct, frozen=True):
    """The median wall time of a query, the mean processor time that the server took for it, and its series."""

    query: Query
    seconds: float
    processor: float
    series: int


Meter = Callable[[], float]  # seconds of processor time so far


def write(stores: Stores, lines: Iterable[str]) -> int:
    """Writes lines to the rollups in batches; returns how many."""
    left, written = iter(lines), 0
    while batch := list(islice(left, BATCH)):
        stores.server.write(stores.rollup, "\n".join(batch))
        written += len(batch)
    return written


def chosen(one: Board, per: str) -> Mapping[str, Value]:
    """All of everything where a page allows it, else the first of them."""
    first: dict[str, Value] = {
        "country": COUNTRIES[0],
        "operator": OPERATORS[0],
        "service": "whatsapp",
        "role": ALL if one.variables.get("role") else "",
        "per": per,
    }
    several = [name for name, variable in one.variables.items() if variable.multi]
    return {**first, **dict.fromkeys(several, ALL)}


def timed(stores: Stores, per: str, days: int, times: int = 3, meter: Meter = lambda: 0.0) -> Iterator[Timed]:
    """Every query of every page about the rollups, over the first days, by the median of some times."""
    span = Range(SINCE_S * 1000, SINCE_S * 1000 + days * DAY_MS - 1)
    for one in boards():
        for query in one.queries():
            yield _timed(stores, one, query, chosen(one, per), span, times, meter)


def _timed(
    stores: Stores, one: Board, query: Query, choice: Mapping[str, Value], span: Range, times: int, meter: Meter
) -> Timed:
    seconds, series, before = [], 0, meter()
    for _ in range(times):
        start = time.perf_counter()
        series = frames(query, ask(stores, one, query, choice, span))
        seconds.append(time.perf_counter() - start)
    return Timed(query, median(seconds), (meter() - before) / times, series)
