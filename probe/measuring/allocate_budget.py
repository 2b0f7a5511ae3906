"""What a relay may be asked for: at most four Allocate transactions an hour per address and transport.

Remembered at once, across runs and by all probes of one data directory, in a file of the services' addresses; nothing
in it is the volunteer's. What was asked for at a time that has not come yet, because the clock was set back meanwhile,
counts as asked for now: it is forgotten in an hour.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from probe import durable
from probe.model import HOUR_MS, Endpoint

ALLOCATES_PER_HOUR = 4
LOCK = ".lock"
Spent = dict[str, list[int]]  # relay → times, Unix milliseconds

logger = logging.getLogger(__name__)


class Budget(Protocol):
    def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
        """True, and one transaction is spent; False when there is none left."""
        ...


class AllocateBudget:
    """Kept in `path`; a file that cannot be read counts as empty. Without one it is this object's alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._spent: Spent = {}

    def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
        if self._path is None:
            return self._take(endpoint, now_ms)
        try:
            with _locked(self._path):
                self._spent = _joined(self._spent, _read(self._path))
                taken = self._take(endpoint, now_ms)
                durable.write(self._path, msgspec.json.encode(self._spent))
                return taken
        except OSError as error:  # what was measured is worth more
            logger.warning("What relays were asked could not be remembered: %s", error.strerror)
            return self._take(endpoint, now_ms)

    def _take(self, endpoint: Endpoint, now_ms: int) -> bool:
        self._spent = _recent(self._spent, now_ms)
        times = self._spent.setdefault(f"{endpoint.transport}:{endpoint.address}", [])
        if len(times) >= ALLOCATES_PER_HOUR:
            return False
        times.append(now_ms)
        return True


def _recent(spent: Spent, now_ms: int) -> Spent:
    """What of it the hour up to now knows."""
    recent = {relay: [min(at, now_ms) for at in times if at > now_ms - HOUR_MS] for relay, times in spent.items()}
    return {relay: times for relay, times in recent.items() if times}


def _joined(ours: Spent, kept: Spent) -> Spent:
    """The file knows what other processes spent, and we what could not be written into it."""
    longest = {relay: max(ours.get(relay, []), kept.get(relay, []), key=len) for relay in ours.keys() | kept.keys()}
    return {relay: list(times) for relay, times in longest.items()}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time, beside the file: it is put in the place of an older one. Raises OSError."""
    with open(path.with_name(path.name + LOCK), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Spent:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Spent)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
