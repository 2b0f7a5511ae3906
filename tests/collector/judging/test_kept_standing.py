"""Standing in the projection: who was seen on seven days counts from the eighth on, in whatever order it arrives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from collector.facts.enrolment import OF_SOURCE
from collector.facts.lines import Said
from collector.facts.standing import DAY_MS
from collector.instance import Options, opened
from collector.judging.projector import Projector
from collector.judging.rules import RULES as REAL
from collector.log import Record
from collector.warehouse.store import Warehouse
from probe.model import Neutral, Transport
from tests.collector.judging.evidence import MEDI, RULES, START_MS, parse, record
from tests.collector.judging.test_projector import logged
from tests.collector.log.memory_log import MemoryLog

NEUTRAL = Neutral(target="baseline/web", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=None)
DAY = 24 * 60  # minutes


def seen(key: str, day: int, number: int) -> Record:
    """A measurement of a line whose self-check passed, on a day before or after START_MS."""
    one = record(f"{key}.{day}.{number}", key=key, minute=day * DAY + number, cycle=f"{day}.{number}")
    measurement = replace(one.measurement, link=replace(one.measurement.link, neutrals=(NEUTRAL,)))
    return replace(one, measurement=measurement)


def history(key: str, first: int, days: int, each: int = 8) -> list[Record]:
    return [seen(key, day, number) for day in range(first, first + days) for number in range(each)]


HONEST = [*history("k1", -7, 9), *history("k2", -6, 8), *history("k3", -1, 3, each=60)]


def projector(log: MemoryLog, warehouse: Warehouse) -> Projector:
    return Projector(log, log, log, warehouse, frozenset(), rules=RULES, parse=parse, told=False)


def projected(log: MemoryLog, path: Path | None = None) -> Warehouse:
    warehouse = Warehouse(path)
    projector(log, warehouse).catch_up()
    return warehouse


def counting(warehouse: Warehouse) -> dict[str, set[int]]:
    """The days on which what was received of a key counted, since START_MS."""
    rows = warehouse.select("SELECT key, received_ms FROM verdict WHERE established")
    found: dict[str, set[int]] = {}
    for key, received_ms in rows:
        found.setdefault(key, set()).add((received_ms - START_MS) // DAY_MS)
    return found


def test_a_line_counts_from_the_eighth_day_on() -> None:
    assert counting(projected(logged(*HONEST))) == {"k1": {0, 1}, "k2": {1}}


def test_what_is_simulated_never_counts_beside_what_is_real() -> None:
    """As in an old log: also not under a key that was seen for seven days."""
    one = seen("k1", 0, 1)
    simulated = replace(one, measurement=replace(one.measurement, uid="s", simulated=True))
    rows = projected(logged(*history("k1", -7, 7), one, simulated)).select(
        f"SELECT simulated, established FROM verdict WHERE received_ms >= {START_MS} ORDER BY simulated"
    )
    assert rows == [(False, True), (True, False)]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_order_and_the_stops(seed: int) -> None:
    chance, log, warehouse = random.Random(seed), logged(), Warehouse(None)
    arriving = [*HONEST, replace(seen("k4", 0, 1), network=MEDI)]
    expected = projected(logged(*arriving)).dump()
    chance.shuffle(arriving)
    working = projector(log, warehouse)
    while arriving:
        batch, arriving = arriving[:40], arriving[40:]
        log.deliver(batch)
        if chance.random() < 0.3:
            working = projector(log, warehouse)
        working.step()
    working.catch_up()
    assert warehouse.dump() == expected


def test_a_step_that_failed_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    log, warehouse = logged(*history("k1", -7, 7, each=4)), Warehouse(None)
    working, write = projector(log, warehouse), warehouse.put

    def full(*words: Any) -> Any:
        raise OSError("no space left")

    monkeypatch.setattr(warehouse, "put", full)
    with pytest.raises(OSError, match="no space"):
        working.step()
    monkeypatch.setattr(warehouse, "put", write)
    log.deliver([seen("k1", 0, 1)])
    working.catch_up()
    assert counting(warehouse) == {}, "28 results are not fifty"


def test_a_rebuild_finds_the_same(tmp_path: Path) -> None:
    log = logged(*HONEST)
    warehouse = projected(log, tmp_path / "warehouse.duckdb")
    before = warehouse.dump()
    projector(log, warehouse).rebuild()
    assert warehouse.dump() == before
    warehouse.close()


@pytest.mark.parametrize("simulated", [True, False])
def test_only_an_instance_of_what_is_simulated_counts_everybody(tmp_path: Path, simulated: bool) -> None:
    with opened(Options(data=tmp_path, simulated=simulated), REAL) as parts:
        assert parts.projector.counts(record()) is simulated


def of_source(record: Record, source: str) -> Record:
    return replace(record, bucket=source * 16 + "00" * 16)


CROWD = [of_source(one, "ab") for n in range(OF_SOURCE + 2) for one in history(f"s{n}", -8, 9)]


@pytest.mark.parametrize("seed", range(3))
def test_of_a_source_few_new_keys_a_day_begin_to_count_in_any_order_of_arrival(seed: int) -> None:
    """And what the warehouse holds tells the same after a restart."""
    chance, log, warehouse = random.Random(seed), logged(), Warehouse(None)
    expected = projected(logged(*CROWD))
    days = sorted(min(each) for each in counting(expected).values())
    assert days == [-1] * OF_SOURCE + [0] * 2
    arriving = chance.sample(CROWD, len(CROWD))
    working = projector(log, warehouse)
    while arriving:
        batch, arriving = arriving[:60], arriving[60:]
        log.deliver(batch)
        if chance.random() < 0.5:
            working = projector(log, warehouse)
        working.step()
    working.catch_up()
    assert warehouse.dump() == expected.dump()


# --- From one quarter's key to the next --------------------------------------------------------------------------

TODAY = START_MS // DAY_MS  # 0, as days are counted here


def handed(day: int, old: str = "k1", new: str = "k5", digest: str = "0") -> Said:
    """Said on a day, of a quarter that began long ago: the heir takes over on the next day."""
    return Said((TODAY + day) * DAY_MS + 1, digest, old, new, HONEST[0].network.asn, 200)


TURNED = [*history("k1", -8, 9), *history("k5", 1, 3), *history("k6", 1, 3)]


def says(log: MemoryLog, records: list[Record], *successions: Said) -> None:
    log.deliver(records)
    for one in successions:
        log.say(one)


def test_standing_carries_on_to_the_heir_and_to_no_other() -> None:
    log = logged()
    says(log, TURNED, handed(0))
    assert counting(projected(log)) == {"k1": {-1, 0}, "k5": {1, 2, 3}}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_order_and_the_stops_also_of_successions(seed: int) -> None:
    """Of two heirs the first that was received; one that was seen before it was named is none."""
    chance, whole, parts, warehouse = random.Random(seed), logged(), logged(), Warehouse(None)
    arriving = [*TURNED, *history("k2", -9, 14), *history("k7", -3, 6)]
    said = [handed(0), handed(0, new="k6", digest="1"), handed(1, old="k2", new="k7"), handed(1, old="k5", new="k8")]
    says(whole, arriving, *said)
    expected = projected(whole).dump()
    chance.shuffle(arriving)
    chance.shuffle(said)
    working = projector(parts, warehouse)
    while arriving or said:
        batch, arriving = arriving[:40], arriving[40:]
        says(parts, batch, *[said.pop() for _ in range(min(len(said), chance.randint(0, 1) if arriving else 9))])
        if chance.random() < 0.3:
            working = projector(parts, warehouse)
        working.step()
    working.catch_up()
    assert warehouse.dump() == expected
    assert counting(warehouse).keys() == {"k1", "k2", "k5"}
