"""Feeds for probes and controls over HTTP: the targets file, what controls saw, and what they are to dial."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import msgspec
from aiohttp import ETag, web

from collector.front.access import is_full
from collector.front.executors import reading
from collector.front.parameters import Parameters
from collector.front.streaming import NDJSON, Turns, stream
from collector.front.tickets import HEADER as TICKET
from collector.instance import Parts
from collector.warehouse import questions
from probe.model import HOUR_MS, AlsoDial, ControlMeasurement

DEFAULT_SPAN_MS = 2 * HOUR_MS
MAX_SPAN_MS = 48 * HOUR_MS
TARGETS_MAX_AGE_S = 300
AT_ONCE = 8  # answers of some size, for strangers; and as many for controls
BUSY = "Others are being told; try again in a minute."
MOST_ADDRESSES = 500
JUST_RECEIVED = 100  # batches that are indexed for an answer; the projector may not have come to them
MOST_OF_ENDPOINT = 4  # and family: a probe dials no more


class Feeds:
    """The HTTP methods; `routes` says what each is for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turns, self._controls_turns = Turns(AT_ONCE), Turns(AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/key", self.key),
            web.get("/v1/targets", self.targets),
            web.get("/v1/controls", self.controls),
            web.get("/v1/addresses", self.addresses),
        ]

    async def key(self, request: web.Request) -> web.Response:
        """The public key that signs receipts, and how it came to be it."""
        return web.Response(body=msgspec.json.encode(self._parts.key.public), content_type="application/json")

    async def targets(self, request: web.Request) -> web.Response:
        """The targets file, YAML as read; its digest is the ETag. Who names a key and a nonce gets a ticket with it."""
        tag = ETag(self._parts.targets.digest)
        if any(known.value in (tag.value, "*") for known in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(body=self._parts.targets.body, content_type="application/yaml")
        response.etag = tag
        ticket = self._parts.tickets.issue(request)
        if ticket is not None:
            response.headers[TICKET] = ticket
        response.headers["Cache-Control"] = "no-store" if ticket is not None else f"max-age={TARGETS_MAX_AGE_S}"
        return response

    async def controls(self, request: web.Request) -> web.StreamResponse:
        """The measurements of controls with since ≤ started < until (ms), one ControlMeasurement a line."""
        since_ms, until_ms = self._span(request)
        hours = pairwise([*range(since_ms, until_ms, HOUR_MS), until_ms])
        with self._turn(request):
            return await stream(request, (self._seen_by_controls(*hour) for hour in hours), {})

    def _turn(self, request: web.Request) -> AbstractContextManager[None]:
        """The owner waits for nobody, and no number of strangers keeps a control waiting. Raises Refused."""
        if is_full(request):
            return nullcontext()
        turns = self._controls_turns if self._parts.signed_gets.is_controls(request) else self._turns
        return turns.taken(BUSY)

    def _span(self, request: web.Request) -> tuple[int, int]:
        """The interval that is asked for, ms; the last two hours. Raises Refused."""
        given = Parameters(request.query, ("since", "until"))
        return given.span(self._parts.now_ms(), DEFAULT_SPAN_MS, MAX_SPAN_MS)

    def _seen_by_controls(self, since_ms: int, until_ms: int) -> bytes:
        self._parts.index.extend(JUST_RECEIVED)
        records = self._parts.index.by_keys(self._parts.controls - self._parts.blocked(), since_ms, until_ms)
        seen = [
            ControlMeasurement(key=r.key, network=r.network, measurement=r.measurement, started_ms=r.started_ms)
            for r in records
            if r.damage is None
        ]
        return b"".join(self._parts.warehouse.faults.each("lines of controls", encoded_line, seen))

    async def addresses(self, request: web.Request) -> web.Response:
        """The addresses at which lines failed in the hours of since ≤ t < until (ms), one AlsoDial a line.

        Of services only: neither who failed there nor how many, and nothing that today's targets do not dial. For an
        address may be an operator's own cache, strangers see those at which enough established lines of enough sources
        failed to hide each, when the hour has been over for one. Controls that sign see all, and soon: an address that
        only few lines fail at is theirs to dial.
        """
        since_ms, until_ms = self._span(request)
        known = is_full(request) or self._parts.signed_gets.is_controls(request)
        public_at = None if known else self._parts.now_ms()
        dials = await reading(request).run(self._failing, since_ms, until_ms, public_at, always=known)
        body = b"".join(map(encoded_line, dials))
        return web.Response(body=body, headers={"Content-Type": NDJSON, "Cache-Control": "no-store"})

    def _failing(self, since_ms: int, until_ms: int, public_at: int | None) -> list[AlsoDial]:
        most = {"most_each": MOST_OF_ENDPOINT, "limit": MOST_ADDRESSES}
        known = self._parts.targets.targets
        return questions.failing(self._parts.warehouse, known, since_ms, until_ms, public_at=public_at, **most)


def encoded_line(value: ControlMeasurement | AlsoDial) -> bytes:
    return msgspec.json.encode(value) + b"\n"
