"""A step is recorded on every exit path; what lingers is bounded; nothing stays open."""

from __future__ import annotations

import asyncio

import pytest

from probe.failure import Failed
from probe.handshakes.trace import StepFailed, Trace
from probe.model import DnsFacts, Operation, Step
from probe.net.record import StepRecord
from tests.probe.builders import instruments, traced
from tests.scripted import Later, ScriptedDialer, Tcp, Udp, run

HOST = "203.0.113.4"


def test_a_step_that_ends_is_a_success_with_its_times() -> None:
    async def work(trace: Trace) -> None:
        await asyncio.sleep(1)
        async with trace.step(Step.TCP, 10):
            await asyncio.sleep(0.25)
        async with trace.step(Step.TLS, 10):
            await asyncio.sleep(0.5)

    first, second = traced(work).observations()
    assert (first.failure, first.operation, first.started_us, first.took_us) == (None, None, 1_000_000, 250_000)
    assert (second.failure, second.started_us, second.took_us) == (None, 1_250_000, 500_000)


def test_times_count_from_the_origin_that_is_given() -> None:
    async def work() -> int:
        trace = Trace(instruments(ScriptedDialer()), origin=0.0)
        await asyncio.sleep(3)
        async with trace.step(Step.TCP, 10):
            pass
        return trace.observations()[0].started_us

    assert run(work()) == 3_000_000


def test_the_clock_is_monotonic_and_not_the_wall() -> None:
    ticks = iter([10.0, 11.0, 13.5])

    async def work() -> Trace:
        trace = Trace(instruments(ScriptedDialer(), clock=lambda: next(ticks), wall_ms=lambda: 1 / 0))
        async with trace.step(Step.TCP, 10):
            pass
        return trace

    seen = run(work()).observations()[0]
    assert (seen.started_us, seen.took_us) == (1_000_000, 2_500_000)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (Failed("ssl_invalid_hostname"), "ssl_invalid_hostname"),
        (ConnectionResetError(104, "x"), "connection_reset"),
        (EOFError(), "eof_error"),
        (ZeroDivisionError("198.51.100.7"), "unknown_failure: ZeroDivisionError"),
    ],
)
def test_a_step_that_raises_is_recorded_with_where(error: Exception, failure: str) -> None:
    async def work(trace: Trace) -> None:
        async with trace.step(Step.TLS, 10) as record:
            record.operation = Operation.READ
            raise error

    seen = traced(work).observations()
    assert [(each.step, each.failure, each.operation) for each in seen] == [(Step.TLS, failure, Operation.READ)]


def test_what_a_failed_step_raises_says_no_more() -> None:
    async def work(trace: Trace) -> None:
        with pytest.raises(StepFailed):
            async with trace.step(Step.TLS, 10):
                raise ValueError

    traced(work)


def test_a_step_that_takes_too_long_times_out_at_its_scaled_limit() -> None:
    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 10):
            await asyncio.sleep(100)

    seen = traced(work, scale=0.5).observations()[0]
    assert (seen.failure, seen.took_us) == ("generic_timeout_error", 5_000_000)


def test_a_cancelled_step_is_interrupted_and_stays_cancelled() -> None:
    async def work() -> Trace:
        trace = Trace(instruments(ScriptedDialer()))

        async def stuck() -> None:
            async with trace.step(Step.TCP, 10) as record:
                record.operation = Operation.CONNECT
                await asyncio.Event().wait()

        task = asyncio.create_task(stuck())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return trace

    seen = run(work()).observations()[0]
    assert (seen.failure, seen.operation, seen.took_us) == ("interrupted", Operation.CONNECT, 1_000_000)


def test_a_step_in_progress_reads_as_interrupted() -> None:
    assert StepRecord(Step.TCP, 0.0).observation(0.0).failure == "interrupted"


def test_a_step_counts_only_its_own_bytes() -> None:
    dialer = ScriptedDialer({("tcp", HOST, 80): Tcp([b"12345"], [b"1", b"2"], [b"late"])})

    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 10) as record:
            stream = await trace.tcp(record, HOST, 80)
            await stream.send(b"abc")
            await stream.receive()
        await stream.send(b"between two steps")
        async with trace.step(Step.HTTP, 10) as record:
            record.count(stream.counters)
            await stream.receive()
            await stream.receive()
        await stream.send(b"after the last")

    first, second = traced(work, dialer).observations()
    assert (first.bytes_sent, first.bytes_received, first.packets_sent, first.packets_received) == (3, 5, 1, 1)
    assert (second.bytes_sent, second.bytes_received, second.packets_received) == (0, 2, 2)


def test_a_step_counts_all_its_sockets_also_when_it_fails() -> None:
    dialer = ScriptedDialer({("udp", HOST, 1): Udp(), ("udp", HOST, 2): Udp()})

    async def work(trace: Trace) -> None:
        async with trace.step(Step.DNS, 10) as record:
            for port in (1, 2):
                await (await trace.udp(record, HOST, port)).send(b"abc")
            raise EOFError

    seen = traced(work, dialer).observations()[0]
    assert (seen.bytes_sent, seen.packets_sent, seen.operation) == (6, 2, Operation.CONNECT)


def test_what_is_refused_fails_at_connect() -> None:
    dialer = ScriptedDialer({("tcp", HOST, 80): Tcp(refuses=ConnectionRefusedError(111, "x"))})

    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 10) as record:
            await trace.tcp(record, HOST, 80)

    seen = traced(work, dialer).observations()[0]
    assert (seen.failure, seen.operation) == ("connection_refused", Operation.CONNECT)


async def linger_on(trace: Trace, limit: float = 2.5) -> None:
    async with trace.step(Step.DNS, 10) as record:
        record.keep(DnsFacts(resolver="isp"))
        datagrams = await trace.udp(record, HOST, 53)
        await datagrams.send(b"?")

        async def late() -> None:
            record.keep(DnsFacts(resolver="isp", late=((await datagrams.receive()).decode(),)))

        trace.linger(late(), limit)


def lingered(script: Udp, **changes: float) -> tuple[Trace, float, ScriptedDialer]:
    dialer = ScriptedDialer({("udp", HOST, 53): script})

    async def work() -> tuple[Trace, float]:
        trace = Trace(instruments(dialer, **changes))
        await linger_on(trace)
        await trace.finish()
        return trace, asyncio.get_running_loop().time()

    trace, ended = run(work())
    return trace, ended, dialer


def test_what_comes_late_is_added_and_is_no_part_of_the_step() -> None:
    trace, ended, _ = lingered(Udp([Later(2.0, b"late")]))
    seen = trace.observations()[0]
    assert seen.dns == DnsFacts(resolver="isp", late=("late",))
    assert (seen.failure, seen.took_us, seen.bytes_received) == (None, 0, 0)
    assert ended == 2.0


def test_lingering_ends_at_its_limit() -> None:
    trace, ended, _ = lingered(Udp([Later(2.6, b"too late")]))
    assert trace.observations()[0].dns == DnsFacts(resolver="isp")
    assert ended == 2.5


def test_the_limit_of_lingering_is_scaled() -> None:
    assert lingered(Udp(), scale=0.1)[1] == 0.25


def test_an_error_while_lingering_is_passed_over() -> None:
    trace, _, dialer = lingered(Udp([ConnectionRefusedError(111, "x")]))
    assert trace.observations()[0].failure is None
    assert dialer.still_open == []


def test_a_mistake_while_lingering_loses_nothing() -> None:
    trace, _, dialer = lingered(Udp([b"\xff"]))  # does not decode
    assert trace.observations()[0].failure is None
    assert dialer.still_open == []


def test_every_socket_is_closed_at_the_end() -> None:
    dialer = ScriptedDialer({("tcp", HOST, 80): Tcp()})

    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 10) as record:
            await trace.udp(record, HOST, 1)
            await trace.tcp(record, HOST, 80)
            raise ValueError

    traced(work, dialer)
    assert len(dialer.opened) == 2
    assert dialer.still_open == []


def test_a_cancelled_finish_closes_too() -> None:
    dialer = ScriptedDialer({("udp", HOST, 53): Udp()})

    async def work() -> None:
        trace = Trace(instruments(dialer))
        await linger_on(trace)
        task = asyncio.create_task(trace.finish())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
    assert dialer.still_open == []


def test_closing_without_finishing_stops_what_lingers() -> None:
    dialer = ScriptedDialer({("udp", HOST, 53): Udp()})

    async def work() -> int:
        trace = Trace(instruments(dialer))
        await linger_on(trace)
        trace.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert run(work()) == 1
    assert dialer.still_open == []
