"""A network that answers by script, and a clock that does not wait: exact, and without luck.

`run(work)` runs on a loop whose time passes only while everybody waits, and then at once: eight seconds of silence
take no time, and what is sent at 0.5 s is sent at 0.5. `ScriptedDialer` maps (transport, address, port) to a `Udp` or
`Tcp` script, and keeps what was dialled and sent. What no script covers is silence.

A script has turns: what comes back when something is sent for the first time, the second time, and so on. A reply is
bytes, a function of the request, an error to raise in place of a datagram, or one of these `Later`. On TCP b"" is
the end of the stream.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from probe.model import IcmpFacts
from probe.net.dialer import Counters

T = TypeVar("T")
Key = tuple[str, str, int]  # transport, address, port
OWN = {4: "198.51.100.7", 6: "2001:db8:7::7"}  # the volunteer's, as the scripted link has them


@dataclass(frozen=True)
class Icmp:
    """An ICMP error: what receive raises, and what the error queue says of it."""

    error: OSError
    facts: IcmpFacts


Now = bytes | OSError | Icmp | Callable[[bytes], bytes]


@dataclass(frozen=True)
class Later:
    """A reply that comes so many seconds after the request."""

    seconds: float
    reply: Now


Turn = Sequence[Now | Later]


class Udp:
    """`always` instead of turns: the same replies to each datagram."""

    def __init__(self, *turns: Turn, always: Turn = (), refuses: OSError | None = None) -> None:
        self.turns, self.always, self.refuses = turns, always, refuses

    def replies(self, nth: int) -> Turn:
        return self.turns[nth] if nth < len(self.turns) else self.always


class Tcp(Udp):
    """Accepts, unless it `refuses` with an error or `hangs`."""

    def __init__(self, *turns: Turn, always: Turn = (), refuses: OSError | None = None, hangs: bool = False) -> None:
        super().__init__(*turns, always=always, refuses=refuses)
        self.hangs = hangs


@dataclass(frozen=True)
class Sent:
    """Something that was sent: where to, from which port of ours, when."""

    key: Key
    port: int
    at: float
    data: bytes


@dataclass
class Conversation:
    """One socket: both of Datagrams and of Stream."""

    key: Key
    script: Udp
    record: list[Sent]
    local: tuple[str, int]
    counters: Counters = field(default_factory=Counters)
    icmp: IcmpFacts | None = None
    closed: bool = False
    sends: int = 0
    incoming: asyncio.Queue[bytes | OSError | Icmp] = field(default_factory=asyncio.Queue)

    async def send(self, data: bytes) -> None:
        assert not self.closed, f"{self.key} was sent to after it was closed"
        loop = asyncio.get_running_loop()
        self.record.append(Sent(self.key, self.local[1], loop.time(), data))
        self.counters.sent(data)
        replies = self.script.replies(self.sends)
        self.sends += 1
        for reply in replies:
            delay, what = (reply.seconds, reply.reply) if isinstance(reply, Later) else (0.0, reply)
            answer = what(data) if callable(what) else what
            if delay:
                loop.call_later(delay, self.incoming.put_nowait, answer)
            else:
                self.incoming.put_nowait(answer)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        item = await self.incoming.get()
        if isinstance(item, Icmp):
            self.icmp = item.facts
            raise item.error
        if isinstance(item, OSError):
            raise item
        self.counters.received(item)
        return item

    def acknowledged(self) -> bool | None:
        return None

    def close(self) -> None:
        self.closed = True


class ScriptedDialer:
    """`own` gives the volunteer's address per family; a family without one has no route."""

    def __init__(self, scripts: Mapping[Key, Udp] | None = None, own: Mapping[int, str] | None = None) -> None:
        self.scripts = dict(scripts or {})
        self.own = dict(OWN if own is None else own)
        self.dialled: list[Key] = []
        self.sent: list[Sent] = []
        self.opened: list[Conversation] = []
        self._ports = itertools.count(40001)

    async def udp(self, address: str, port: int) -> Conversation:
        return self._open(("udp", address, port))

    async def tcp(self, address: str, port: int) -> Conversation:
        stream = self._open(("tcp", address, port))
        if isinstance(stream.script, Tcp) and not stream.script.hangs:
            await asyncio.sleep(0)
            return stream
        self.opened.remove(stream)  # it never was
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this wait")

    def sent_to(self, key: Key) -> list[Sent]:
        return [each for each in self.sent if each.key == key]

    def asked(self, *, but: Sequence[str] = ()) -> list[Key]:
        """What was sent to or connected to, in order: without the look at the routing table."""
        return [key for key in self.dialled if key[2] != 9 and key[1] not in but]

    @property
    def still_open(self) -> list[Key]:
        return [each.key for each in self.opened if not each.closed]

    def _open(self, key: Key) -> Conversation:
        self.dialled.append(key)
        script = self.scripts.get(key, Udp())
        if script.refuses is not None:
            raise script.refuses
        family = 6 if ":" in key[1] else 4
        if family not in self.own:
            raise OSError(101, "Network is unreachable")
        opened = Conversation(key, script, self.sent, (self.own[family], next(self._ports)))
        self.opened.append(opened)
        return opened


# --- A clock that does not wait -------------------------------------------------------------------------------


class Standstill(AssertionError):
    """Everybody waits, and nothing that anybody waits for is due."""


class _Skipping(selectors.SelectSelector):
    """Instead of waiting for the time to pass, says that it has passed."""

    loop: Hourglass

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Standstill
        if not ready and timeout is not None:
            self.loop.now += max(timeout, 0.0)
        return ready


class Hourglass(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _Skipping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def freeze_at(at: float, seconds: float) -> None:
    """The whole process stands still for so long, `at` seconds from now; its clock goes on, and nobody listens."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Hourglass)

    def stand_still() -> None:
        loop.now += seconds

    loop.call_later(at, stand_still)


def run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=Hourglass) as runner:
        return runner.run(work)
