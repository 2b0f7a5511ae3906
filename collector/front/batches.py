"""Batches: an upload is accepted, or refused with a reason (design.md, section 6).

What arrives is written by strangers: the body is read in bounded memory and time, and checked whole before anything
is kept. 2xx means that it is on the disk. A refusal of 400, 413 or 422 is for good: the probe sets the batch aside;
after 408, 429 and 503 it tries again.

The source address is looked up and forgotten: it reaches neither the log nor a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import web
from msgspec import Struct

from collector.facts.collector_key import CollectorKey
from collector.facts.networks import Networks, lookup_prefix
from collector.facts.own_clock import ClockBehind
from collector.front.executors import EXECUTORS
from collector.front.memory import Memory
from collector.front.origins import Origin, Origins
from collector.front.pace import Pace
from collector.front.refusals import Refused, refusal
from collector.front.unsealing import unsealed
from collector.log import Envelope, Log, LogFull
from collector.metrics import Metrics
from probe.addresses import is_public, prefix_of
from probe.codecs.receipt import Receipt, issue
from probe.codecs.seal import LIMITS, SealedBatch
from probe.failure import UserError
from probe.model import Measurement

CONTENT_TYPE = "application/vnd.ringback.batch+gzip"
MOST_PREFIXES = 1000  # of one batch that are looked up


class IngestLimits(Struct, frozen=True, kw_only=True):
    body_bytes: int = LIMITS.compressed_bytes
    body_s: float = 30.0  # for the whole body
    grace_s: float = 10.0  # a body may stand still
    least_bps: float = 1_000.0
    memory_bytes: int = 32_000_000  # of all bodies under way


INGEST_LIMITS = IngestLimits()


class Ingest:
    """Receives batches. `now_ms` is the wall clock, and may raise ClockBehind.

    `stored` is called after something new is on the disk. What is `simulated` and what is real have collectors of their
    own: each refuses the other's.
    """

    def __init__(
        self,
        log: Log,
        networks: Networks,
        key: CollectorKey,
        origins: Origins,
        metrics: Metrics,
        now_ms: Callable[[], int],
        stored: Callable[[], None],
        *,
        simulated: bool = False,
        limits: IngestLimits = INGEST_LIMITS,
    ) -> None:
        self._log = log
        self._networks = networks
        self._key = key
        self._origins = origins
        self._metrics = metrics
        self._now_ms = now_ms
        self._stored = stored
        self._simulated = simulated
        self._limits = limits
        self._memory = Memory(limits.memory_bytes)

    async def receive(self, request: web.Request) -> web.Response:
        """The response to POST /v1/batches: 200 and a signed receipt, or `{"error":word,"message":sentence}`."""
        try:
            with self._memory.taken() as take:
                receipt = await self._accept(request, take)
        except Refused as refused:
            refused.__traceback__ = None  # its frames hold what was read, and would until garbage is looked for
            self._metrics.batches.labels(refused.reason).inc()
            return _refuse(refused)
        self._count(receipt)
        return web.Response(body=msgspec.json.encode(receipt), content_type="application/json")

    async def _accept(self, request: web.Request, take: Callable[[int], None]) -> Receipt:
        _check_headers(request, self._limits)
        data = await _read_body(request, self._limits, take)
        received_ms = self._received_ms()
        batch = await unsealed(request.app[EXECUTORS], data)
        self._check_world(batch)
        is_new = await self._append(batch, data, received_ms, self._origin(request, batch, received_ms))
        lines = len(batch.measurements)
        stored, known = (lines, 0) if is_new else (0, lines)
        return issue(data, stored, known, received_ms, self._key.key, self._key.sign)

    async def _append(self, batch: SealedBatch, data: bytes, received_ms: int, origin: Origin) -> bool:
        """Whether it was new. What it repeats of other batches is seen later, by the index."""
        named = {prefix: lookup_prefix(self._networks, prefix) for prefix in prefixes(batch.measurements)}
        envelope = Envelope(
            received_ms=received_ms, network=origin.network, named=named, bucket=origin.bucket, body=data
        )
        try:
            appended = await self._log.append(envelope, batch.header.sealed_ms)
        except LogFull as error:
            raise _full() from error
        return appended.is_new

    def _received_ms(self) -> int:
        try:
            return self._now_ms()
        except ClockBehind as error:
            raise Refused(
                503, "clock_behind", "The collector's clock is wrong at the moment; try again later."
            ) from error

    def _origin(self, request: web.Request, batch: SealedBatch, received_ms: int) -> Origin:
        try:
            return self._origins.of(request, batch, received_ms)
        except UserError as error:
            raise _full() from error

    def _check_world(self, batch: SealedBatch) -> None:
        if all(seen.simulated is self._simulated for seen in batch.measurements):
            return
        if self._simulated:
            raise Refused(422, "not_simulated", "This collector takes simulated measurements only: send it to another.")
        raise Refused(
            422, "simulated", "Simulated measurements go to a collector that was started with `serve --simulated`."
        )

    def _count(self, receipt: Receipt) -> None:
        self._metrics.batches.labels("stored" if receipt.stored else "known").inc()
        self._metrics.measurements.labels("stored").inc(receipt.stored)
        self._metrics.measurements.labels("known").inc(receipt.known)
        if receipt.stored:
            self._stored()


def prefixes(measurements: Iterable[Measurement]) -> list[str]:
    """Prefixes whose networks the collector names: of resolvers, of routers on the path, then of what was dialled.

    At most MOST_PREFIXES.
    """
    found: dict[str | None, None] = {}
    services: dict[str | None, None] = {}
    for seen in measurements:
        found |= {each.observation.dns.resolver_prefix: None for each in seen.resolutions if each.observation.dns}
        found |= {hop.prefix: None for sweep in seen.sweeps for hop in sweep.hops}
        dialled = {attempt.address: None for attempt in seen.attempts if attempt.address}
        services |= {prefix_of(address): None for address in dialled if is_public(address)}
    return [prefix for prefix in (found | services) if prefix][:MOST_PREFIXES]


def _check_headers(request: web.Request, limits: IngestLimits) -> None:
    if request.content_type != CONTENT_TYPE:
        raise Refused(415, "content_type", f"A batch is sent as {CONTENT_TYPE}.")
    if "Content-Encoding" in request.headers:
        raise Refused(415, "content_encoding", "A batch is sent without Content-Encoding: it is compressed by itself.")
    if (request.content_length or 0) > limits.body_bytes:
        raise _too_large(limits)


async def _read_body(request: web.Request, limits: IngestLimits, take: Callable[[int], None]) -> bytes:
    body, clock = bytearray(), asyncio.get_running_loop().time
    end_s, grace_s = clock() + limits.body_s, limits.grace_s
    pace = Pace(until_s=clock() + grace_s, grace_s=grace_s, least_bps=limits.least_bps)
    try:
        async with asyncio.timeout_at(min(end_s, pace.until_s)) as limit:
            async for chunk in request.content.iter_any():
                take(len(chunk))
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
                limit.reschedule(min(end_s, pace.came(len(chunk), clock())))
    except TimeoutError:
        raise Refused(408, "too_slow", _too_slow(limits)) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refused(408, "cut_short", "The body ended early; send it again.") from None
    return bytes(body)


def _full() -> Refused:
    return Refused(503, "log_full", "The collector cannot keep more at the moment; try again later.")


def _too_slow(limits: IngestLimits) -> str:
    return f"The body came at less than {limits.least_bps:g} B/s, or not within {limits.body_s:g} s; try again."


def _too_large(limits: IngestLimits) -> Refused:
    return Refused(413, "too_large", f"The batch is larger than {limits.body_bytes} bytes.")


def _refuse(refused: Refused) -> web.Response:
    response = refusal(refused.status, refused.reason, str(refused))
    if refused.status in (408, 413, 415, 429):
        response.force_close()  # rather than read what is left of the body
    return response
