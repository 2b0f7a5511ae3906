"""One question over UDP: when it is sent, what ends the wait, what does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from probe.failure import Failed
from probe.handshakes.transaction import SEND_OFFSETS, Transaction
from probe.model import IcmpFacts, Step
from probe.net.record import StepRecord
from tests.scripted import Icmp, Later, ScriptedDialer, Turn, Udp, run

KEY = ("udp", "203.0.113.4", 3478)
REFUSED = ConnectionRefusedError(111, "x")
FORGED = Icmp(REFUSED, IcmpFacts(type=3, code=3, from_target=False))


def answer(data: bytes) -> bytes | None:
    return data if data.startswith(b"answer") else None


class Asked:
    """One transaction against a script, to its end."""

    def __init__(self, *turns: Turn, always: Turn = (), give_up: float = 8.0, scale: float = 1.0) -> None:
        self.dialer = ScriptedDialer({KEY: Udp(*turns, always=always)})
        self.record = StepRecord(Step.STUN, 0.0)
        self.result: bytes | None = None
        self.failure: str | None = None
        self.ended = 0.0
        run(self._ask(give_up, scale))

    async def _ask(self, give_up: float, scale: float) -> None:
        self.transaction = Transaction(await self.dialer.udp(*KEY[1:]), b"question", answer)
        try:
            self.result = await self.transaction.run(self.record, give_up, scale)
        except Failed as error:
            self.failure = error.failure
        self.ended = asyncio.get_running_loop().time()

    @property
    def times(self) -> list[float]:
        return [each.at for each in self.dialer.sent]


def test_the_schedule_is_the_designs() -> None:
    assert SEND_OFFSETS == (0, 0.5, 1, 1.5, 2.5, 3.5, 5.5)


def test_silence_is_asked_again_on_schedule_and_given_up() -> None:
    asked = Asked()
    assert asked.times == pytest.approx(SEND_OFFSETS)
    assert {each.data for each in asked.dialer.sent} == {b"question"}
    assert (asked.failure, asked.transaction.sends, asked.ended) == ("generic_timeout_error", 7, 8.0)


def test_nothing_is_sent_after_the_time_to_give_up() -> None:
    asked = Asked(give_up=2.0)
    assert asked.times == pytest.approx([0, 0.5, 1, 1.5])
    assert asked.ended == 2.0


def test_time_is_scaled() -> None:
    asked = Asked(scale=0.1)
    assert asked.times == pytest.approx([offset / 10 for offset in SEND_OFFSETS])
    assert asked.ended == pytest.approx(0.8)


def test_an_answer_ends_the_sending() -> None:
    asked = Asked([], [], [Later(0.25, b"answer")])
    assert (asked.result, asked.transaction.sends) == (b"answer", 3)
    assert asked.ended == pytest.approx(1.25)


def test_the_answer_to_an_earlier_sending_counts() -> None:
    asked = Asked([Later(0.7, b"answer")])
    assert (asked.result, asked.transaction.sends, asked.ended) == (b"answer", 2, pytest.approx(0.7))


def test_the_first_datagram_is_not_the_answer() -> None:
    asked = Asked([b"", b"junk", lambda request: request, b"answer"])
    assert (asked.result, asked.transaction.unmatched) == (b"answer", 3)


def test_junk_alone_is_a_timeout_and_counted() -> None:
    asked = Asked(always=[b"junk", b"junk"])
    assert (asked.failure, asked.transaction.unmatched, asked.transaction.sends) == ("generic_timeout_error", 14, 7)


def test_an_icmp_is_the_failure_after_the_whole_wait() -> None:
    asked = Asked(always=[FORGED])
    assert (asked.failure, asked.record.kept(IcmpFacts)) == ("connection_refused", FORGED.facts)
    assert (asked.transaction.sends, asked.ended) == (7, 8.0)


@pytest.mark.parametrize("delay", [0.1, 0.4, 1.2, 7.9])
def test_a_forged_icmp_loses_against_the_genuine_reply_and_is_kept(delay: float) -> None:
    asked = Asked([FORGED, Later(delay, b"answer")])
    assert (asked.result, asked.failure) == (b"answer", None)
    assert asked.record.kept(IcmpFacts) == FORGED.facts


def test_an_error_while_sending_does_not_end_the_wait() -> None:
    asked = Asked()

    async def again() -> tuple[bytes, int]:
        datagrams = Stubborn(await asked.dialer.udp(*KEY[1:]), fails=3)
        transaction = Transaction(datagrams, b"question", answer)
        result = await transaction.run(StepRecord(Step.STUN, 0.0), 8.0, 1.0)
        return result, transaction.sends

    asked.dialer.scripts[KEY] = Udp([b"answer"])
    assert run(again()) == (b"answer", 4)


class Stubborn:
    """Its first sends fail, as they do after an ICMP error."""

    def __init__(self, inner: Any, fails: int) -> None:
        self._inner, self._fails = inner, fails
        self.receive: Callable[[], Any] = inner.receive
        self.icmp = None

    async def send(self, data: bytes) -> None:
        if self._fails:
            self._fails -= 1
            raise REFUSED
        await self._inner.send(data)


def test_nothing_that_could_be_sent_is_its_own_failure() -> None:
    async def work() -> str:
        dialer = ScriptedDialer()
        transaction = Transaction(Stubborn(await dialer.udp(*KEY[1:]), fails=99), b"question", answer)
        with pytest.raises(Failed) as failed:
            await transaction.run(StepRecord(Step.STUN, 0.0), 8.0, 1.0)
        return failed.value.failure

    assert run(work()) == "connection_refused"


def test_being_cancelled_ends_it() -> None:
    async def work() -> None:
        dialer = ScriptedDialer()
        transaction = Transaction(await dialer.udp(*KEY[1:]), b"question", answer)
        task = asyncio.create_task(transaction.run(StepRecord(Step.STUN, 0.0), 8.0, 1.0))
        await asyncio.sleep(0.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(dialer.sent) == 2

    run(work())
