"""The queries, as text: InfluxQL in the subset that InfluxDB 1.x, 2.x and 3.x share.

Two traps shape them. InfluxDB answers 0 for 0 divided by 0, so every share leaves out what has nothing to divide by:
a cell about which nothing can be concluded must not read as a share of zero. And variables are always written
`${name:regex}`: by itself Grafana leaves a value unescaped that begins with a digit, such as `2degrees (NZ)`.
"""

from __future__ import annotations

from collections.abc import Sequence

TIME = "$timeFilter"
CELLS = '"cell_$per"'
NOT_EMPTIED = "\"state\" != 'none'"
NOT_NEUTRAL = "\"service\" != 'baseline'"  # what is measured for comparison only is no service of anybody
MEASURED = '"lines" > 0'
JUDGED = '"judged" > 0'
SHARE_OF_CELLS = 'sum("interfered") / sum("judged") AS "share", sum("judged") AS "n"'
CELL_COUNTS = 'sum("interfered") AS "interfered", count("judged") AS "measured"'
LINES_INTERFERED = 'sum("blocked") + sum("likely_blocked") + sum("degraded")'
LINES_JUDGED = 'sum("lines") - sum("insufficient")'
SHARE_OF_LINES = f'({LINES_INTERFERED}) / ({LINES_JUDGED}) AS "share", {LINES_JUDGED} AS "n"'
LINES_JUDGED_FLOOR = '"lines" > "insufficient"'


def chosen(*variables: str) -> list[str]:
    """Conditions: the tag of each variable's name is among its chosen values."""
    return [f'"{name}" =~ /^${{{name}:regex}}$/' for name in variables]


def is_(tag: str, value: str) -> str:
    return f"\"{tag}\" = '{value}'"


def select(
    fields: str, source: str, conditions: Sequence[str] = (), by: Sequence[str] = (), every: str = "", fill: str = ""
) -> str:
    """A query in buckets of `every`, or "" for the whole range. An empty bucket is null or absent, never zero."""
    where = " AND ".join([TIME, *conditions])
    groups = [*([f"time({every})"] if every else []), *(f'"{tag}"' for tag in by)]
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    filled = f" fill({fill or 'null'})" if every else ""
    return f"SELECT {fields} FROM {source} WHERE {where}{grouped}{filled}"


def latest(columns: Sequence[str], source: str, conditions: Sequence[str], limit: int) -> str:
    """The newest points as they are."""
    fields = ", ".join(f'"{column}"' for column in columns)
    return f"SELECT {fields} FROM {source} WHERE {' AND '.join([TIME, *conditions])} ORDER BY time DESC LIMIT {limit}"


def tag_values(source: str, key: str, conditions: Sequence[str] = ()) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f'SHOW TAG VALUES FROM "{source}" WITH KEY = "{key}"{where}'
