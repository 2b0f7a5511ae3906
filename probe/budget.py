"""What may be asked of others. Of a relay: at most four Allocate transactions an hour per address and transport,
remembered across runs, in a file of the services' addresses; nothing in it is the volunteer's. Of the volunteer's data
plan: so many bytes a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from probe import durable
from probe.addresses import family_of
from probe.judge.grades import CERTIFIED, CERTIFIED_TRANSPORTS
from probe.model import Endpoint, Observation

HOUR_MS = 3_600_000
ALLOCATES_PER_HOUR = 4
ALLOCATING = frozenset({"turn", "turn-4571", "turn-google", "msturn"})  # handshakes that ask a relay for an allocation


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


CYCLE_BYTES = 250_000  # what a cycle over the services of the mission may take
# What a handshake is taken to take until it is known: a certificate chain, or a few datagrams.
CERTIFICATE_BYTES, OTHER_BYTES = 5_000, 1_000
# Up to which share of the limit an address is dialled: the first of an endpoint, the first of its other family, more.
FIRST, OTHER_FAMILY, MORE = 1.0, 0.7, 0.4


class ByteBudget:
    """What a cycle may take, in bytes of payload; without a limit, anything.

    Targets come in another order in each cycle, so what is left out in one of them is dialled in others.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit, self.spent, self._reserved = limit, 0, 0

    def admit(self, endpoint: Endpoint, share: float) -> bool:
        """Whether there is room for one more handshake; if so, some is set aside until it is settled."""
        if not self.has_room(_expected(endpoint), share):
            return False
        self._reserved += _expected(endpoint)
        return True

    def has_room(self, amount: int, share: float) -> bool:
        """For so many bytes more, up to that share of the limit."""
        return self.limit is None or self.spent + self._reserved + amount <= self.limit * share

    def settle(self, endpoint: Endpoint, observations: Iterable[Observation]) -> None:
        """What an admitted handshake took."""
        self._reserved -= _expected(endpoint)
        self.take(observations)

    def take(self, observations: Iterable[Observation]) -> None:
        self.spent += sum(each.bytes_sent + each.bytes_received for each in observations)


def _expected(endpoint: Endpoint) -> int:
    certified = endpoint.handshake in CERTIFIED or endpoint.transport in CERTIFIED_TRANSPORTS
    return CERTIFICATE_BYTES if certified else OTHER_BYTES


def shares(addresses: Sequence[str]) -> list[float]:
    """For each address of one endpoint, in their order."""
    families: list[int] = []
    given = []
    for address in addresses:
        family = family_of(address)
        given.append(MORE if family in families else OTHER_FAMILY if families else FIRST)
        families.append(family)
    return given


def _read(path: Path | None) -> dict[str, list[int]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, list[int]]) if path else {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
