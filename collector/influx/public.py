"""What strangers are told in totals: cells above the privacy floor, by editions as the collector's own.

The first edition of an hour or a day is written while that goes on, and whoever shows it to strangers waits until it
has been over for an hour (grafana/building/pages/public.py); later ones are written when their midnight has come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collector.facts.standing import DAY_MS
from collector.influx.totals import IN_BUCKETS, STRUCT, WORDS, Bucket, rows_of
from collector.influx.vocabulary import Place
from collector.judging.rows import verdict_of
from collector.judging.rules import MakeCell
from collector.warehouse.editions import Edition, Heard, editions
from collector.warehouse.privacy_floor import DELAY_MS
from collector.warehouse.store import Warehouse
from probe.judge.cells import Line
from probe.model import HOUR_MS, Access, Cell, Network

# Of each line what it said last, of all that joins at one moment: received at 0, or at the end of the day before it.
HEARD = f"""
SELECT target, slot, country, access, simulated, asn, operator, key, received_ms,
       said.started_ms, said.round, said.uid, said.bucket, {", ".join(f"said.{word}" for word in WORDS)}
FROM (
    SELECT target, hour // $span AS slot, country, access, simulated, asn, operator, key,
           CASE WHEN simulated OR received_ms <= (hour // $span + 1) * $span * {HOUR_MS} + {DELAY_MS} THEN 0
           ELSE (received_ms // {DAY_MS} + 1) * {DAY_MS} - 1 END AS received_ms,
           arg_max({{'started_ms': started_ms, 'round': round, 'uid': uid, 'bucket': bucket, {STRUCT}}},
                   row(started_ms, round, uid)) AS said
    FROM verdict WHERE established AND NOT is_control AND country <> '{Network().country}' AND {IN_BUCKETS}
    GROUP BY ALL
)
"""

Told = Mapping[tuple[Place, bool], Cell]  # by place, and whether it is of what was simulated


class _Country(NamedTuple):
    target: str
    slot: int
    country: str
    access: str
    simulated: bool


def told(
    warehouse: Warehouse, make_cell: MakeCell, buckets: Sequence[Bucket], span: int, now_ms: int
) -> Mapping[Bucket, Told]:
    """The cells of each bucket, a target and a slot of `span` hours, that strangers are told at this moment."""
    heard: dict[_Country, list[Heard]] = defaultdict(list)
    for target, slot, country, access, simulated, asn, operator, *said in rows_of(warehouse, HEARD, buckets, span):
        network = Network(country=country, asn=asn, operator=operator)
        heard[_Country(target, slot, country, access, simulated)].append(_heard(target, network, *said))
    found: dict[Bucket, dict[tuple[Place, bool], Cell]] = defaultdict(dict)
    for one, lines in heard.items():
        start_ms, end_ms = (n * span * HOUR_MS for n in (one.slot, one.slot + 1))
        access = Access(one.access)
        for edition in editions(lines, access, end_ms):
            if edition.from_ms <= max(now_ms, end_ms + DELAY_MS) < edition.until_ms:
                cell = make_cell(one.target, edition.network, access, start_ms, end_ms, edition.lines)
                found[one.target, one.slot][_place(edition, one.access), one.simulated] = cell
    return found


def _place(edition: Edition, access: str) -> Place:
    return edition.network.country, edition.network.asn, edition.network.operator, access


def _heard(
    target: str,
    network: Network,
    key: str,
    received_ms: int,
    started_ms: int,
    round: int,
    uid: str,
    bucket: str | None,
    state: str,
    mechanism: str | None,
    depth: str | None,
    rule: str,
    paths: str | None,
) -> Heard:
    said = Line(verdict=verdict_of(target, state, mechanism, depth, rule, paths), established=True, bucket=bucket)
    return Heard(network=network, key=key, order=(started_ms, round, uid), received_ms=received_ms, line=said)
