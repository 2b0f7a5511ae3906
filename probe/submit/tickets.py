"""The ticket for a cycle, asked of the collector before it: by it alone what is measured belongs to a network.

A collector that cannot be reached, or gives none, never stops a cycle. What is answered counts only if it is signed by
the collector's pinned key, and repeats the key and the nonce of this very question.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable

import aiohttp
import msgspec

from probe.codecs.ticket import is_genuine
from probe.failure import UserError
from probe.model import Ticket
from probe.submit.pins import Collector, Pins
from probe.submit.upload import is_believed

HEADER = "Ringback-Ticket"
LIMIT_S = 10.0
LONGEST = 4_096  # characters of the header

logger = logging.getLogger(__name__)


async def ask(collector: Collector, key: str, pins: Pins, random_bytes: Callable[[int], bytes]) -> Ticket | None:
    """The ticket for this key, now; None when there is none to be had."""
    nonce = random_bytes(16).hex()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session:
            ticket = _read(await _asked(session, collector.url, key, nonce))
            if ticket is None or (ticket.key, ticket.nonce) != (key, nonce) or not is_genuine(ticket, {ticket.by}):
                return None
            return ticket if await is_believed(ticket.by, collector, pins, session) else None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, UserError) as error:
        logger.info("No ticket can be had now: %s.", type(error).__name__)
        return None


async def _asked(session: aiohttp.ClientSession, url: str, key: str, nonce: str) -> str:
    asking = session.get(
        f"{url.rstrip('/')}/v1/targets",
        params={"key": key, "nonce": nonce},
        headers={"If-None-Match": "*"},  # the file itself is asked for elsewhere
        allow_redirects=False,
    )
    async with asking as answer:
        return answer.headers.get(HEADER, "")


def _read(text: str) -> Ticket | None:
    try:
        return msgspec.json.decode(base64.b64decode(text[:LONGEST], validate=True), type=Ticket)
    except (ValueError, msgspec.MsgspecError):
        return None
