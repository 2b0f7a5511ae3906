"""What a cycle may take of a volunteer's data plan: so many bytes of payload, and what is left out first.

The first address of each endpoint counts most, then the first of its other family, then more of a family.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.addresses import family_of
from probe.grades import shows_certificate
from probe.model import Endpoint, Observation

CYCLE_BYTES = 256_000  # what a cycle over the services of the mission may take
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
    return CERTIFICATE_BYTES if shows_certificate(endpoint) else OTHER_BYTES


def shares(addresses: Sequence[str]) -> list[float]:
    """For each address of one endpoint, in their order."""
    families: list[int] = []
    given = []
    for address in addresses:
        family = family_of(address)
        given.append(MORE if family in families else OTHER_FAMILY if families else FIRST)
        families.append(family)
    return given
