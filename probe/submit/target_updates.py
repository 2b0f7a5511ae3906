"""The collector's targets file: asked for before each cycle, kept in the data directory, used while it is good.

A collector that cannot be reached, or that sends what this version cannot read, never stops a cycle: then the last
good one is measured, or the file that came with the program.
"""

from __future__ import annotations

import logging
from pathlib import Path

import aiohttp

from probe import durable
from probe.failure import UserError
from probe.model import Targets
from probe.targets import MAX_BYTES, parse

LIMIT_S = 10.0

logger = logging.getLogger(__name__)


async def renew(collector: str, kept: Path, shipped: Targets) -> Targets:
    """The collector's targets now, else those kept from last time, else the shipped ones."""
    known = _read(kept) or shipped
    try:
        body = await _fetch(f"{collector.rstrip('/')}/v1/targets", known.digest)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        logger.info("The collector's targets cannot be had now: %s.", type(error).__name__)
        return known
    if body is None:
        return known
    try:
        targets = parse(body, f"{collector}/v1/targets")
    except UserError as error:
        logger.warning("The collector's targets are not used: %s", error)
        return known
    durable.write(kept, body)
    return targets


async def _fetch(url: str, known: str) -> bytes | None:
    """None when the known ones are current."""
    limit = aiohttp.ClientTimeout(total=LIMIT_S)
    async with (
        aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session,
        session.get(url, headers={"If-None-Match": f'"{known}"'}, allow_redirects=False) as response,
    ):
        if response.status == 304:
            return None
        if response.status != 200:
            raise ValueError(f"the collector answered {response.status}")
        body = await response.content.read(MAX_BYTES + 1)
        while len(body) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES + 1)):
            body += more
        return body


def _read(kept: Path) -> Targets | None:
    try:
        return parse(kept.read_bytes(), str(kept))
    except (OSError, UserError):
        return None
