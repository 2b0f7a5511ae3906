"""What the collector and its judging process say to each other: frames of MessagePack, over a socket pair.

The judging process writes no shared file. It reads the log and the index, asks for what stands in the warehouse, and
tells what is to stand there: the collector alone writes, rows and position in one transaction.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from collector.warehouse.basis import Basis
from collector.warehouse.tables import Change

Hour = tuple[str, int]
Values = tuple[Any, ...]
LENGTH_BYTES = 4


class Ended(Exception):
    """The other side is gone."""


class Message(Struct, frozen=True, tag=True):
    """Of which every class names itself on the wire."""


# --- By the judging process


class Select(Message, frozen=True):
    """Asks for the rows of a constant statement."""

    statement: str
    parameters: Any = ()


class IsDamaged(Message, frozen=True): ...


class StartAgain(Message, frozen=True): ...


class Begin(Message, frozen=True):
    basis: Basis


class ChangeBasis(Message, frozen=True):
    basis: Basis
    hours: list[Hour]
    apart: list[str]
    since_hour: int


class Put(Message, frozen=True):
    change: Change
    cursor: int
    waited: list[Hour]


class Adopt(Message, frozen=True):
    path: str


class Extend(Message, frozen=True):
    """Asks to take more of the log into the index."""

    limit: int


class Stepped(Message, frozen=True):
    """A step is done: how much it was, and how many measurements cannot be judged, by class of exception."""

    done: int
    quarantined: dict[str, int]


class Failed(Message, frozen=True):
    """A step failed. `said` is for the owner, `fault` for the log: where it was, without its words."""

    said: str
    fault: str


Request = Select | IsDamaged | StartAgain | Begin | ChangeBasis | Put | Adopt | Extend | Stepped | Failed

# --- By the collector


class Start(Message, frozen=True, kw_only=True):
    """What a judging process is for. `condemned`: (key, uid) of measurements at which earlier ones died."""

    log: str
    index: str
    targets: str
    warehouse: str
    controls: frozenset[str]
    told: bool
    is_ahead: bool
    condemned: list[tuple[str, str]] = []


class Step(Message, frozen=True):
    limit: int


class Answer(Message, frozen=True):
    value: Any = None


class Refused(Message, frozen=True):
    """What was asked for could not be done now."""


Order = Start | Step | Answer | Refused


class Link:
    """One end of the socket pair. Raises Ended when the other is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
        self._orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)

    def send(self, message: Request | Order) -> None:
        body = msgspec.msgpack.encode(message)
        try:
            self._sock.sendall(len(body).to_bytes(LENGTH_BYTES) + body)
        except OSError as error:
            raise Ended from error

    def request(self) -> Request:
        """The next that the judging process says."""
        return self._requests.decode(self._frame())

    def order(self) -> Order:
        """The next that the collector says."""
        return self._orders.decode(self._frame())

    def close(self) -> None:
        """Also wakes a thread that waits for the other side."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _frame(self) -> bytes:
        return self._exactly(int.from_bytes(self._exactly(LENGTH_BYTES)))

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._sock.recv(min(size - len(parts), 1 << 20))
            except OSError as error:
                raise Ended from error
            if not part:
                raise Ended
            parts += part
        return bytes(parts)


def rows(found: Sequence[Sequence[Any]]) -> list[Values]:
    """Rows as they were before they were sent."""
    return [tuple(row) for row in found]
