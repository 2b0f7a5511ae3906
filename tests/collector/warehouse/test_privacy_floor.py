"""The privacy floor: whatever is asked, an answer is of whole cells, each of which hides every line in it.

And whenever: see test_editions.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from collector.judging.quarantine import Quarantine
from collector.judging.summing import Summing
from collector.judging.who_counts import WhoCounts
from collector.log import Record
from collector.warehouse import privacy_floor, questions
from collector.warehouse.questions import CellQuery
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CellRow
from probe.judge import cell
from probe.model import HOUR_MS, Access, Json, Network
from tests.collector.judging.evidence import BODIES, HOUR, MAROC, MEDI, RULES, SPAIN, record
from tests.collector.judging.judges import judging_of
from tests.collector.log.memory_log import MemoryLog

SMALL = Network(country="MA", asn=36884, operator="inwi")
NETWORKS = (MAROC, MEDI, SMALL, SPAIN, Network())
NEWEST = HOUR + 1
AT_MS = (NEWEST + 2) * HOUR_MS  # when that hour has been over for one
OVER_MS = (HOUR + 2) * HOUR_MS
MIDNIGHT_MS = (HOUR // 24 + 1) * 24 * HOUR_MS
COUNTING = replace(RULES, cell=cell)


class Subscriber(Struct, frozen=True):
    """A line, whose bucket and standing a test decides."""

    key: str
    bucket: str | None
    established: bool


subscribers = st.builds(
    Subscriber,
    key=st.sampled_from([f"k{n:02d}" for n in range(12)]),
    bucket=st.sampled_from(["a", "b", "c", "d", "e", None]),
    established=st.sampled_from([True, True, True, False]),
)
measured = st.tuples(
    subscribers,
    st.sampled_from([MAROC, MAROC, MAROC, *NETWORKS]),  # so that a good part is above the floor, or just below
    st.sampled_from([Access.ADSL, Access.ADSL, Access.G4]),
    st.sampled_from(["whatsapp/chat", "whatsapp/chat", "viber/call"]),
    st.sampled_from([*range(60), 60, 119, 120]),
    st.booleans(),
)
worlds = st.lists(measured, min_size=8, max_size=60, unique_by=lambda m: (m[0].key, m[3], m[4]))
queries = st.builds(
    CellQuery,
    since_ms=st.integers(HOUR - 1, HOUR + 3).map(lambda hour: hour * HOUR_MS),
    until_ms=st.integers(HOUR - 1, HOUR + 4).map(lambda hour: hour * HOUR_MS),
    country=st.sampled_from([None, "MA", "ES", "ZZ"]),
    asn=st.sampled_from([None, 0, MAROC.asn, MEDI.asn, SMALL.asn]),
    operator=st.sampled_from([None, "other", "inwi"]),
    access=st.sampled_from([None, "adsl", "4g"]),
    service=st.sampled_from([None, "whatsapp"]),
    role=st.sampled_from([None, "call"]),
    public_at=st.just(AT_MS),
)
World = Sequence[tuple[Subscriber, Network, Access, str, int, bool]]


def records_of(world: World) -> dict[str, tuple[Record, Subscriber]]:
    return {
        f"{number:032x}": (
            record(
                f"{number:032x}",
                key=who.key,
                target=target,
                minute=minute,
                cycle=str(number),
                network=network,
                declared=access,
                reached=("192.0.2.1",) if through else (),
            ),
            who,
        )
        for number, (who, network, access, target, minute, through) in enumerate(world)
    }


def warehouse_of(made: dict[str, tuple[Record, Subscriber]]) -> Warehouse:
    """Judged with the buckets and the standing that the world gives each record."""
    log = MemoryLog()
    log.files.update(BODIES)
    log.deliver(one for one, _ in made.values())
    who = WhoCounts(
        lambda one: made[one.measurement.uid][1].established, lambda one: made[one.measurement.uid][1].bucket
    )
    records, warehouse = log.all(), Warehouse(None)
    warehouse.put(judging_of(log, who=who, rules=COUNTING).change(records, records, warehouse), 1)
    for sums in Summing(COUNTING, Quarantine()).changes(warehouse):
        warehouse.put(sums, 1)
    return warehouse


def place(row: Json) -> tuple[Json, ...]:
    return tuple(row[name] for name in ("target", "hour", "country", "asn", "operator", "access"))


def answers(warehouse: Warehouse, query: CellQuery) -> tuple[list[CellRow], dict[tuple[Json, ...], Json]]:
    rows = questions.cells(warehouse, query)
    shown = {place(row): row for row in (privacy_floor.shown(each, full=False) for each in rows)}
    assert len(shown) == len(rows)
    return rows, shown


@settings(max_examples=40, deadline=None)
@given(worlds, queries, queries)
def test_no_difference_of_two_answers_is_less_than_a_cell(world: World, one: CellQuery, other: CellQuery) -> None:
    """Windows and filters choose among the same cells: what stands in both answers is the same, word for word."""
    warehouse = warehouse_of(records_of(world))
    _, first = answers(warehouse, one)
    _, second = answers(warehouse, other)
    warehouse.close()
    assert all(first[each] == second[each] for each in first.keys() & second.keys())


@settings(max_examples=60, deadline=None)
@given(worlds, queries)
def test_every_cell_that_is_shown_hides_its_lines(world: World, query: CellQuery) -> None:
    """Counted again from the records: so many keys, each established, of so many buckets; and no line in two cells."""
    made = records_of(world)
    warehouse = warehouse_of(made)
    rows, _ = answers(warehouse, query)
    warehouse.close()
    for row in rows:
        assert row.hour <= NEWEST
        assert row.country != "ZZ"
        in_order = sorted(made.values(), key=lambda one: one[0].started_ms)  # what a line said last counts
        lines = {each.key: who.bucket for each, who in in_order if _is_in(each, row) and who.established}
        assert len(lines) >= 3
        assert len(set(lines.values())) >= (3 if row.access == "adsl" else 2)


def _is_in(each: Record, cell: CellRow) -> bool:
    network, measurement = each.network, each.measurement
    where = network.country == cell.country and (cell.operator == "other" or network.asn == cell.asn)
    what = (measurement.target, each.hour, measurement.link.declared.value)
    return where and what == (cell.target, cell.hour, cell.access)


def of(network: Network, *keys: str) -> World:
    return [(Subscriber(key, f"of {key}", True), network, Access.ADSL, "whatsapp/chat", 5, True) for key in keys]


def public(world: World) -> list[tuple[str, int, str]]:
    warehouse = warehouse_of(records_of(world))
    _, shown = answers(warehouse, CellQuery(since_ms=0, until_ms=2**50, public_at=AT_MS))
    warehouse.close()
    return [(row["operator"], row["asn"], row["lines"]) for row in shown.values()]


def test_small_networks_are_added_up() -> None:
    maroc = of(MAROC, "k1", "k2", "k3")
    assert public([*maroc, *of(MEDI, "k4", "k5"), *of(SMALL, "k6"), *of(SPAIN, "k7", "k8")]) == [
        ("other", 0, "3-5"),
        ("Maroc Telecom", 36903, "3-5"),
    ]
    assert public([*maroc, *of(MEDI, "k4"), *of(SMALL, "k6")]) == [("Maroc Telecom", 36903, "3-5")]


def test_one_key_in_three_networks_is_one_line() -> None:
    assert public([*of(MAROC, "k1"), *of(MEDI, "k1"), *of(SMALL, "k1")]) == []


def test_the_operator_sees_each_network_and_no_sum() -> None:
    warehouse = warehouse_of(records_of([*of(MEDI, "k4", "k5"), *of(SMALL, "k6")]))
    rows = questions.cells(warehouse, CellQuery(since_ms=0, until_ms=2**50))
    assert [(row.operator, row.lines) for row in rows] == [("inwi", 1), ("Medi Telecom", 2)]
    warehouse.close()


@pytest.mark.parametrize(
    ("buckets", "access", "late", "shown_ms"),
    [
        ("abc", Access.ADSL, "", OVER_MS),
        ("ab", Access.ADSL, "", 0),
        ("aab", Access.ADSL, "", 0),
        ("aab", Access.G4, "", OVER_MS),
        ("ab", Access.ADSL, "c", MIDNIGHT_MS),
        ("aab", Access.ADSL, "b", 0),
        ("abc", Access.ADSL, "d", OVER_MS),
    ],
)
def test_an_address_is_told_of_when_its_lines_hide_each_other(
    buckets: str, access: Access, late: str, shown_ms: int
) -> None:
    """By the floor of the cells, and of what comes late from a midnight on."""
    made: dict[str, tuple[Record, Subscriber]] = {}
    for number, bucket in enumerate(buckets + late):
        seen = record(f"{number:032x}", key=f"k{number}", declared=access, failing=("192.0.2.9",))
        received_ms = OVER_MS + 1 if number >= len(buckets) else seen.received_ms
        made[seen.measurement.uid] = (replace(seen, received_ms=received_ms), Subscriber(f"k{number}", bucket, True))
    warehouse = warehouse_of(made)
    assert warehouse.select("SELECT lines, shown_from_ms FROM failing") == [(len(made), shown_ms)]
    warehouse.close()
