"""Lines that somebody serves over HTTP, a collector mostly: read whole, and within bounds.

A redirect is not followed, here as in uploads and updates of targets: who was named is who is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import aiohttp

from probe.failure import UserError

LIMIT_S = 20.0


def is_url(source: str) -> bool:
    """The source on the command line is to be fetched; else it is a file."""
    return source.startswith(("http://", "https://"))


async def fetch_lines(url: str, path: str, query: Mapping[str, int], *, what: str, limit: int) -> list[bytes]:
    """The lines at a URL, at most `limit` bytes; `path` is asked for if the URL has none. Raises UserError."""
    full = url.rstrip("/") + ("" if urlsplit(url).path.strip("/") else path)
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{full}?{urlencode(query)}" if query else full, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise UserError(f"The {what} at {url} cannot be had: the server answered {response.status}.")
            return (await _at_most(limit, response.content, what)).splitlines()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UserError(f"The {what} at {url} cannot be had: {type(error).__name__}.") from error


async def _at_most(limit: int, content: aiohttp.StreamReader, what: str) -> bytes:
    """The whole body, which comes in pieces. Raises UserError when there is no end of it."""
    body = b""
    async for piece in content.iter_any():
        body += piece
        if len(body) > limit:
            raise UserError(f"The {what} are larger than {limit} bytes: ask a collector of your own.")
    return body
