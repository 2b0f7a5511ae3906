"""Asks a real influxd what a panel would ask, and gives back what Grafana would draw from the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.grafana.boards import Board, Query
from tests.grafana.interpolation import Range, Undefined, Value, interpolated, interval
from tests.servers.influxd import Influxd, Refused, Series

Row = dict[str, Any]
ALIAS = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Stores:
    """A server, and which of its databases stands for which data source."""

    server: Influxd
    raw: str
    rollup: str

    def query(self, uid: str, text: str) -> list[Series]:
        return self.server.query(text, {"ringback-raw": self.raw, "ringback-rollup": self.rollup}[uid])


def ask(stores: Stores, board: Board, query: Query, chosen: Mapping[str, Value], span: Range) -> list[Series]:
    """The answer; what goes wrong is an AssertionError that names dashboard, panel and query."""
    try:
        least = interpolated(query.least, board.variables, chosen, span, 0)
        text = interpolated(query.text, board.variables, chosen, span, interval(span, least))
        return stores.query(query.uid, text)
    except (Refused, Undefined) as error:
        raise AssertionError(f"{query}\n{error}") from error


def drawn(query: Query, answer: list[Series]) -> dict[str, list[Any]]:
    """Series by their names, each with a value (or None) for every bucket."""
    found: dict[str, list[Any]] = {}
    for series in answer:
        for i, column in enumerate(series.columns[1:], 1):
            name = named(query, series, column)
            assert name not in found, f"{query}\ntwo series are called {name!r}"
            found[name] = [row[i] for row in series.values]
    return found


def named(query: Query, series: Series, column: str) -> str:
    """A series' name by the query's alias, as pkg/tsdb/influxdb/influxql/util makes it."""
    if not query.alias:
        tags = ", ".join(f"{tag}: {value}" for tag, value in series.tags.items())
        return f"{series.name}.{column}{f' {{{tags}}}' if tags else ''}"
    words = {"m": series.name, "measurement": series.name, "col": column}
    words |= {f"tag_{tag}": value for tag, value in series.tags.items()}
    return ALIAS.sub(lambda match: words.get(match[1], match[0]), query.alias)


def rows(answer: list[Series]) -> list[Row]:
    """A table: the tags and columns of every row, without the time."""
    return [
        {**series.tags, **{name: value for name, value in row.items() if name != "time"}}
        for series in answer
        for row in series.rows()
    ]


def frames(query: Query, answer: list[Series]) -> int:
    """How many series Grafana would count against its limit."""
    if query.format == "table":
        return len(answer)
    return sum(len(series.columns) - 1 for series in answer)
