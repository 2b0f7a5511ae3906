"""The collector's targets file: asked for before each cycle, kept in the data directory, used while it is good.

A collector that cannot be reached, or that sends what this version cannot read, never stops a cycle: then the last
good one is measured, or the file that came with the program. The file is not signed yet, so it is taken over https or
from this machine alone, and may ask for nothing that is not on the internet: else whoever stands in between could
replace the list, and a hostile collector could have a volunteer's own network measured.
"""

from __future__ import annotations

import logging
from pathlib import Path

import aiohttp

from probe import durable
from probe.addresses import is_address, is_public
from probe.failure import UserError
from probe.model import Targets
from probe.submit.pins import is_trusted
from probe.targets import MAX_BYTES, parse

LIMIT_S = 10.0
MOST_ENDPOINTS, MOST_OF_A_TARGET, MOST_RESOLVERS = 1_000, 32, 500  # several times what ships
# Not delegated, or reserved for such use (RFC 6762, appendix G; RFC 8375); fritz.box stands for a router in most homes
# of one country.
LOCAL = frozenset(
    ["local", "localhost", "localdomain", "lan", "home", "internal", "intranet", "private", "corp", "arpa"]
)
LOCAL_PAIRS = frozenset({("fritz", "box")})

logger = logging.getLogger(__name__)


async def renew(collector: str, kept: Path, shipped: Targets) -> Targets:
    """The collector's targets now, else those kept from last time, else the shipped ones."""
    known = _read(kept) or shipped
    if not is_trusted(collector):
        logger.warning("Targets are taken over https only: the collector's are not asked for.")
        return known
    try:
        body = await _fetch(f"{collector.rstrip('/')}/v1/targets", known.digest)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        logger.info("The collector's targets cannot be had now: %s.", type(error).__name__)
        return known
    if body is None:
        return known
    try:
        targets = vetted(parse(body, f"{collector}/v1/targets"))
    except UserError as error:
        logger.warning("The collector's targets are not used: %s", error)
        return known
    try:
        durable.write(kept, body)
    except OSError as error:  # they can be measured all the same
        logger.warning("The collector's targets could not be kept: %s", error.strerror)
    return targets


def vetted(targets: Targets) -> Targets:
    """The targets, when they ask for the internet alone and no more than a cycle can bear. Raises UserError."""
    endpoints = [endpoint for target in targets.targets for endpoint in target.endpoints]
    addresses = [address for resolver in targets.resolvers for address in resolver.addresses]
    if len(endpoints) > MOST_ENDPOINTS or any(len(each.endpoints) > MOST_OF_A_TARGET for each in targets.targets):
        raise UserError(f"it has {len(endpoints)} endpoints, too many for a cycle.")
    if len(addresses) > MOST_RESOLVERS:
        raise UserError(f"it has {len(addresses)} addresses of resolvers, too many for a cycle.")
    if any(not is_on_the_internet(host) for host in (*(each.host for each in endpoints), *addresses)):
        raise UserError("it asks for addresses or names that are not on the internet.")
    return targets


def is_on_the_internet(host: str) -> bool:
    """The host is a public address, or a name that is no home's or office's own."""
    if is_address(host):
        return is_public(host)
    labels = host.lower().rstrip(".").split(".")
    return len(labels) > 1 and labels[-1] not in LOCAL and tuple(labels[-2:]) not in LOCAL_PAIRS


async def _fetch(url: str, known: str) -> bytes | None:
    """The collector's file; None when the known one is current."""
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
        return vetted(parse(kept.read_bytes(), str(kept)))
    except (OSError, UserError):
        return None
