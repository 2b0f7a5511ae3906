"""An arrival judges again whom it concerns: how many those are does not follow from how many lines there are.

The judge is the real one, for it decides what it asks.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from collector.judging.evidence import TargetFiles
from collector.judging.projector import Projector
from collector.judging.rules import RULES, Rules
from collector.log import Record
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import Change
from probe.failure import NXDOMAIN, TIMEOUT
from probe.judge.evidence import Evidence
from probe.model import Attempt, Network, Resolution, Target, Targets, Verdict
from tests.collector.judging.evidence import HOUR, MAROC, MEDI, SPAIN, START_MS
from tests.collector.judging.test_projector import content_of
from tests.collector.judging.whole import whole
from tests.collector.log.memory_log import MemoryLog
from tests.probe.judge.evidence import CHAT, HERE, LINK, V6, says, tcp_fails, tls_fails, tls_ok
from tests.probe.judge.evidence import measurement as measured

NEXT_DOOR = "198.51.100.200"
ABROAD = Network(country="XW", asn=64510, operator="Service")
OPERATORS = (MAROC, MEDI, Network(country="MA", asn=36884, operator="inwi"))
INFERRED = replace(CHAT, id="service/call", endpoints=(replace(CHAT.endpoints[0], uncalibrated=True),))
TARGETS = (CHAT, INFERRED)
FILE, LATE_FILE = "a" * 64, "b" * 64
BODIES = {FILE: b"1", LATE_FILE: b"2"}
CONTROLS = frozenset({"c1", "c2", "c3"})


def parse(body: bytes, name: str) -> Targets:
    return Targets(targets=TARGETS)


def record(
    key: str,
    number: int,
    *attempts: Attempt,
    target: Target = CHAT,
    minute: float = 0,
    network: Network = MAROC,
    resolutions: tuple[Resolution, ...] = (),
    targets: str = FILE,
    **fields: Any,
) -> Record:
    started_ms = START_MS + round(minute * 60_000)
    given = {"cycle": f"{number}", "round": 1, "link": LINK, "resolutions": resolutions, **fields}
    one = replace(measured(target, *attempts), uid=f"{key}.{number}", started_ms=started_ms, clock_offset_ms=0, **given)
    return Record(
        cursor=0,
        key=key,
        measurement=one,
        started_ms=started_ms,
        clock_known=True,
        received_ms=started_ms + 1000,
        network=network,
        resolver_networks={"198.51.100.0/24": ABROAD, "192.0.2.0/24": network},
        targets=targets,
        software="ringback 0.1",
    )


class Counted:
    """A projection that counts what it judges and writes."""

    def __init__(self, log: MemoryLog, warehouse: Warehouse) -> None:
        self.judged = self.rows = 0
        self.log, self.warehouse = log, warehouse
        self._put = warehouse.put
        warehouse.put = self._counting  # type: ignore[method-assign]
        rules: Rules = replace(RULES, judge=self._judge)
        self.projector = Projector(log, log, log, warehouse, CONTROLS, rules=rules, parse=parse)

    def _judge(self, evidence: Evidence) -> Verdict:
        self.judged += 1
        return RULES.judge(evidence)

    def _counting(self, change: Change, cursor: int) -> None:
        self.rows += change.rows
        self._put(change, cursor)

    def of(self, *records: Record) -> tuple[int, int]:
        """How many are judged, and rows written, because these arrive."""
        before = self.judged, self.rows
        self.log.deliver(records)
        self.projector.catch_up()
        return self.judged - before[0], self.rows - before[1]


@pytest.fixture
def warehouses() -> Iterator[list[Warehouse]]:
    made: list[Warehouse] = []
    yield made
    for each in made:
        each.close()


def passing(key: str, number: int, **fields: Any) -> Record:
    return record(key, number, tls_ok(), resolutions=(says(HERE),), **fields)


def failing(key: str, number: int, **fields: Any) -> Record:
    """To one of the service's addresses; another one answers."""
    return record(key, number, tcp_fails(TIMEOUT), tls_ok(address=NEXT_DOOR), **fields)


def banned(key: str, number: int, **fields: Any) -> list[Record]:
    """Both rounds; and in the same cycle another address of the service's prefix answers."""
    beside = record(key, number, tls_ok(address=NEXT_DOOR), target=INFERRED, network=MAROC, **fields)
    return [
        replace(beside, measurement=replace(beside.measurement, uid=f"{beside.measurement.uid}.1")),
        record(key, number, tcp_fails(TIMEOUT), network=MAROC, **fields),
        replace_uid(record(key, number, tcp_fails(TIMEOUT), network=MAROC, round=2, **later(fields))),
    ]


def later(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "minute": fields["minute"] + 1}


def replace_uid(one: Record) -> Record:
    return replace(one, measurement=replace(one.measurement, uid=f"{one.measurement.uid}.2"))


def world(lines: int) -> list[Record]:
    """One operator's lines fail, another's get through; controls get through."""
    found = [passing(key, 0, network=SPAIN, minute=at) for at, key in ((1, "c1"), (20, "c2"), (50, "c3"))]
    for n in range(lines):
        found += banned(f"b{n}", 0, minute=5 + 30 * n / lines)
        found.append(passing(f"p{n}", 0, minute=5 + 30 * n / lines, network=MEDI))
    return found


ARRIVALS = {
    "one that passes": [passing("new", 1, minute=25, network=MEDI)],
    "one that fails in a ban": banned("new", 1, minute=25),
    "a first look that comes late": [record("b3", 0, tcp_fails(TIMEOUT), minute=4, network=MAROC)],
    "one that passes where it is banned": [passing("new", 1, minute=25, network=MAROC)],
    "one of a third operator that fails": [failing("new", 1, minute=25, network=OPERATORS[2])],
}


def count(lines: int, arrival: str, warehouses: list[Warehouse]) -> tuple[int, int]:
    warehouses.append(Warehouse(None))
    counted = Counted(MemoryLog(), warehouses[-1])
    counted.log.files.update(BODIES)
    start = world(lines)
    if arrival == "a first look that comes late":
        start = [one for one in start if one.measurement.uid != "b3.0"]
    counted.of(*start)
    assert warehouses[-1].select("SELECT count(*) FROM verdict WHERE state = 'likely_blocked'") != [(0,)]
    return counted.of(*ARRIVALS[arrival])


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_what_one_more_batch_costs_follows_from_the_batch_alone(arrival: str, warehouses: list[Warehouse]) -> None:
    few, many = (count(lines, arrival, warehouses) for lines in (10, 60))
    assert few == many
    judged, rows = few
    assert 1 <= judged <= 4
    assert 1 <= rows <= 12


def test_a_control_concerns_those_alone_who_asked_controls(warehouses: list[Warehouse]) -> None:
    warehouses.append(Warehouse(None))
    counted = Counted(MemoryLog(), warehouses[-1])
    counted.log.files.update(BODIES)
    counted.of(*world(20))
    judged, _ = counted.of(passing("c1", 5, network=SPAIN, minute=40))
    assert judged == 1 + 40, "the control's own, and two rounds of each line that failed"


# --- Held to the definition ---------------------------------------------------------------------------------------


def some_record(chance: random.Random, number: int) -> Record:
    """One of a few lines, of a few operators, near in time, that passes or fails in one of several ways."""
    key = chance.choice(["k1", "k2", "k3", "k4", "k5", "k6", "c1", "c2", "c3"])
    network = SPAIN if key in CONTROLS else chance.choice(OPERATORS)
    ways: list[tuple[Attempt, ...]] = [
        (tls_ok(),),
        (tcp_fails(TIMEOUT),),
        (tcp_fails(TIMEOUT), tls_ok(address=NEXT_DOOR)),
        (tls_fails("connection_reset"),),
        (tls_ok(), tls_ok(address=V6)),
        (tls_ok(), tcp_fails(TIMEOUT, address=V6)),
        (),
    ]
    answers = [
        (says(HERE),),
        (says(failure=NXDOMAIN),),
        (says("10.10.34.34"),),
        (says(HERE, NEXT_DOOR), says(V6, qtype="AAAA")),
        (),
    ]
    return record(
        key,
        number,
        *chance.choice(ways),
        target=chance.choice([CHAT, CHAT, CHAT, INFERRED]),
        minute=chance.choice([0, 1, 9, 30, 58, 59, 60, 61, 62, 90, 119, 121, 1439, 1441]),
        network=network,
        resolutions=chance.choice(answers),
        targets=chance.choice([FILE, FILE, LATE_FILE]),
        cycle=chance.choice("xxy"),
        round=chance.choice([1, 2]),
        simulated=chance.random() < 0.1,
    )


def judge(evidence: Evidence) -> Verdict:
    """The real one, with a mistake in it: it fails of some, and of some only once a control was heard."""
    found = RULES.judge(evidence)
    if found.uid.endswith("7") and (found.uid.endswith("17") or found.rule == "no_control"):
        raise ValueError(found.uid)
    return found


@pytest.mark.parametrize("mistaken", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_in_any_order_it_comes_to_what_all_at_once_is(seed: int, mistaken: bool) -> None:
    chance = random.Random(seed)
    arriving = [some_record(chance, number) for number in range(60)]
    sent = [*arriving, *chance.sample(arriving, 6)]
    chance.shuffle(sent)
    rules = replace(RULES, judge=judge) if mistaken else RULES
    log = MemoryLog()
    log.files[FILE] = BODIES[FILE]
    with closing(Warehouse(None)) as warehouse, closing(Warehouse(None)) as fresh:
        working = Projector(log, log, log, warehouse, CONTROLS, rules=rules, parse=parse)
        while sent:
            size = chance.randint(1, 6)
            log.deliver(sent[:size])
            sent = sent[size:]
            working.step()
            if chance.random() < 0.1:
                working = Projector(log, log, log, warehouse, CONTROLS, rules=rules, parse=parse)
            if chance.random() < 0.1:
                log.files.update(BODIES)
        log.files.update(BODIES)
        working.catch_up()
        working.step()
        Projector(log, log, log, fresh, CONTROLS, rules=rules, parse=parse).catch_up()
        assert warehouse.dump() == fresh.dump()
        if not mistaken:
            assert content_of(warehouse) == whole(log.all(), rules, TargetFiles(log, parse), CONTROLS)
            kinds = Counter(row[0] for row in warehouse.select("SELECT rule FROM verdict"))
            assert len(kinds) > 8, kinds
        assert HOUR in {hour for (hour,) in warehouse.select("SELECT hour FROM verdict")}
