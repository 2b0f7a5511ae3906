"""A trace records what one attempt did: each step timed, bounded, classified, written on every exit path.

A step is born `interrupted` and cleared at its end, so that a cancelled step can never read as a success. A record
stays open until `finish()`: `linger()` keeps a socket listening in the background and adds what comes late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from probe.failure import BROKEN_OFF, INTERRUPTED, TIMEOUT, classify, fault_text, is_fault
from probe.model import Fingerprint, Observation, Operation, Step
from probe.net.clock import Anchor
from probe.net.dialer import Datagrams, Dialer, Stream
from probe.net.record import StepRecord
from probe.net.system_names import SystemNames
from probe.net.waiting import StallWatch
from probe.secure.trust import Trust

logger = logging.getLogger(__name__)


class StepFailed(Exception):
    """The step failed and is recorded; there is nothing left to do but to end the handshake.

    `by_us`: it was a fault of ours, so that nothing was measured.
    """

    def __init__(self, *, by_us: bool = False) -> None:
        super().__init__()
        self.by_us = by_us


class Instruments(Struct, frozen=True, kw_only=True):
    """The instruments of a measurement. Tests put their own in."""

    dialer: Dialer
    clock: Callable[[], float]  # monotonic, seconds
    wall_ms: Callable[[], int]  # this device's idea of Unix time
    random_bytes: Callable[[int], bytes]
    new_uid: Callable[[], str]  # 16 bytes, hex; never the same twice
    trust: Trust
    scale: float = 1.0  # of every limit and every pause
    anchor: Anchor | None = None  # one moment by both clocks, since when the cycle counts; None: wall_ms tells the time
    clock_offset_ms: int | None = None  # true time − the device's, once the self-check has measured it
    system_names: SystemNames | None = None  # the system's own resolver, where its servers are not known
    own_addresses: frozenset[str] = frozenset()  # the volunteer's: never to be recorded, even as an answer
    fingerprints: tuple[Fingerprint, ...] = ()

    def now_ms(self) -> int:
        """The corrected time."""
        return self.device_ms() + (self.clock_offset_ms or 0)

    def device_ms(self) -> int:
        """The device's clock, as if nobody had set it since the cycle began."""
        return self.wall_ms() if self.anchor is None else self.anchor.wall_at(self.clock())

    def drift_ms(self) -> int:
        """By how much wall and monotonic clock have parted since the cycle began."""
        return self.wall_ms() - self.device_ms()


def _failure(error: Exception, stood_still: bool) -> str:
    """Silence that nobody listened to is none, and a peer hangs up on whoever stands still."""
    failure = classify(error)
    return INTERRUPTED if stood_still and failure in BROKEN_OFF | {TIMEOUT} else failure


class Trace:
    """Records the steps of one attempt, in the order in which they started; times count from `origin`."""

    def __init__(self, instruments: Instruments, origin: float | None = None) -> None:
        self.instruments = instruments
        self.origin = instruments.clock() if origin is None else origin
        self._records: list[StepRecord] = []
        self._open: list[Datagrams | Stream] = []
        self._lingering: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def step(self, step: Step, limit: float) -> AsyncIterator[StepRecord]:
        """One layer of a handshake, at most `limit` seconds. Raises StepFailed after recording a failure.

        It ends in success, in a failure of the other end or of the way there, at its limit, or by a fault of ours.
        """
        record = StepRecord(step, self.instruments.clock())
        self._records.append(record)
        watch = StallWatch(self.scaled(limit))
        try:
            with watch:
                async with asyncio.timeout(self.scaled(limit)):
                    yield record
            record.failure = None
        except Exception as error:
            record.failure = _failure(error, watch.stood_still)
            by_us = is_fault(error)
            if by_us:
                logger.error("A fault of ours at the step %s:\n%s", step, fault_text(error))
            raise StepFailed(by_us=by_us) from error
        finally:
            record.settle(self.instruments.clock())

    def scaled(self, seconds: float) -> float:
        return seconds * self.instruments.scale

    async def udp(self, record: StepRecord, address: str, port: int) -> Datagrams:
        record.operation = Operation.CONNECT
        datagrams = await self.instruments.dialer.udp(address, port)
        self._open.append(datagrams)
        record.count(datagrams.counters)
        return datagrams

    async def tcp(self, record: StepRecord, address: str, port: int) -> Stream:
        record.operation = Operation.CONNECT
        stream = await self.instruments.dialer.tcp(address, port)
        self._open.append(stream)
        record.count(stream.counters)
        return stream

    def linger(self, listening: Awaitable[None], limit: float) -> None:
        """Listens on in the background, at most `limit` seconds, until `finish()`."""

        async def bounded() -> None:
            with suppress(Exception):  # what comes late is an extra: nothing wrong with it may cost the measurement
                async with asyncio.timeout(self.scaled(limit)):
                    await listening

        self._lingering.append(asyncio.create_task(bounded()))

    async def finish(self) -> tuple[Observation, ...]:
        """Waits for what lingers, closes every socket, and gives the observations."""
        try:
            await asyncio.gather(*self._lingering)
        finally:
            self.close()
        return self.observations()

    def close(self) -> None:
        """Ends what lingers and closes every socket; `finish()` waits first."""
        for task in self._lingering:
            task.cancel()
        for opened in self._open:
            opened.close()

    def observations(self) -> tuple[Observation, ...]:
        return tuple(record.observation(self.origin) for record in self._records)
