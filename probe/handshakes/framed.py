"""One question over a stream, and its own answer: sent once, for TCP repeats by itself what got lost.

What is framed as it should be and answers nothing that we asked is counted and passed over. What is not framed so comes
from something that does not speak the protocol, and ends the wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from probe.codecs.framing import Framing, split, wrap
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.model import Operation
from probe.net.dialer import Stream
from probe.net.record import StepRecord

T = TypeVar("T")


@dataclass(slots=True)
class FramedTransaction(Generic[T]):
    """A transaction. `match` reads a message that answers `request`: None for another, ValueError for a broken one."""

    stream: Stream
    framing: Framing
    request: bytes
    match: Callable[[bytes], T | None]
    unmatched: int = 0
    buffer: bytes = b""

    async def run(self, record: StepRecord) -> T:
        """The answer. Raises OSError, EOFError, Failed(`unexpected_reply`); the step sets the limit of time."""
        record.operation = Operation.WRITE
        await self.stream.send(wrap(self.framing, self.request))
        record.operation = Operation.READ
        while True:
            matched = self._matched(record, await self._next())
            if matched is not None:
                return matched
            self.unmatched += 1

    def _matched(self, record: StepRecord, message: bytes) -> T | None:
        try:
            return self.match(message)
        except ValueError as error:
            record.operation = Operation.DECODE
            raise Failed(UNEXPECTED_REPLY) from error

    async def _next(self) -> bytes:
        while True:
            try:
                taken = split(self.framing, self.buffer)
            except ValueError as error:
                raise Failed(UNEXPECTED_REPLY) from error
            if taken is not None:
                message, self.buffer = taken
                return message
            received = await self.stream.receive()
            if not received:
                raise EOFError
            self.buffer += received
