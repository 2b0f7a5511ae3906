"""Where a batch comes from: the network to which its measurements belong, and the source bucket in which they count.

Its ticket says both, for it may be sent from anywhere. Format 1 has no tickets, nor has what is simulated: there the
source counts, unless a relay passed it on, which says nothing of the line. Its address is looked up and forgotten.

A source is *shared* where the operators' table marks a carrier's NAT: it has thousands of subscribers, and fewer
sources hide a line. A ticket does not say so; where it is sent from does, when that is in the network of the ticket.
"""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from collector.facts.buckets import NOWHERE, Buckets, Held, packed
from collector.facts.networks import Networks, Prefix
from collector.facts.standing import day_of
from collector.front.source import line_of
from collector.front.tickets import Tickets, bucket_of
from probe.codecs.seal import SealedBatch
from probe.model import Network


class Origin(Struct, frozen=True):
    """What an envelope says of where its batch comes from (collector/log)."""

    network: Network = Network()
    bucket: bytes = packed((NOWHERE, NOWHERE))


class Origins:
    """`proxies` are those that are trusted to say for whom they send."""

    def __init__(
        self, networks: Networks, buckets: Buckets, tickets: Tickets, proxies: tuple[Prefix, ...] = ()
    ) -> None:
        self._networks, self._buckets, self._tickets, self._proxies = networks, buckets, tickets, proxies

    def of(self, request: web.Request, batch: SealedBatch, received_ms: int) -> Origin:
        """Raises UserError when the buckets' secrets cannot be kept."""
        source = line_of(request, self._proxies)
        day = day_of(received_ms)
        here = bucket_of(source, self._buckets, self._networks).held(day)
        from_network, shared = self._networks.lookup(source.address), self._networks.is_cgn(source.address)
        if batch.header.format == 1 or all(seen.simulated for seen in batch.measurements):
            return Origin(from_network, packed(here, shared=shared))
        network = self._tickets.network(batch, received_ms)
        if network is None:
            return Origin()
        held = _joined(self._tickets.bucket(batch, day), here)
        return Origin(network, packed(held, shared=shared and network == from_network))


def _joined(said: Held, here: Held) -> Held:
    """What tickets say of the source. One of the day before knows nothing of this day's secret, after midnight: what
    is sent from the same source does.
    """
    same = any(one == other != NOWHERE for one, other in zip(said, here, strict=True))
    return here if same else said
