"""How many connections of one source, and in all; who stands still; how fast a body comes."""

from __future__ import annotations

import ipaddress
import resource

import pytest

from collector.front.limits import ConnectionLimits, Counted, limits_for, raised_files
from collector.front.memory import Memory
from collector.front.pace import Pace
from collector.front.refusals import Refused
from collector.front.stalls import Stalls

PROXY = ipaddress.ip_network("127.9.8.7/32")


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("203.0.113.1", "203.0.113.254", True),
        ("203.0.113.1", "::ffff:203.0.113.2", True),
        ("203.0.113.1", "203.0.112.1", False),
        ("2001:db8:1::1", "2001:db8:1:ffff::1", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
    ],
)
def test_a_source_has_its_share(first: str, other: str, same: bool) -> None:
    counted = Counted(ConnectionLimits(of_source=2))
    assert [counted.enter(first) for _ in range(3)] == [True, True, False]
    assert counted.enter(other) is not same
    counted.leave(first)
    assert counted.enter(first)


def test_so_many_in_all() -> None:
    counted = Counted(ConnectionLimits(in_all=3))
    assert [counted.enter(f"203.0.{n}.1") for n in range(5)] == [True, True, True, False, False]
    counted.leave("203.0.1.1")
    assert counted.enter("203.0.4.1")


def test_a_trusted_proxy_stands_for_many() -> None:
    counted = Counted(ConnectionLimits(of_source=1, in_all=5, proxies=(PROXY,)))
    assert [counted.enter("127.9.8.7") for _ in range(6)] == [True] * 5 + [False]
    counted.leave("127.9.8.7")
    assert counted.enter("127.9.8.8")


def test_nothing_is_kept_of_who_has_left() -> None:
    counted = Counted()
    for n in range(100):
        assert counted.enter(f"203.0.{n}.1")
        counted.leave(f"203.0.{n}.1")
    assert counted.sources() == 0


def test_as_many_files_as_the_system_lets_us() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
        assert raised_files() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert limits_for(1000, ()).in_all == 800


def test_who_does_not_read_is_found() -> None:
    """One that reads a little, or has read all, goes on; what is added does not hide a stall."""
    stalls: Stalls[str] = Stalls(30)
    assert stalls.look({"still": 9, "grows": 5, "reads": 9, "read": 0}, 0) == []
    assert stalls.look({"still": 9, "grows": 6, "reads": 8, "read": 0}, 29) == []
    assert stalls.look({"still": 9, "grows": 7, "reads": 7, "read": 0}, 30) == ["still", "grows"]
    assert stalls.look({"reads": 7}, 59) == []
    assert stalls.look({"reads": 7}, 60) == ["reads"]
    assert stalls.look({"reads": 0}, 61) == []
    assert stalls.look({"reads": 7}, 62) == []


def test_the_pace_of_a_body() -> None:
    """What came at once is no credit: it may stand still for as long as any other."""
    pace = Pace(until_s=10, grace_s=10, least_bps=1000)
    assert pace.came(1, 0) == 10
    assert pace.came(1, 5) == pytest.approx(10.001)
    assert pace.came(1000, 9) == pytest.approx(11.001)
    assert pace.came(200_000, 10) == 20
    assert pace.came(1000, 19) == 21


def test_memory_is_counted_in_bytes_and_given_back() -> None:
    memory = Memory(10)
    with memory.taken() as one, memory.taken() as other:
        one(6)
        other(4)
        with pytest.raises(Refused) as told:
            other(1)
    assert told.value.status == 429
    with memory.taken() as again:
        again(10)
