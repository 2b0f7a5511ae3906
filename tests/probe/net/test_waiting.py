"""A process that stood still is told from a network that was silent."""

from __future__ import annotations

import asyncio
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.failure import Failed
from probe.net.waiting import LATE, StallWatch, Unanswered
from tests.scripted import freeze_at, run


def stood_still(limit: float, *freezes: tuple[float, float], ends: float | None = None) -> bool:
    """Of a wait of `limit` seconds, or until `ends`, in which the process freezes: (when, for how long)."""

    async def work() -> bool:
        for at, seconds in freezes:
            freeze_at(at, seconds)
        with StallWatch(limit) as watch:
            await asyncio.sleep(limit if ends is None else ends)
        return watch.stood_still

    return run(work())


def test_whoever_is_always_there_stood_not_still() -> None:
    assert not stood_still(8.0)
    assert not stood_still(0.1)
    assert not stood_still(3.7, ends=30.0)


@pytest.mark.parametrize("at", [0.0, 0.05, 3.3, 7.9])
@pytest.mark.parametrize("seconds", [2.5, 8.0, 3600.0])
def test_a_freeze_is_noticed_wherever_it_lies(at: float, seconds: float) -> None:
    assert stood_still(8.0, (at, seconds))


@pytest.mark.parametrize("limit", [0.2, 0.8, 1.0, 2.5])
def test_a_limit_that_comes_late_is_noticed_however_short_it_is(limit: float) -> None:
    assert stood_still(limit, (limit * 0.9, limit * 0.1 + LATE + 0.1))


@given(st.floats(0, 9.9), st.floats(0, LATE))
def test_what_is_no_later_than_is_allowed_is_passed_over(at: float, seconds: float) -> None:
    assert not stood_still(10.0, (at, seconds))


@given(st.floats(0, 9.9), st.floats(2.1, 10_000))
def test_no_long_freeze_is_overlooked(at: float, seconds: float) -> None:
    assert stood_still(10.0, (at, seconds))


def test_nothing_ticks_on_after_the_wait() -> None:
    async def work() -> float:
        with StallWatch(100.0):
            pass
        await asyncio.sleep(0.5)
        return asyncio.get_running_loop().time()

    assert run(work()) == 0.5


def test_silence_is_reported_unless_an_error_came() -> None:
    unanswered = Unanswered()
    assert str(unanswered.error()) == "generic_timeout_error"
    unanswered.note(ConnectionRefusedError(errno.ECONNREFUSED, "x"))
    error = unanswered.error()
    assert isinstance(error, Failed)
    assert error.failure == "connection_refused"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL])
def test_a_fault_of_ours_is_reported_before_what_came(number: int) -> None:
    unanswered, fault = Unanswered(), OSError(number, "x")
    unanswered.note(fault)
    unanswered.note(ConnectionRefusedError(errno.ECONNREFUSED, "x"))
    assert unanswered.error() is fault
