"""Origins of an export: the files of a collector that does not run, or the collector that does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import aiohttp
import msgspec
from msgspec import Struct

from collector.facts.credits import of_header
from collector.front.access import TOKEN_FILE
from collector.front.exports import CREDITS_HEADER, RULES_HEADER, UNJUDGED_HEADER, WAITING_HEADER
from collector.package.source import DATASETS, About, Source, Wanted
from collector.package.source import about as about_source
from collector.package.writing import Pieces
from probe.failure import UserError


class Dataset(Struct, frozen=True):
    """One data set as it comes."""

    about: About
    pieces: Pieces


class Origin(Protocol):
    def open(self, dataset: str, wanted: Wanted) -> AbstractAsyncContextManager[Dataset]:
        """A data set of the origin. Raises UserError, also while the pieces are taken."""
        ...


class OwnFiles:
    """The log and the warehouse, held by this process."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @asynccontextmanager
    async def open(self, dataset: str, wanted: Wanted) -> AsyncIterator[Dataset]:
        yield Dataset(about_source(self._source), self._pieces(dataset, wanted))

    async def _pieces(self, dataset: str, wanted: Wanted) -> AsyncIterator[bytes]:
        for piece in DATASETS[dataset](self._source, wanted):
            yield piece


class RunningCollector:
    """The collector that listens at `url`; `token` is the administrator's."""

    def __init__(self, url: str, token: str | None, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url.rstrip("/"), session
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def open(self, dataset: str, wanted: Wanted) -> AsyncIterator[Dataset]:
        asked = {"since": str(wanted.since_ms), "until": str(wanted.until_ms), "simulated": _flag(wanted.simulated)}
        asked |= {"full": _flag(wanted.full)} | ({} if wanted.country is None else {"country": wanted.country})
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
        try:
            async with self._session.get(
                f"{self._url}/v1/export/{dataset}", params=asked, headers=self._headers, timeout=limit
            ) as answer:
                if answer.status == 403:
                    raise UserError(f"{self._url} does not know that admin token: its own is in its DATA/{TOKEN_FILE}.")
                if answer.status != 200:
                    raise UserError(f"{self._url} does not export: {_message(await answer.read())}")
                yield Dataset(_about(answer, self._url), _whole_lines(answer.content))
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            reason = type(error).__name__
            raise UserError(f"No collector answers at {self._url} ({reason}): check --collector.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = type(error).__name__
            raise UserError(f"The export from {self._url} ended early ({reason}); nothing was kept of it.") from error


async def _whole_lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in content.iter_any():
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield lines + newline
    if rest:
        raise UserError("The export ended in the middle of a line; nothing was kept of it.")


def _about(answer: aiohttp.ClientResponse, url: str) -> About:
    try:
        return About(
            rules_version=int(answer.headers[RULES_HEADER]),
            unjudged=int(answer.headers.get(UNJUDGED_HEADER, "0")),
            waiting=int(answer.headers.get(WAITING_HEADER, "0")),
            credits=of_header(answer.headers.get(CREDITS_HEADER, "[]")),
        )
    except (KeyError, ValueError) as error:
        raise UserError(f"What answers at {url} is no collector that exports.") from error


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return "what answers there is no collector."
