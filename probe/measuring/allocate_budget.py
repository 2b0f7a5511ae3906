"""What a relay may be asked for: at most four Allocate transactions an hour per address and transport.

Remembered across runs, in a file of the services' addresses; nothing in it is the volunteer's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from probe import durable
from probe.model import HOUR_MS, Endpoint

ALLOCATES_PER_HOUR = 4


class Budget(Protocol):
    def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
        """True, and one transaction is spent; False when there is none left."""
        ...


class AllocateBudget:
    """Kept in `path`; a file that cannot be read counts as empty."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._spent = _read(path)

    def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
        relay = f"{endpoint.transport}:{endpoint.address}"
        recent = [at for at in self._spent.get(relay, ()) if now_ms - HOUR_MS < at <= now_ms]
        if len(recent) >= ALLOCATES_PER_HOUR:
            return False
        self._spent[relay] = [*recent, now_ms]
        return True

    def save(self, now_ms: int) -> None:
        """Writes what the next hour needs to know. Raises OSError."""
        if self._path is None:
            return
        recent = {relay: times for relay, times in self._spent.items() if max(times, default=0) > now_ms - HOUR_MS}
        durable.write(self._path, msgspec.json.encode(recent))


def _read(path: Path | None) -> dict[str, list[int]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, list[int]]) if path else {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
