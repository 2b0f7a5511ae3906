"""Behind proxies: what a source may hold there, by requests under way, for all come over one proxy's connections.

A proxy that is trusted names the client of each request (source.py), and has as many clients as it likes. Each source,
a /24 or /48, may have as many requests under way there as it may have connections that come straight. What a request
may take, and at which pace its body has to come, is the same for both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec.structs import replace

from collector.facts.networks import Prefix, parse_address
from collector.front.limits import ConnectionLimits, Counted
from collector.front.refusals import Refused
from collector.front.source import is_within, source_of

TOO_MANY = "Too many requests of your network are under way; try again later."


class BehindProxies:
    """The requests under way, by the sources that trusted proxies name. `turned_away` is called for each refusal."""

    def __init__(self, limits: ConnectionLimits, turned_away: Callable[[], None] = lambda: None) -> None:
        self._proxies: Sequence[Prefix] = limits.proxies
        self._counted = Counted(replace(limits, in_all=sys.maxsize))  # all of them are counted at the door
        self._turned_away = turned_away

    def middleware(self) -> Middleware:
        """Refuses with 429 what is too much of one source."""

        @web.middleware
        async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
            source = self._named(request)
            if source is None:
                return await handler(request)
            if not self._counted.enter(source):
                self._turned_away()
                raise Refused(429, "too_many", TOO_MANY)
            try:
                return await handler(request)
            finally:
                self._counted.leave(source)

        return counted

    def _named(self, request: web.Request) -> str | None:
        """The client that a trusted proxy names; None where it names none, or nobody stands between."""
        peer = parse_address(request.remote or "")
        if peer is None or not is_within(peer, self._proxies):
            return None
        return source_of(request, self._proxies).address or None
