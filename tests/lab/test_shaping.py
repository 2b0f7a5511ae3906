"""A line carries packets as its Access says: by arithmetic on the times that come out, without waiting for any."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import mean

import pytest

from tests.lab.model import Access
from tests.lab.plan import ACCESSES
from tests.lab.shaping import QUEUE_BYTES, Direction, Shaper, round_trip

STILL = Access("still", 0.05, 0.0, 0.0, 1e6, 1e6, cgnat=False)
APART = 10.0  # seconds between packets that do not meet
ROUNDS = 4000


def outs(access: Access, times: list[float], size: int = 100) -> list[float | None]:
    direction = Direction(access, access.up_rate, Random(1))
    return [direction.out(size, now) for now in times]


@pytest.mark.parametrize("name", ACCESSES)
def test_a_round_trip_takes_what_is_configured(name: str) -> None:
    access = replace(ACCESSES[name], loss=0.0)
    shaper = Shaper(access, Random(2))
    trips = [
        shaper(b"x" * 60, up=True, now=at)[0].delay + shaper(b"x" * 60, up=False, now=at)[0].delay
        for at in (number * APART for number in range(ROUNDS))
    ]
    assert mean(trips) == pytest.approx(round_trip(access, 60), rel=0.01)


def test_order_is_kept_whatever_the_jitter() -> None:
    came = outs(replace(STILL, jitter=0.03), [number * 0.001 for number in range(500)])
    assert came == sorted(filter(None, came))


def test_packets_wait_for_those_before_them() -> None:
    assert outs(STILL, [0.0, 0.0, 0.0], size=1000) == pytest.approx([0.051, 0.052, 0.053])


def test_a_full_queue_drops_and_then_takes_again() -> None:
    slow = replace(STILL, up_rate=10_000.0)
    whole = outs(slow, [0.0] * 100, size=1000)
    passed = [out for out in whole if out is not None]
    assert len(passed) == QUEUE_BYTES // 1000 + 1
    assert max(passed) == pytest.approx(0.05 + len(passed) / 10)
    assert outs(slow, [0.0] * 100 + [60.0], size=1000)[-1] == pytest.approx(60.15)


def test_loss_is_as_often_as_configured_and_depends_on_the_seed_alone() -> None:
    lossy = replace(STILL, loss=0.1)
    times = [number * APART for number in range(ROUNDS)]
    came = outs(lossy, times)
    assert came.count(None) / ROUNDS == pytest.approx(0.1, abs=0.02)
    assert came == outs(lossy, times)


def test_directions_have_rates_of_their_own() -> None:
    shaper = Shaper(replace(STILL, up_rate=1e5), Random(3))
    assert shaper(b"x" * 1000, up=True, now=0.0)[0].delay == pytest.approx(0.06)
    assert shaper(b"x" * 1000, up=False, now=0.0)[0].delay == pytest.approx(0.051)
