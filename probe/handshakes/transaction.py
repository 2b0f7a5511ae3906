"""One question over UDP, asked on a schedule until its own answer comes.

The first datagram is not the answer: what matches no question of ours is counted and passed over. An ICMP error, and
a reply to our transaction that cannot be read, is kept as the failure to report if nothing better comes, but does not
end the wait: whoever forges one would otherwise win against the genuine reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from probe.net.dialer import Datagrams
from probe.net.record import StepRecord
from probe.net.waiting import Unanswered

# Seconds since the first time, of the same bytes. Denser than RFC 8489 section 6.2.1, so that loss at random is not
# taken for silence: at 30 % each way, one request in a hundred would get no answer.
SEND_OFFSETS = (0.0, 0.5, 1.0, 1.5, 2.5, 3.5, 5.5)

T = TypeVar("T")


@dataclass(slots=True)
class Transaction(Generic[T]):
    """`match` gives what a datagram says if it answers `request`, else None.

    It raises ValueError for what carries our transaction and cannot be read, and nothing else.
    """

    datagrams: Datagrams
    request: bytes
    match: Callable[[bytes], T | None]
    sends: int = 0
    unmatched: int = 0
    unanswered: Unanswered = field(default_factory=Unanswered)

    async def run(self, record: StepRecord, give_up: float, scale: float) -> T:
        """The answer. After `give_up` seconds raises Failed, as an ICMP error or a timeout, or our own fault."""
        start = asyncio.get_running_loop().time()
        offsets = [offset for offset in SEND_OFFSETS if offset < give_up]
        for end in (*offsets[1:], give_up):
            await self._send()
            try:
                async with asyncio.timeout_at(start + end * scale):
                    return await self.next_match()
            except TimeoutError:
                continue
            finally:
                record.keep(self.datagrams.icmp)
        record.operation = self.unanswered.operation
        raise self.unanswered.error()

    async def next_match(self) -> T:
        """Listens until something matches, however long that takes."""
        while True:
            try:
                data = await self.datagrams.receive()
            except OSError as error:
                self.unanswered.note(error)
                continue
            try:
                matched = self.match(data)
            except ValueError:
                matched, self.unanswered.unreadable = None, True
            if matched is not None:
                return matched
            self.unmatched += 1

    async def _send(self) -> None:
        try:
            await self.datagrams.send(self.request)
        except OSError as error:
            self.unanswered.note(error)
        self.sends += 1
