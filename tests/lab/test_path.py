"""A packet goes through the places of a path in order, and what they do to it happens, on a clock that is a list."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.lab import packets
from tests.lab.model import Fate, Filter
from tests.lab.packets import packed, parse
from tests.lab.path import Hops, Path, Place

LINE = {4: packed("10.64.0.9"), 6: packed("2001:db8:a:100::2")}
SERVER = {4: packed("203.0.113.7"), 6: packed("2001:db8:113::7")}
NEAR = [packed("10.64.0.1"), packed("30.18.0.1")]
NEAR6 = [packed("2001:db8:a::3"), packed("2001:db8:a::1")]


class Bench:
    """A path between two lists, and a clock that jumps."""

    def __init__(self, *filters: Filter) -> None:
        self.line: list[bytes] = []
        self.world: list[bytes] = []
        self.times: list[float] = []
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = itertools.count()
        places = [Place(one, f"stage {number}") for number, one in enumerate(filters)]
        self.path = Path(places, self, self.line.append, self.world.append)

    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._due, (when, next(self._serial), do, arguments))

    def run(self) -> None:
        while self._due:
            when, _, do, arguments = heapq.heappop(self._due)
            self.times.append(when)
            do(*arguments, when)


def passing(packet: bytes, up: bool, now: float) -> Sequence[Fate]:
    return (Fate(packet, up),)


def dropping(packet: bytes, up: bool, now: float) -> Sequence[Fate]:
    return ()


def bouncing(packet: bytes, up: bool, now: float) -> Sequence[Fate]:
    return (Fate(packet + b"!", not up),)


def doubling(packet: bytes, up: bool, now: float) -> Sequence[Fate]:
    return (Fate(packet + b"1", up, 0.2), Fate(packet + b"2", up, 0.1), Fate(packet, up))


def marking(mark: bytes, delay: float = 0.0) -> Filter:
    return lambda packet, up, now: (Fate(packet + mark, up, delay),)


def udp(family: int = 4, ttl: int = 64) -> bytes:
    return packets.udp((LINE[family], 5000), (SERVER[family], 53), b"", ttl)


def test_up_meets_the_first_place_first_and_down_the_last() -> None:
    bench = Bench(marking(b"a"), marking(b"b"), marking(b"c"))
    bench.path.send(udp(), True, 0.0)
    bench.path.send(udp(), False, 0.0)
    assert bench.world == [udp() + b"abc"]
    assert bench.line == [udp() + b"cba"]


def test_an_answer_turns_back_from_where_it_is_given() -> None:
    bench = Bench(marking(b"a"), bouncing, dropping)
    bench.path.send(udp(), True, 0.0)
    assert bench.line == [udp() + b"a!a"]
    assert bench.world == []


def test_delays_add_up_exactly_and_order_is_by_time() -> None:
    bench = Bench(marking(b"", 0.5), doubling, marking(b"", 0.25))
    bench.path.send(udp(), True, 1.0)
    bench.run()
    assert bench.world == [udp(), udp() + b"2", udp() + b"1"]
    assert bench.times == pytest.approx([1.5, 1.6, 1.7, 1.75, 1.85, 1.95])


def test_what_is_under_way_finishes_the_path_on_which_it_began() -> None:
    bench = Bench(marking(b"", 0.5), marking(b"old"))
    bench.path.send(udp(), True, 0.0)
    bench.path.route = (Place(marking(b"new")),)
    bench.path.send(udp(), True, 0.0)
    bench.run()
    assert bench.world == [udp() + b"new", udp() + b"old"]


def test_nothing_arrives_once_the_line_is_closed() -> None:
    bench = Bench(marking(b"", 0.5))
    bench.path.send(udp(), True, 0.0)
    bench.path.open = False
    bench.run()
    assert bench.world == []


def test_packets_that_a_stage_meets_are_counted_and_others_not() -> None:
    bench = Bench(passing, dropping)
    bench.path.send(udp(), True, 0.0)
    bench.path.send(udp(), True, 0.0)
    assert bench.path.met() == {"stage 0": 0, "stage 1": 2}


def test_a_filter_that_fails_loses_its_packet_and_is_told() -> None:
    def failing(packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        raise ValueError("no such luck")

    bench = Bench(failing)
    bench.path.send(udp(), True, 0.0)
    assert bench.world == []
    assert "stage 0" in bench.path.faults[0]
    assert "no such luck" in bench.path.faults[0]


@pytest.mark.parametrize("family", [4, 6])
def test_hops_count_down_and_answer_when_the_count_is_over(family: int) -> None:
    bench = Bench(Hops(NEAR, NEAR6))
    bench.path.send(udp(family, ttl=3), True, 0.0)
    assert parse(bench.world[0]).ttl == 1
    for ttl in (1, 2):
        bench.path.send(udp(family, ttl), True, 0.0)
    answers = [parse(raw) for raw in bench.line]
    assert [answer.source for answer in answers] == (NEAR, NEAR6)[family == 6]
    assert {answer.destination for answer in answers} == {LINE[family]}
    assert {answer.icmp[0] for answer in answers} == {11 if family == 4 else 3}
    assert [answer.ttl for answer in answers] == [64, 63]


def test_hops_answer_the_world_from_its_side() -> None:
    bench = Bench(Hops(NEAR, NEAR6))
    bench.path.send(packets.udp((SERVER[4], 53), (LINE[4], 5000), b"", ttl=1), False, 0.0)
    assert parse(bench.world[0]).source == NEAR[-1]


def test_an_error_about_an_error_is_not_sent() -> None:
    bench = Bench(Hops(NEAR, NEAR6))
    bench.path.send(packets.time_exceeded(parse(udp()), NEAR[0], ttl=1), False, 0.0)
    assert bench.line == bench.world == []


def test_what_a_device_says_to_its_neighbours_goes_no_further() -> None:
    bench = Bench(passing)
    for group in ("224.0.0.22", "ff02::16"):
        source = LINE[6 if ":" in group else 4]
        bench.path.send(packets.udp((source, 1), (packed(group), 1), b""), True, 0.0)
    assert bench.world == []
