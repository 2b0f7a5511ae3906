"""A clock that has fallen back gives no time of receipt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import generate_latest

from collector.facts.own_clock import EARLIEST_MS, STEP_BACK_MS, ClockBehind, OwnClock
from collector.front.batches import CONTENT_TYPE
from collector.front.listening import address_of, listening, open_socket
from collector.instance import Options, opened
from tests.collector.batches import Volunteer, enveloped
from tests.collector.judging.evidence import RULES

NEWEST_MS = EARLIEST_MS + 10**9


def gives(clock: OwnClock) -> bool:
    try:
        clock.now_ms()
    except ClockBehind:
        return False
    return True


@pytest.mark.parametrize(
    ("now_ms", "newest_ms", "given"),
    [
        (NEWEST_MS, NEWEST_MS, True),
        (NEWEST_MS - STEP_BACK_MS, NEWEST_MS, True),  # it was set
        (NEWEST_MS - STEP_BACK_MS - 1, NEWEST_MS, False),
        (NEWEST_MS + 10**12, NEWEST_MS, True),  # nobody was there for long
        (EARLIEST_MS, 0, True),
        (EARLIEST_MS - 1, 0, False),
        (0, 0, False),  # 1970: no battery
    ],
)
def test_the_least_that_it_may_show(now_ms: int, newest_ms: int, given: bool) -> None:
    clock = OwnClock(lambda: now_ms, newest_ms)
    assert gives(clock) is given
    assert (clock.behind_ms() == 0) is given


def test_what_is_kept_while_it_runs_counts_and_what_was_refused_does_not() -> None:
    now = [NEWEST_MS]
    clock = OwnClock(lambda: now[0], 0)
    now[0] += 10 * STEP_BACK_MS  # ahead for a moment, in which nothing was kept
    assert clock.now_ms() == now[0]
    now[0] = NEWEST_MS
    assert gives(clock)
    clock.kept()
    now[0] = NEWEST_MS + 9 * STEP_BACK_MS - 7
    assert (gives(clock), clock.behind_ms()) == (False, 7)
    now[0] += 7
    assert (gives(clock), clock.behind_ms()) == (True, 0)


def test_a_collector_whose_log_is_of_the_future_receives_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volunteer = Volunteer()
    options = Options(data=tmp_path / "data")

    async def sent(given: Options) -> tuple[int, str]:
        with opened(given, RULES) as parts, open_socket("127.0.0.1", 0) as sock:
            async with listening(parts, given, sock), aiohttp.ClientSession() as session:
                data, headers = volunteer.seal([volunteer.measure()]), {"Content-Type": CONTENT_TYPE}
                async with session.post(f"{address_of(sock)}/v1/batches", data=data, headers=headers) as answer:
                    return answer.status, generate_latest(parts.metrics.registry).decode()

    with opened(options, RULES) as parts:
        batch = enveloped(volunteer.seal([volunteer.measure()]), parts.now_ms() + 10 * STEP_BACK_MS)
        asyncio.run(parts.log.append(*batch))
    status, metrics = asyncio.run(sent(options))
    assert status == 503
    assert 'ringback_batches_total{outcome="clock_behind"} 1.0' in metrics
    assert "ringback_clock_behind_seconds 0.0" not in metrics
    assert "Set it; if it was wrong before and is right now, start with --trust-clock." in caplog.text
    status, metrics = asyncio.run(sent(Options(data=options.data, trust_clock=True)))
    assert (status, "ringback_clock_behind_seconds 0.0" in metrics) == (200, True)
