"""What leaves the collector: by interval, country and kind; to strangers only what passes the floor; in pieces."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from collector.judging.projector import Projector
from collector.package.source import DATASETS, PUBLIC, Source, cells, measurements, verdicts
from collector.package.tables import CELLS, OF_OPERATORS, STATES, VERDICTS, columns
from collector.warehouse import privacy_floor, questions
from collector.warehouse.basis import Basis
from collector.warehouse.questions import CellQuery, VerdictQuery
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CellRow
from probe.judge.cells import LINES_FLOOR
from probe.model import HOUR_MS, Json
from tests.collector.judging.evidence import RULES, parse
from tests.collector.log.memory_log import MemoryLog
from tests.collector.package.holding import HOURS, SINCE, UNTIL, wanted
from tests.collector.rows import PSEUDONYMS, content, fill

BANDS = {word for _, word in privacy_floor.BANDS} | {privacy_floor.LARGEST}


def decoded(pieces: object) -> list[dict[str, Json]]:
    return [json.loads(line) for piece in pieces for line in piece.splitlines()]  # type: ignore[attr-defined]


def test_all_that_the_warehouse_holds_is_exported(source: Source) -> None:
    standing = questions.cells(source.warehouse, CellQuery(since_ms=SINCE, until_ms=UNTIL))
    found = decoded(cells(source, wanted()))
    place = ("target", "country", "asn", "operator", "access", "state", "mechanism", "lines", "counted")
    assert Counter(tuple(row[name] for name in place) for row in found) == Counter(
        tuple(getattr(cell, name) for name in place) for cell in standing
    )
    assert all(sum(row[state] for state in STATES) == row["lines"] for row in found)
    judged = questions.verdicts(source.warehouse, VerdictQuery(since_ms=SINCE, until_ms=UNTIL, limit=10_000))
    assert {row["uid"] for row in decoded(verdicts(source, wanted()))} == {each.uid for each in judged}


@pytest.mark.parametrize("dataset", DATASETS)
def test_lines_are_in_order_of_time_and_have_all_columns(source: Source, dataset: str) -> None:
    found = decoded(DATASETS[dataset](source, wanted()))
    hours = [str(row.get("hour") or row.get("started") or row["measurement_start_time"])[:13] for row in found]
    assert hours == sorted(hours)
    if dataset != "measurements":
        names = {column.name for column in columns(dataset, True)}
        assert [row for row in found if set(row) != names] == []


def test_to_strangers_counts_are_bands_and_few_lines_are_not_shown(source: Source) -> None:
    """The hotel's single line makes no cell of its own there; with the token it does."""
    every, shown = decoded(cells(source, wanted())), decoded(cells(source, wanted(full=False)))
    few = [row for row in every if row["lines"] < LINES_FLOOR]
    assert {row["access"] for row in few} == {"wifi"}
    assert len(shown) == len(every) - len(few) > 0
    assert {name for row in shown for name in row} & set(OF_OPERATORS) == set()
    assert {row["lines"] for row in shown} <= BANDS
    assert {row["lines"] for row in shown} == {"3-5"}
    assert all(isinstance(row["lines"], int) for row in every)


def test_only_cells_are_public() -> None:
    assert set(PUBLIC) == {"cells"}
    assert "key" not in {column.name for column in (*CELLS, *VERDICTS)}


def test_what_is_simulated_and_what_is_not_never_stand_together(source: Source) -> None:
    for dataset in DATASETS:
        assert decoded(DATASETS[dataset](source, wanted(simulated=False))) == []
    assert {row["simulated"] for row in decoded(cells(source, wanted()))} == {True}


def test_an_interval_ends_before_its_end(source: Source) -> None:
    middle = HOURS[1] * HOUR_MS
    before, after = (
        {row["hour"] for row in decoded(cells(source, wanted(**span)))}
        for span in ({"until_ms": middle}, {"since_ms": middle})
    )
    assert before == {"2016-01-08T12:00:00Z"}
    assert after == {"2016-01-15T12:00:00Z", "2016-01-15T15:00:00Z"}
    some = decoded(verdicts(source, wanted(since_ms=middle + 20 * 60_000, until_ms=middle + 30 * 60_000)))
    assert {row["started"][:15] for row in some} == {"2016-01-15T12:2"}
    assert [row["uid"] for row in some] == [
        row["test_keys"]["x_uid"]
        for row in decoded(measurements(source, wanted(since_ms=middle + 20 * 60_000, until_ms=middle + 30 * 60_000)))
    ]
    part_of_an_hour = wanted(since_ms=middle + 1, until_ms=middle + HOUR_MS)
    assert decoded(cells(source, part_of_an_hour)) == []


def test_countries_are_told_apart(source: Source) -> None:
    assert decoded(cells(source, wanted(country="FR"))) == []
    controls = decoded(verdicts(source, wanted(country="XA")))
    assert controls
    assert {(row["country"], row["is_control"]) for row in controls} == {("XA", True)}
    lines = decoded(verdicts(source, wanted(country="MA")))
    assert {(row["country"], row["is_control"]) for row in lines} == {("MA", False)}
    every = decoded(verdicts(source, wanted()))
    assert len(every) == len(lines) + 2 * len(controls)


def test_a_line_is_told_by_a_pseudonym(source: Source) -> None:
    """13 lines and 2 controls, each the same in all hours."""
    found = decoded(verdicts(source, wanted()))
    assert len({row["line"] for row in found}) == 15
    assert {len({row["started"][:13] for row in found if row["line"] == line["line"]}) for line in found} == {3}


def cell(hour: int, asn: int) -> CellRow:
    return CellRow(
        target="viber/call", service="viber", role="call", hour=hour, since_ms=hour * HOUR_MS,
        until_ms=(hour + 1) * HOUR_MS, country="MA", asn=asn, operator=f"Operator {asn}", access="adsl",
        state="ok", mechanism=None, lines=4, counted=4, states={"ok": 4}, public_state="ok",
        public_mechanism=None, established=4, buckets=4, sources_floor=3, simulated=False,
        shown_from_ms=0, shown_until_ms=0,
    )  # fmt: skip


def test_cells_are_exported_a_day_at_a_time() -> None:
    """So much is in memory at once, however long the interval is."""
    first, days, networks = HOURS[0] // 24 * 24, 20, 20
    warehouse = Warehouse(None)
    warehouse.begin(Basis(rules_version=1, log=""))
    contents = [
        content([], [cell(hour, asn) for asn in range(1, networks + 1)]) for hour in range(first, first + days * 24)
    ]
    fill(warehouse, contents, 0)
    asked: list[str] = []
    select = warehouse.select
    warehouse.select = lambda *words: (asked.append(words[0]), select(*words))[1]  # type: ignore[method-assign, assignment]
    pieces = cells(source_of(MemoryLog(), warehouse), wanted(simulated=False, full=False, until_ms=2**50))
    sizes = []
    for number, piece in enumerate(pieces, start=1):
        sizes.append(piece.count(b"\n"))
        assert len(asked) == number + 1  # no day is read before the one before it was taken
    assert sizes == [24 * networks] * days
    warehouse.close()


def source_of(log: MemoryLog, warehouse: Warehouse) -> Source:
    return Source(log=log, index=log, targets=log, warehouse=warehouse, pseudonyms=PSEUDONYMS)


def test_a_warehouse_that_was_never_judged_is_no_source() -> None:
    from collector.package.source import about
    from probe.failure import UserError

    warehouse, log = Warehouse(None), MemoryLog()
    with pytest.raises(UserError, match="start the collector"):
        about(source_of(log, warehouse))
    Projector(log, log, log, warehouse, frozenset(), rules=RULES, parse=parse).step()
    assert about(source_of(log, warehouse)).unjudged == 0
    warehouse.close()
