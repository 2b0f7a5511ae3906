"""Tickets: what the front says of where a request comes from, and what it believes of it later.

A probe asks for one with the targets, before each cycle: `GET /v1/targets?key=KEY&nonce=NONCE`. The answer's header
`Ringback-Ticket` holds it (probe/codecs/ticket.py), in JSON and base64. What was passed on by a proxy that is not ours
names no network: it is where the proxy stands, and says nothing of the line.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import msgspec
from aiohttp import web

from collector.facts.buckets import NOWHERE, Bucket, Buckets, Held
from collector.facts.collector_key import CollectorKey
from collector.facts.networks import Networks, Prefix, parse_address
from collector.facts.own_clock import ClockBehind
from collector.facts.start import corrected_start
from collector.front.source import Source, line_of
from probe.codecs.seal import SealedBatch
from probe.codecs.ticket import DAY_MS, MINUTE_MS, network_of, sign
from probe.failure import UserError
from probe.model import Network, Ticket

HEADER = "Ringback-Ticket"
MINUTES = DAY_MS // MINUTE_MS  # of a day
_KEY, _NONCE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


class Tickets:
    """`proxies` are those that are trusted to say for whom they ask."""

    def __init__(
        self,
        networks: Networks,
        buckets: Buckets,
        key: CollectorKey,
        now_ms: Callable[[], int],
        proxies: tuple[Prefix, ...] = (),
    ) -> None:
        self._networks, self._buckets, self._key, self._now_ms = networks, buckets, key, now_ms
        self._proxies = proxies
        self._signers = frozenset({key.key, *(each.old for each in key.public.hand_overs)})

    def issue(self, request: web.Request) -> str | None:
        """The header's value; None for who asks for no ticket, and while none can be given."""
        key, nonce = request.query.get("key", ""), request.query.get("nonce", "")
        if not _KEY.fullmatch(key) or not _NONCE.fullmatch(nonce):
            return None
        try:
            minute = self._now_ms() // MINUTE_MS
        except ClockBehind:
            return None
        source = line_of(request, self._proxies)
        parsed = parse_address(source.address)
        try:
            now, before = bucket_of(source, self._buckets, self._networks).held(minute // MINUTES)
        except UserError:  # the disk is full
            return None
        unsigned = Ticket(
            by=self._key.key,
            key=key,
            network=self._networks.lookup(source.address),
            bucket=now,
            bucket_before=before,
            minute=minute,
            nonce=nonce,
            family=4 if parsed is None else parsed.version,
            signature="",
        )
        return base64.b64encode(msgspec.json.encode(sign(unsigned, self._key.sign))).decode()

    def network(self, batch: SealedBatch, received_ms: int) -> Network | None:
        """The network that a batch's own evidence names; None when it names none, or several."""
        starts: dict[int, list[int]] = {}
        for number, seen in zip(batch.numbers, batch.measurements, strict=True):
            start = corrected_start(seen.started_ms, seen.clock_offset_ms, batch.header.sealed_ms, received_ms)
            starts.setdefault(number, []).append(start.ms)
        found = {
            network_of(batch.contexts[number], batch.header.key, start_ms, self._signers)
            for number, times in starts.items()
            for start_ms in (min(times), max(times))  # what holds at both holds between
        }
        return found.pop() if len(found) == 1 else None

    def bucket(self, batch: SealedBatch, day: int) -> Held:
        """Under the secrets of `day`, the source that a batch's tickets name; of several the latest's.

        Only for a batch whose tickets name a network: it is not asked again whether they are genuine.
        """
        contexts = {number: batch.contexts[number] for number in batch.numbers}.values()
        tickets = {one for each in contexts for one in (each.ticket, each.before, each.after) if one is not None}
        now, before = NOWHERE, NOWHERE
        for one in sorted(tickets, key=lambda one: (one.minute, one.nonce)):
            here = Bucket(one.bucket, one.bucket_before, one.minute // MINUTES).held(day)
            now, before = (new if new != NOWHERE else old for new, old in zip(here, (now, before), strict=True))
        return now, before


def bucket_of(source: Source, buckets: Buckets, networks: Networks) -> Bucket:
    """The bucket of a source: with its block of ports where the table marks a carrier's NAT, if the port is known."""
    return buckets.of(source.address, source.port if networks.is_cgn(source.address) else None)
