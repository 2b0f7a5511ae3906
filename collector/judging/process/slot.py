"""The slot: which measurement is being judged now, where the collector finds it when its judging process has died."""

from __future__ import annotations

import mmap
import os
import signal

import msgspec

from collector.judging.quarantine import SLOW_S, Identity

BYTES = 256
HANGS_S = 2 * SLOW_S  # of processor: then the system ends the process
_IDENTITY = msgspec.msgpack.Decoder(Identity)


class Slot:
    """In the file `descriptor`, of BYTES, which both sides map."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, BYTES)

    def read(self) -> Identity | None:
        """(key, uid); None when nothing is being judged."""
        size = self._map[0]
        return _IDENTITY.decode(self._map[1 : 1 + size]) if size else None

    def begins(self, one: Identity) -> None:
        """It is being judged from now on. When it takes too much of the processor, the system ends this process."""
        name = msgspec.msgpack.encode(one)[: BYTES - 1]
        self._map[1 : 1 + len(name)] = name
        self._map[0] = len(name)
        signal.setitimer(signal.ITIMER_PROF, HANGS_S)

    def ends(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._map[0] = 0

    def close(self) -> None:
        self._map.close()


def nice() -> None:
    """Whoever receives and reads goes first."""
    os.nice(5)
