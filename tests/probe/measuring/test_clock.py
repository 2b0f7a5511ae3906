"""What time it is, by the dates of neutral answers; and that no clock that is set meanwhile moves it."""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.cycle import Cycle, run_cycle
from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Trace
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.clock import AGREE_MS, agreed, clock_offset_ms
from probe.measuring.measurer import Findings
from probe.measuring.session import Settings
from probe.measuring.watch import MOST_DRIFT_MS
from probe.model import Attempt, Endpoint, Expect, Grade, HttpFacts, Operation, Step, Transport, Via, Void
from probe.net.clock import Anchor
from probe.targets import packaged
from tests.probe.builders import (
    NOW_MS,
    attempt,
    dated,
    endpoint,
    instruments,
    observation,
    scripted_shake,
    target,
    targets,
)
from tests.scripted import ScriptedDialer, Tcp, run

HTTP = endpoint("http", "203.0.113.80", 80)
TLS = endpoint("tls", "203.0.113.82", 443)
HTTPS = endpoint("http", "203.0.113.81", 443, transport=Transport.TLS)
STATUS = "http_unexpected_status_code"
HOUR_MS = 3_600_000


def found(*attempts: Attempt) -> Findings:
    return Findings(started_ms=NOW_MS, attempts=attempts)


def telling(offset_ms: int, where: Endpoint = HTTP, grade: Grade = Grade.TRANSPORT) -> Attempt:
    """An answer whose Date is so far from the device's clock."""
    return attempt(where, dated(NOW_MS + offset_ms - 500), grade=grade)


@pytest.mark.parametrize("offset", [0, 90_000, -3_600_000])
def test_the_clock_is_compared_with_the_date_of_neutral_answers(offset: int) -> None:
    """The answer comes 2 s after the start, and its date is cut to the second: 500 ms in the mean."""
    answer = attempt(HTTP, dated(NOW_MS + 2000 + offset - 500, started_us=2_000_000))
    assert clock_offset_ms([found(answer)]) == offset


def test_the_median_of_the_dates_counts() -> None:
    answers = [attempt(HTTP, dated(NOW_MS + offset - 500)) for offset in (0, 100, 9_999_999)]
    assert clock_offset_ms([found(*answers)]) == 100


def test_the_date_of_a_portal_does_not_count() -> None:
    portal = attempt(HTTP, dated(NOW_MS + 9_999_999, failure=STATUS))
    assert clock_offset_ms([found(portal)]) is None
    assert clock_offset_ms([]) is None


# --- Caches, proxies and forgers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offsets", "told"),
    [
        ([0, -2 * HOUR_MS], 0),  # one of two is wrong, and the device's own clock says which
        ([-2 * HOUR_MS, 0], 0),
        ([0, 0, -2 * HOUR_MS, -2 * HOUR_MS], 0),
        ([3 * HOUR_MS, 3 * HOUR_MS, 0], 3 * HOUR_MS),  # the device is wrong, and most know it
        ([3 * HOUR_MS, 3 * HOUR_MS], 3 * HOUR_MS),
        ([3 * HOUR_MS], 3 * HOUR_MS),
        ([3 * HOUR_MS, -2 * HOUR_MS], None),  # nobody agrees with anybody
        ([HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS], None),
    ],
)
def test_one_wrong_date_moves_nothing(offsets: list[int], told: int | None) -> None:
    assert clock_offset_ms([found(*(telling(each) for each in offsets))]) == told


@given(
    true=st.integers(-(10**10), 10**10),
    noise=st.lists(st.integers(-2_000, 2_000), min_size=1, max_size=5),
    forged=st.lists(st.integers(-(10**10), 10**10), max_size=5),
)
def test_fewer_forgers_than_honest_never_move_the_clock(true: int, noise: list[int], forged: list[int]) -> None:
    offsets = [float(true + each) for each in noise] + [float(each) for each in forged[: len(noise) - 1]]
    told = agreed(offsets)
    assert told is not None
    assert abs(told - true) <= 2_000 + AGREE_MS


def test_a_date_inside_tls_is_worth_more_than_any_number_in_clear() -> None:
    plain = [telling(-2 * HOUR_MS) for _ in range(3)]
    assert clock_offset_ms([found(*plain, telling(7_000, HTTPS, Grade.BOUND))]) == 7_000
    assert clock_offset_ms([found(telling(0), telling(0), telling(7_000, HTTPS, Grade.TRANSPORT))]) == 0  # not verified


@pytest.mark.parametrize(
    ("facts", "offset"),
    [
        ({"age_s": 7200, "passed_on": True}, 0),
        ({"age_s": 7200}, 0),
        ({"passed_on": True}, None),  # it does not say for how long it was kept
        ({}, -2 * HOUR_MS),
    ],
)
def test_a_date_is_as_old_as_the_page(facts: dict[str, int | bool], offset: int | None) -> None:
    seen = observation(Step.HTTP, http=HttpFacts(status=200, date_ms=NOW_MS - 2 * HOUR_MS - 500, **facts))
    assert clock_offset_ms([found(attempt(HTTP, seen))]) == offset


def test_a_time_at_which_every_neutral_certificate_is_out_of_date_is_none() -> None:
    """Both plain pages were forged, ten years ahead; by the device's own clock the certificates would be good."""
    pages = [telling(10 * 365 * 24 * HOUR_MS) for _ in range(2)]
    late = attempt(TLS, observation(Step.TLS, "ssl_invalid_certificate", operation=Operation.VERIFY))
    silent = attempt(TLS, observation(Step.TCP, "generic_timeout_error"))
    good = attempt(TLS, observation(Step.TLS), grade=Grade.BOUND)
    assert clock_offset_ms([found(*pages, late, silent)]) is None
    assert clock_offset_ms([found(*pages, late, good)]) == 10 * 365 * 24 * HOUR_MS
    assert clock_offset_ms([found(*pages, silent)]) == 10 * 365 * 24 * HOUR_MS
    assert clock_offset_ms([found(*pages, late, telling(0, HTTPS, Grade.BOUND))]) == 0


# --- From public reports ------------------------------------------------------------------------------------------


def seen_page(host: str, reply: bytes, where: Endpoint | None = None) -> Findings:
    where = where or endpoint("http", host=host, port=80)
    out = scripted_shake(ScriptedDialer({("tcp", host, 80): Tcp(always=[reply, b""])}), where)
    return found(attempt(where, *out.observations, address=host, via=Via.SYSTEM, grade=out.grade))


def day(age: int) -> str:
    return email.utils.formatdate(NOW_MS / 1000 - age, usegmt=True)


def test_a_cached_page_does_not_tell_the_time() -> None:
    """testssl/testssl.sh#2032"""
    aged = f"HTTP/1.1 200 OK\r\nDate: {day(7200)}\r\nVia: 1.1 cache.example\r\nAge: 7200\r\nContent-Length: 8\r\n"
    offset = clock_offset_ms([seen_page("203.0.113.1", f"{aged}Connection: close\r\n\r\nsuccess\n".encode())])
    assert offset is None or abs(offset) < 5_000


def test_the_packaged_pages_as_they_answer_in_public() -> None:
    """The second of the shipped clocks comes from a cache: a public capture of 2023-03-28 shows an Age of 16062."""
    portal = next(target for target in packaged().targets if target.id == "baseline/portal")
    aged = f"Via: 1.1 google\r\nDate: {day(16062)}\r\nAge: 16062\r\nCache-Control: public,max-age=0,s-maxage=3600\r\n"
    replies = {
        "connectivitycheck.gstatic.com": f"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nDate: {day(0)}\r\n\r\n",
        "detectportal.firefox.com": f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 8\r\n{aged}\r\nsuccess\n",
    }
    pages = []
    for number, where in enumerate(portal.endpoints, 1):
        address = f"203.0.113.{number}"
        pages.append(seen_page(address, replies[where.host].encode(), replace(where, address=address)))
    offset = clock_offset_ms(pages)
    assert offset is not None
    assert abs(offset) < 5_000


# --- The device's clock is set, or the device sleeps, while the cycle runs --------------------------------------------


class Device:
    """True time, by which the loop runs, and a wall clock that others set."""

    def __init__(self, wrong_ms: int) -> None:
        self.wrong_ms = wrong_ms  # the device's − the true time

    def true_ms(self) -> int:
        return NOW_MS + round(asyncio.get_running_loop().time() * 1000)

    def wall_ms(self) -> int:
        return self.true_ms() + self.wrong_ms


JUMPS = st.lists(st.tuples(st.floats(0, 600, allow_nan=False), st.integers(-(10**10), 10**10)), max_size=8)


@given(wrong_ms=st.integers(-(10**10), 10**10), error_ms=st.integers(-2_000, 2_000), jumps=JUMPS)
def test_the_corrected_time_is_as_right_as_its_calibration(
    wrong_ms: int, error_ms: int, jumps: Sequence[tuple[float, int]]
) -> None:
    """Whoever sets the device's clock, as often and as far as they like."""

    async def work() -> None:
        device = Device(wrong_ms)
        tools = instruments(ScriptedDialer(), wall_ms=device.wall_ms)
        tools = replace(tools, anchor=Anchor(tools.wall_ms(), tools.clock()), clock_offset_ms=error_ms - wrong_ms)
        for seconds, set_by_ms in jumps:
            await asyncio.sleep(seconds)
            device.wrong_ms += set_by_ms
            assert abs(tools.now_ms() - device.true_ms()) <= abs(error_ms) + 2  # of rounding to milliseconds
            assert abs(tools.drift_ms() - (device.wrong_ms - wrong_ms)) <= 2

    run(work())


def page_of(device: Device) -> Callable[[bytes], bytes]:
    """A neutral page, dated by the true time."""

    def reply(request: bytes) -> bytes:
        date = email.utils.formatdate(device.true_ms() // 1000, usegmt=True)
        return f"HTTP/1.1 204 No Content\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()

    return reply


@settings(max_examples=40, deadline=None)
@given(wrong_ms=st.integers(-(10**10), 10**10), silent=st.booleans(), jumps=JUMPS)
def test_a_whole_cycle_tells_the_true_time_however_its_clock_is_set(
    wrong_ms: int, silent: bool, jumps: Sequence[tuple[float, int]]
) -> None:
    """At every handshake with a service, in both rounds; only where the clock stood still is anything concluded."""
    errors: list[int] = []

    async def work() -> Cycle:
        device = Device(wrong_ms)

        def jump(by_ms: int) -> None:
            device.wrong_ms += by_ms

        async def asked(trace: Trace, where: Endpoint) -> Grade:
            errors.append(trace.instruments.now_ms() - device.true_ms())
            async with trace.step(Step.TCP, 10.0):
                if silent:
                    await asyncio.Event().wait()
            return Grade.TRANSPORT

        for seconds, by_ms in jumps:
            asyncio.get_running_loop().call_later(seconds / 20, jump, by_ms)
        portal = endpoint("http", "203.0.113.80", 80, expect=Expect(status=204))
        dialer = ScriptedDialer({("tcp", "203.0.113.80", 80): Tcp(always=[page_of(device)])})
        everything = targets(
            target("baseline/portal", portal), target("viber/chat", endpoint("tcp", "203.0.113.44", 443))
        )
        tools = instruments(dialer, wall_ms=device.wall_ms)
        with patch.dict(HANDSHAKES, {"tcp": asked}):
            cycle = await run_cycle(
                everything, tools, Settings(root=Path("/nowhere")), AllocateBudget(), lambda *_: None
            )
        drift_ms = abs(device.wrong_ms - wrong_ms)
        assert cycle.link.void is Void.CLOCK or drift_ms <= MOST_DRIFT_MS
        return cycle

    cycle = run(work())
    assert errors
    assert all(abs(error) <= 500 + 2 for error in errors)  # a Date is cut to the second
    assert {each.clock_offset_ms for each in cycle.measurements} == {cycle.clock_offset_ms}
