"""A resolver is the network's if lines use it: counted by its prefix, near in time, each line once."""

from __future__ import annotations

from typing import Any

import pytest

from collector.judging.resolver_lines import ResolverLines
from collector.judging.who_counts import TOLD, WhoCounts
from collector.log import Record
from probe.model import Transport, Void
from tests.collector.judging.evidence import SPAIN, record

PREFIX, OTHER = "192.0.2.0/24", "198.51.100.0/24"


def asks(prefix: str | None = PREFIX, **more: Any) -> Record:
    """A line that asked a resolver in this prefix."""
    return record(resolver=prefix, **more)


def test_each_line_counts_once_and_its_own_among_them() -> None:
    mine = asks(key="k1")
    lines = [mine, asks(key="k1", minute=20), asks(key="k2", minute=-60), asks(key="k3", minute=60)]
    assert ResolverLines(lines, TOLD).beside(mine) == {PREFIX: 3}


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
    assert ResolverLines([mine, other], TOLD).beside(mine) == {PREFIX: 1}


def test_only_established_lines_count() -> None:
    mine, other = asks(key="k1"), asks(key="k2")
    for keys, lines in (({"k2"}, 1), (set(), 0)):
        who = WhoCounts(lambda line, keys=keys: line.key in keys, TOLD.bucket)
        assert ResolverLines([mine, other], who).beside(mine) == {PREFIX: lines}


def test_of_one_source_two_lines_count() -> None:
    lines = [asks(key=f"k{n}") for n in range(9)]
    who = WhoCounts(TOLD.established, lambda line: None if line.key > "k6" else "one")
    assert ResolverLines(lines, who).beside(lines[0]) == {PREFIX: 4}


def test_a_line_that_asked_no_such_resolver() -> None:
    assert ResolverLines([asks(key="k2")], TOLD).beside(record()) == {}
