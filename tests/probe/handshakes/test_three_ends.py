"""A step that does not succeed ends by the network, at its limit, or by us; and what is ours is laid to nobody."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest
from msgspec.structs import replace

from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import StepFailed, Trace
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.measurer import Measurer
from probe.model import Attempt, Endpoint, NotAttempted, Operation, Step, Transport
from probe.protocols import FOLLOW_UPS, NAMEABLE
from tests.probe.builders import endpoint, instruments, scripted_shake, target, traced
from tests.scripted import Conversation, Later, ScriptedDialer, Tcp, Udp, freeze_at, run

HOST = "203.0.113.4"
OWN_ADDRESS = "198.51.100.7"
NAMED = {experiment: followed for followed, experiment in FOLLOW_UPS.items()}
OURS = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL]
every_handshake = pytest.mark.parametrize("name", sorted(HANDSHAKES))


def place(name: str) -> Endpoint:
    """Of an experiment, where what it follows up is dialled."""
    nameable = name if name in NAMEABLE else NAMED.get(name, "tls")
    return replace(endpoint(nameable, HOST, 443), handshake=name)


def silent(where: Endpoint) -> ScriptedDialer:
    over = "udp" if where.transport is Transport.UDP else "tcp"
    return ScriptedDialer({(over, HOST, 443): Udp() if over == "udp" else Tcp(hangs=where.handshake == "tcp")})


class Freezing(ScriptedDialer):
    """The process stands still, a while after it has dialled."""

    def __init__(self, silent: ScriptedDialer, at: float, seconds: float) -> None:
        super().__init__(silent.scripts)
        self.freeze = at, seconds

    def _open(self, key: Any) -> Conversation:
        freeze_at(*self.freeze)
        return super()._open(key)


@every_handshake
def test_silence_that_somebody_listened_to_is_silence(name: str) -> None:
    assert scripted_shake(silent(place(name)), place(name)).failure == "generic_timeout_error"


@every_handshake
@pytest.mark.parametrize("at", [0.2, 4.6])
@pytest.mark.parametrize("seconds", [2.5, 600.0])
def test_silence_while_we_stood_still_is_none(name: str, at: float, seconds: float) -> None:
    dialer = Freezing(silent(place(name)), at, seconds)
    assert scripted_shake(dialer, place(name)).failure == "interrupted"


@pytest.mark.parametrize("end", [b"", ConnectionResetError(104, "x")])
def test_who_hangs_up_on_us_while_we_stand_still_does_not_break_off(end: bytes | OSError) -> None:
    """A server waits so long for a ClientHello, and the hello was late."""
    dialer = Freezing(ScriptedDialer({("tcp", HOST, 443): Tcp([Later(5.0, end)])}), 0.5, 60.0)
    assert scripted_shake(dialer, place("tls")).failure == "interrupted"


def test_a_refusal_is_one_also_after_a_freeze() -> None:
    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 10):
            freeze_at(0.1, 5.0)
            await asyncio.sleep(1.0)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "x")

    assert traced(work).observations()[0].failure == "connection_refused"


def test_what_the_kernel_gave_up_is_the_networks() -> None:
    async def work(trace: Trace) -> None:
        async with trace.step(Step.TCP, 1000):
            raise OSError(errno.ETIMEDOUT, "x")

    assert traced(work).observations()[0].failure == "generic_timeout_error"


# --- Ours ---------------------------------------------------------------------------------------------------------


class Poor(ScriptedDialer):
    """A device that has no socket to give."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def _open(self, key: Any) -> Conversation:
        raise OSError(self.number, OWN_ADDRESS)


@every_handshake
@pytest.mark.parametrize("number", OURS)
def test_a_device_without_sockets_has_not_tried(name: str, number: int, caplog: pytest.LogCaptureFixture) -> None:
    attempt = attempted(Poor(number), name)
    assert (attempt.grade, attempt.not_attempted) == (None, NotAttempted.INTERNAL)
    assert "OSError" in caplog.text
    assert OWN_ADDRESS not in caplog.text


class Full(ScriptedDialer):
    """Sockets that can be had, and from which nothing can be sent."""

    def _open(self, key: Any) -> Conversation:
        opened = super()._open(key)

        async def send(data: bytes) -> None:
            raise OSError(errno.ENOBUFS, "x")

        opened.send = send  # type: ignore[method-assign]
        return opened


@pytest.mark.parametrize("name", [each for each in sorted(HANDSHAKES) if each != "tcp"])
def test_silence_after_what_was_not_sent_is_none(name: str) -> None:
    attempt = attempted(Full(silent(place(name)).scripts), name)
    assert (attempt.grade, attempt.not_attempted) == (None, NotAttempted.INTERNAL)


def attempted(dialer: ScriptedDialer, name: str) -> Attempt:
    measurer = Measurer(instruments(dialer), [], frozenset({4}), AllocateBudget())
    (attempt,) = run(measurer.measure(target("svc/call", place(name)))).attempts
    return attempt


async def raising(trace: Trace, error: Exception) -> None:
    async with trace.step(Step.TLS, 10) as record:
        record.operation = Operation.READ
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), OSError("x"), OSError(errno.EINVAL, "x")])
def test_a_mistake_of_ours_is_recorded_as_ours(error: Exception) -> None:
    async def work(trace: Trace) -> None:
        with pytest.raises(StepFailed) as failed:
            await raising(trace, error)
        assert failed.value.by_us

    assert traced(work).observations()[0].failure == f"unknown_failure: {type(error).__name__}"


@pytest.mark.parametrize("error", [EOFError(), TimeoutError(), ConnectionResetError(errno.ECONNRESET, "x")])
def test_what_the_network_did_is_not_ours(error: Exception) -> None:
    async def work(trace: Trace) -> None:
        with pytest.raises(StepFailed) as failed:
            await raising(trace, error)
        assert not failed.value.by_us

    traced(work)
