"""Lines that somebody serves over HTTP, a collector mostly: read whole, and within bounds.

A redirect is not followed, here as in uploads and updates of targets: who was named is who is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import aiohttp
from msgspec import Struct

from probe.failure import UserError
from probe.submit.signing import Authorize

LIMIT_S = 20.0
REFUSED = 403
REFUSES = (
    "The collector refuses this probe's signature for the %s at %s, and tells what it tells anybody: see whether the"
    " clocks are right, and what `ringback doctor` says."
)

logger = logging.getLogger(__name__)


class Answer(Struct, frozen=True):
    """The status, and the body where it is 200."""

    status: int
    body: bytes


def is_url(source: str) -> bool:
    """The source on the command line is to be fetched; else it is a file."""
    return source.startswith(("http://", "https://"))


async def fetch_lines(
    url: str, path: str, query: Mapping[str, int], *, what: str, limit: int, authorize: Authorize | None = None
) -> list[bytes]:
    """The lines at a URL, at most `limit` bytes; `path` is asked for if the URL has none. Raises UserError.

    A collector that refuses the signature shows what it shows anybody: a wrong clock costs no more than that.
    """
    full = url.rstrip("/") + ("" if urlsplit(url).path.strip("/") else path)
    asked = f"{full}?{urlencode(query)}" if query else full
    signed = authorize(asked) if authorize is not None else None
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session:
            answer = await _get(session, asked, signed, what, limit)
            if answer.status == REFUSED and signed is not None:
                logger.warning(REFUSES, what, url)
                answer = await _get(session, asked, None, what, limit)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UserError(f"The {what} at {url} cannot be had: {type(error).__name__}.") from error
    if answer.status != 200:
        raise UserError(f"The {what} at {url} cannot be had: the server answered {answer.status}.")
    return answer.body.splitlines()


async def _get(session: aiohttp.ClientSession, url: str, signed: str | None, what: str, limit: int) -> Answer:
    headers = {} if signed is None else {"Authorization": signed}
    async with session.get(url, headers=headers, allow_redirects=False) as response:
        body = await _at_most(limit, response.content, what) if response.status == 200 else b""
        return Answer(response.status, body)


async def _at_most(limit: int, content: aiohttp.StreamReader, what: str) -> bytes:
    """The whole body, which comes in pieces. Raises UserError when there is no end of it."""
    body = b""
    async for piece in content.iter_any():
        body += piece
        if len(body) > limit:
            raise UserError(f"The {what} are larger than {limit} bytes: ask a collector of your own.")
    return body
