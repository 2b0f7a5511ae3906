"""Published tables, had from where they are published: a file, an address, or a package of the npm registry.

Over https only, but for this machine itself; no more than a bound, and by the digest that the registry gives.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import ipaddress
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from collector.facts.published.making import Source
from collector.facts.published.publishers import PACKAGES
from probe.failure import UserError

REGISTRY = "https://registry.npmjs.org"
MOST_BYTES = 1 << 27
MOST_METADATA = 1 << 20
PIECE = 1 << 16
REDIRECTIONS, MOST_REDIRECTIONS = frozenset({301, 302, 303, 307, 308}), 5  # each is looked at before it is followed
AS_IT_IS = {"Accept-Encoding": "identity"}
TIMEOUT = aiohttp.ClientTimeout(total=900, sock_connect=30, sock_read=60)
DIGESTS = ("sha512", "sha384", "sha256")  # the strongest first; what is weaker proves nothing


class _Distribution(Struct, frozen=True):
    tarball: str
    integrity: str = ""


class _Version(Struct, frozen=True):
    name: str
    version: str
    dist: _Distribution


async def fetch(words: Sequence[str], registry: str = REGISTRY) -> list[Source]:
    """The sources that `--from` names; without any, the packages. Raises UserError."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        if not words:
            return [await _package(session, registry, name) for name in PACKAGES]
        return [await _from(session, word) for word in words]


async def _from(session: aiohttp.ClientSession, word: str) -> Source:
    if "://" in word:
        data, modified_ms = await _get(session, word, MOST_BYTES)
        return Source(URL(word).name or word, io.BytesIO(data), modified_ms)
    return of_file(Path(word))


def of_file(path: Path) -> Source:
    """A source on this machine, dated by the file. Raises UserError."""
    try:
        return Source(path.name, path.open("rb"), path.stat().st_mtime_ns // 1_000_000)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give --from a file or an https address.") from error


async def _package(session: aiohttp.ClientSession, registry: str, name: str) -> Source:
    """The newest version of a package. Raises UserError."""
    data, _ = await _get(session, f"{registry.rstrip('/')}/{name}/latest", MOST_METADATA)
    try:
        found = msgspec.json.decode(data, type=_Version)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UserError(f"{registry} does not say where {name} is: give --from a file or an https address.") from error
    archive, _ = await _get(session, found.dist.tarball, MOST_BYTES)
    if not agrees(archive, found.dist.integrity):
        raise UserError(f"{name} {found.version} came otherwise than the registry says: its digest differs. Try again.")
    return Source(f"{name} {found.version}", io.BytesIO(archive))


def agrees(data: bytes, integrity: str) -> bool:
    """Whether data are those of a Subresource Integrity string; where it gives no digest that proves anything, not."""
    given = [each.partition("?")[0].partition("-") for each in integrity.split()]
    for kind in DIGESTS:
        said = [value for name, _, value in given if name == kind]
        if said:
            return any(hmac.compare_digest(hashlib.new(kind, data).digest(), _decoded(each)) for each in said)
    return False


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


async def _get(session: aiohttp.ClientSession, address: str, most: int) -> tuple[bytes, int | None]:
    """The bytes at an address, and when they were last changed, ms. Raises UserError."""
    try:
        url = URL(address)
        for _ in range(MOST_REDIRECTIONS):
            _require_https(url)
            async with session.get(url, headers=AS_IT_IS, allow_redirects=False, auto_decompress=False) as answer:
                if answer.status not in REDIRECTIONS:
                    return await _body(answer, most), _moment(answer.headers.get("Last-Modified", ""))
                url = url.join(URL(answer.headers.get("Location", "")))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        why = type(error).__name__
        raise UserError(f"{address} cannot be fetched ({why}): try again, or give --from a file.") from error
    raise UserError(f"{address} only leads from one address to the next: give --from another.")


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Raises UserError."""
    if answer.status != 200:
        raise UserError(f"{answer.url.host} answers {answer.status} for {answer.url.path}: check the address.")
    data = bytearray()
    async for piece in answer.content.iter_chunked(PIECE):
        data += piece
        if len(data) > most:
            raise UserError(f"{answer.url} is more than {most >> 20} MB, which no table is: it is not read.")
    return bytes(data)


def _require_https(url: URL) -> None:
    """Raises UserError."""
    if url.scheme != "https" and not (url.scheme == "http" and _is_here(url.host or "")):
        raise UserError(f"{url.host or url} is not asked over https: give an address that begins with https://.")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _moment(text: str) -> int | None:
    try:
        return round(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
