"""The queries, as text: InfluxQL in the subset that InfluxDB 1.x, 2.x and 3.x share.

Three traps shape them. InfluxDB answers 0 for 0 divided by 0, and a place about which nothing can be concluded must not
read as a share of zero: it gets none. Nor may it be left out of n where something was concluded beside it: a call of
which nothing is interfered with is mostly inconclusive, so of what was *judged* nearly all would be interfered with,
always. Shares are of what was *measured*: at least so much. And variables are always written
`${name:regex}`: by itself Grafana leaves a value unescaped that begins with a digit, such as `2degrees (NZ)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TIME = "$timeFilter"
CELLS = '"cell_$per"'
TOLD = '"public_shown" = 1'  # of cells: what strangers are told
NOT_EMPTIED = "\"state\" != 'none'"
NOT_NEUTRAL = "\"service\" != 'baseline'"  # what is measured for comparison only is no service of anybody
MEASURED = '"lines" > 0'


class Counted(NamedTuple):
    """What a share is made of, as InfluxQL: the interfered with, and the judged, of the n that were measured."""

    interfered: str
    judged: str
    n: str


CELL_COUNTS = Counted('sum("interfered")', 'sum("judged")', 'count("judged")')
PUBLIC_COUNTS = Counted('sum("public_interfered")', 'sum("public_judged")', 'sum("public_cells")')
LINE_COUNTS = Counted(
    'sum("blocked") + sum("likely_blocked") + sum("degraded")', 'sum("lines") - sum("insufficient")', 'sum("lines")'
)


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


def shares(of: Counted, source: str, conditions: Sequence[str] = (), by: Sequence[str] = (), every: str = "") -> str:
    """`share` of n, for what has anything judged; over the whole range with `interfered` and `judged` beside it."""
    named = f'{of.interfered} AS "interfered", {of.judged} AS "judged", {of.n} AS "n"'
    inner = f"({select(named, source, conditions, by, every)})"
    if every:
        outer = 'last("interfered") / last("n") AS "share", last("n") AS "n"'
        return select(outer, inner, ['"judged" > 0'], by, every)
    outer = '"interfered" / "n" AS "share", "n", "interfered", "judged"'
    groups = ", ".join(f'"{tag}"' for tag in by)
    return f'SELECT {outer} FROM {inner} WHERE "judged" > 0 GROUP BY {groups}'


def inconclusive(of: Counted, source: str, conditions: Sequence[str], by: Sequence[str]) -> str:
    """n of what was measured, where nothing of it could be judged."""
    inner = select(f'{of.judged} AS "judged", {of.n} AS "n"', source, conditions, by)
    groups = ", ".join(f'"{tag}"' for tag in by)
    return f'SELECT "n" FROM ({inner}) WHERE "judged" = 0 GROUP BY {groups}'


def latest(columns: Sequence[str], source: str, conditions: Sequence[str], limit: int) -> str:
    """The newest points as they are."""
    fields = ", ".join(f'"{column}"' for column in columns)
    return f"SELECT {fields} FROM {source} WHERE {' AND '.join([TIME, *conditions])} ORDER BY time DESC LIMIT {limit}"


def tag_values(source: str, key: str, conditions: Sequence[str] = ()) -> str:
    """The values of a tag in the range that is looked at; without a range, InfluxDB 3 looks at the last day only."""
    return f'SHOW TAG VALUES FROM "{source}" WITH KEY = "{key}" WHERE {" AND ".join([TIME, *conditions])}'
