"""A resolver is the network's if lines use it: counted by its prefix, near in time, each line once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from collector.judging.who_counts import TOLD, WhoCounts
from collector.log import Record
from probe.model import Transport, Void
from tests.collector.judging.evidence import SPAIN, record
from tests.collector.judging.judges import gatherer_of
from tests.collector.log.memory_log import MemoryLog

PREFIX, OTHER = "192.0.2.0/24", "198.51.100.0/24"


def lines_beside(mine: Record, records: Sequence[Record], who: WhoCounts = TOLD) -> dict[str, int]:
    """By prefix of the resolvers that this measurement asked, how many of these lines use it."""
    log = MemoryLog()
    log.deliver(replace(r, measurement=replace(r.measurement, uid=f"{n}")) for n, r in enumerate(records))
    evidence = gatherer_of(log, who=who).case(mine).evidence
    assert evidence is not None
    return dict(evidence.resolver_lines or {})


def asks(prefix: str | None = PREFIX, **more: Any) -> Record:
    """A line that asked a resolver in this prefix."""
    return record(resolver=prefix, **more)


def test_each_line_counts_once_and_its_own_among_them() -> None:
    mine = asks(key="k1")
    lines = [mine, asks(key="k1", minute=20), asks(key="k2", minute=-60), asks(key="k3", minute=60)]
    assert lines_beside(mine, lines) == {PREFIX: 3}


@pytest.mark.parametrize(
    "other",
    [
        asks(key="k2", minute=61),
        asks(key="k2", minute=-61),
        asks(OTHER, key="k2"),
        asks(None, key="k2"),
        asks(key="k2", clock_known=False),
        asks(key="k2", void=Void.VPN),
        asks(key="k2", asked_over=Transport.TLS),
        asks(key="k2", network=SPAIN),
    ],
)
def test_lines_that_do_not_count(other: Record) -> None:
    mine = asks(key="k1")
    assert lines_beside(mine, [mine, other]) == {PREFIX: 1}


def test_only_established_lines_count() -> None:
    mine, other = asks(key="k1"), asks(key="k2")
    for keys, lines in (({"k2"}, 1), (set(), 0)):
        who = WhoCounts(lambda line, keys=keys: line.key in keys, TOLD.bucket)
        assert lines_beside(mine, [mine, other], who) == {PREFIX: lines}


@pytest.mark.parametrize(("apart", "counted"), [("", 2), ("k1", 3), ("k1 k2", 3)])
def test_of_one_source_two_lines_count_and_no_more_than_matter(apart: str, counted: int) -> None:
    lines = [asks(key=f"k{n}") for n in range(9)]
    who = WhoCounts(TOLD.established, lambda line: None if line.key in apart.split() else "one")
    assert lines_beside(lines[0], lines, who) == {PREFIX: counted}


def test_a_line_that_asked_no_such_resolver() -> None:
    assert lines_beside(record(), [asks(key="k2")]) == {}
