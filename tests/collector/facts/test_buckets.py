"""Source buckets: the same for one source on one day, another the next day, and no way back to the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.facts.buckets import DAY_MS, FILE, NOWHERE, Bucket, Buckets, of_day, packed, wider
from probe.judge.cells import SHARED

DAY = 20_000


class Clock:
    def __init__(self) -> None:
        self.now = DAY * DAY_MS

    def __call__(self) -> int:
        return self.now


def buckets(directory: Path, clock: Clock) -> Buckets:
    return Buckets(directory / FILE, clock)


def test_a_prefix_is_a_bucket(tmp_path: Path) -> None:
    made = buckets(tmp_path, Clock())
    alike = [
        ("203.0.113.1", "203.0.113.254"),
        ("2001:db8:1::1", "2001:db8:1:ffff::9"),
        ("203.0.113.1", "::ffff:203.0.113.9"),
    ]
    apart = [("203.0.113.1", "203.0.114.1"), ("2001:db8:1::1", "2001:db8:2::1"), ("0.0.0.0", "::")]
    assert all(made.of(one) == made.of(other) for one, other in alike)
    assert all(made.of(one) != made.of(other) for one, other in apart)


def test_behind_a_carriers_nat_a_block_of_ports_is_a_bucket(tmp_path: Path) -> None:
    made = buckets(tmp_path, Clock())
    assert made.of("203.0.113.1", 1024) == made.of("203.0.113.200", 2047)
    assert len({made.of("203.0.113.1", port) for port in (None, 0, 1024, 2048)}) == 4


def test_buckets_of_one_wider_prefix_have_a_part_in_common_and_no_others(tmp_path: Path) -> None:
    clock = Clock()
    made = buckets(tmp_path, clock)
    one, beside = made.of("203.0.113.1"), made.of("203.0.114.1", 2048)
    assert one.bucket != beside.bucket
    assert (wider(one.bucket), wider(one.before)) == (wider(beside.bucket), wider(beside.before))
    assert wider(made.of("2001:db8:1::1").bucket) == wider(made.of("2001:db8:2::1").bucket)
    others = ["203.1.113.1", "2001:db9:1::1", "203.0.113.1"]
    clock.now += DAY_MS  # and another the next day
    assert len({wider(made.of(each).bucket) for each in others} | {wider(one.bucket)}) == 4


@pytest.mark.parametrize("address", ["", "x", "203.0.113"])
def test_no_address_is_nowhere(tmp_path: Path, address: str) -> None:
    assert buckets(tmp_path, Clock()).of(address) == Bucket(NOWHERE, NOWHERE)


def test_the_secret_changes_at_midnight_and_the_day_before_can_still_be_compared(tmp_path: Path) -> None:
    clock = Clock()
    made = buckets(tmp_path, clock)
    clock.now += DAY_MS - 1
    first = made.of("203.0.113.1")
    clock.now += 1
    second = made.of("203.0.113.1")
    assert second.before == first.bucket
    assert second.bucket not in (first.bucket, first.before)
    clock.now += DAY_MS
    assert first.bucket not in (made.of("203.0.113.1").bucket, made.of("203.0.113.1").before)


def test_a_day_without_the_collector_leaves_nothing_to_compare_with(tmp_path: Path) -> None:
    clock = Clock()
    first = buckets(tmp_path, clock).of("203.0.113.1")
    clock.now += 2 * DAY_MS
    later = buckets(tmp_path, clock).of("203.0.113.1")
    assert {first.bucket, first.before}.isdisjoint({later.bucket, later.before})


def test_a_restart_goes_on_with_the_days_secret(tmp_path: Path) -> None:
    clock = Clock()
    first = buckets(tmp_path, clock).of("203.0.113.1")
    clock.now += 1_000
    assert buckets(tmp_path, clock).of("203.0.113.1") == first
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_clock_that_goes_back_brings_no_old_secret_and_makes_none(tmp_path: Path) -> None:
    clock = Clock()
    made = buckets(tmp_path, clock)
    first = made.of("203.0.113.1")
    clock.now -= 3 * DAY_MS
    assert made.of("203.0.113.1") == first


@pytest.mark.parametrize(
    ("day", "held"),
    [(8, ("1" * 32, "2" * 32)), (9, (NOWHERE, "1" * 32)), (7, ("2" * 32, NOWHERE)), (10, (NOWHERE, NOWHERE))],
)
def test_an_envelope_of_another_day_holds_what_is_known_of_its_days(day: int, held: tuple[str, str]) -> None:
    bucket = Bucket("1" * 32, "2" * 32, day=8)
    assert bucket.held(day) == held
    assert tuple(of_day(packed(held).hex(), days) for days in (0, 1)) == held
    shared = packed(held, shared=True).hex()
    assert tuple(of_day(shared, days) for days in (0, 1)) == tuple(
        each if each == NOWHERE else each + SHARED for each in held
    )
    assert of_day(shared, 2) == NOWHERE


@pytest.mark.parametrize("content", [b"", b"{}", b'{"day":20000,"secret":"00","before":"11"}', b"\xff"])
def test_a_damaged_file_costs_the_day(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert buckets(tmp_path, Clock()).of("203.0.113.1").bucket != NOWHERE
