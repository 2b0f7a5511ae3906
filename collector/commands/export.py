"""An export from beginning to end: from the collector that runs, or from the files that nobody holds, to a directory.

The directory appears when it is whole; until then it stands beside itself as OUT.partial.
"""

from __future__ import annotations

import hmac
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec
from msgspec import Struct

from collector.front.access import TOKEN_FILE, admin_token
from collector.front.exports import RULES_HEADER, UNJUDGED_HEADER
from collector.instance import LOG_FILE, Held, Options, opened
from collector.judging.hours import Rules
from collector.package import source as local
from collector.package.data_package import DESCRIPTOR, Files, describe
from collector.package.source import DATASETS, PUBLIC, About, Source, Wanted
from collector.package.writing import FORMATS, Pieces
from probe.failure import UserError

TELL_EVERY_S = 2.0

Say = Callable[[str], None]


class Order(Struct, frozen=True, kw_only=True):
    """What to export, as which format, into which directory, which must not exist. `now_ms` dates it."""

    out: Path
    format: str
    wanted: Wanted
    publisher: str
    now_ms: int


class Opened(Struct, frozen=True):
    """One data set as it comes."""

    about: About
    pieces: Pieces


class Origin(Protocol):
    def open(self, dataset: str, wanted: Wanted) -> AbstractAsyncContextManager[Opened]:
        """Raises UserError, also while the pieces are taken."""
        ...


class OwnFiles:
    """The log and the warehouse, held by this process."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @asynccontextmanager
    async def open(self, dataset: str, wanted: Wanted) -> AsyncIterator[Opened]:
        yield Opened(local.about(self._source), self._pieces(dataset, wanted))

    async def _pieces(self, dataset: str, wanted: Wanted) -> AsyncIterator[bytes]:
        for piece in DATASETS[dataset](self._source, wanted):
            yield piece


class Collector:
    """The collector that listens at `url`; `token` is the administrator's."""

    def __init__(self, url: str, token: str | None, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url.rstrip("/"), session
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def open(self, dataset: str, wanted: Wanted) -> AsyncIterator[Opened]:
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
                yield Opened(_about(answer, self._url), _whole_lines(answer.content))
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            reason = type(error).__name__
            raise UserError(f"No collector answers at {self._url} ({reason}): check --collector.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = type(error).__name__
            raise UserError(f"The export from {self._url} ended early ({reason}); nothing was kept of it.") from error


def read_token(path: Path) -> str:
    """The admin token that a file holds. Raises UserError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The admin token cannot be read from {path}; it is in DATA/{TOKEN_FILE}.") from error


async def export_from(
    order: Order, data: Path | None, url: str | None, token: str | None, rules: Rules, say: Say
) -> None:
    """From the collector at `url`; or from the directory `data`, through the collector that runs there, if one does.

    Raises UserError.
    """
    if url is None:
        url = await _from_files(order, data, token, rules, say)
    if url is not None:
        async with aiohttp.ClientSession() as session:
            await export(order, Collector(url, token, session), say)


async def _from_files(order: Order, data: Path | None, token: str | None, rules: Rules, say: Say) -> str | None:
    """None when it is done; the address of the collector that holds the files, when one does. Raises UserError."""
    if data is None or not (data / LOG_FILE).exists():
        raise UserError("Give --data, the directory of a collector, or --collector, the address of one that runs.")
    try:
        with opened(Options(data=data), rules) as parts:
            if token is not None and not hmac.compare_digest(token.encode(), admin_token(data).encode()):
                raise UserError(f"That is not the admin token of {data}; it is in {data / TOKEN_FILE}.")
            await export(order, OwnFiles(Source(log=parts.log, warehouse=parts.warehouse)), say)
    except Held as held:
        if held.address is None:
            raise
        return held.address
    return None


async def export(order: Order, origin: Origin, say: Say) -> None:
    """Makes the directory, and says how far it is. Raises UserError."""
    write, datasets = FORMATS[order.format]
    allowed = [dataset for dataset in datasets if order.wanted.full or dataset in PUBLIC]
    if not allowed:
        raise UserError("Measurements are of single lines: give --admin-token, or export cells as csv.")
    files: list[Files] = []
    with _appearing(order.out) as directory:
        for dataset in allowed:
            async with origin.open(dataset, order.wanted) as opened:
                about = opened.about
                files.append(await write(_told(opened.pieces, dataset, say), dataset, directory, order.wanted.full))
        descriptor = describe(directory, files, order.wanted, about, publisher=order.publisher, now_ms=order.now_ms)
        text = msgspec.json.format(msgspec.json.encode(descriptor), indent=2)
        (directory / DESCRIPTOR).write_bytes(text + b"\n")
    _tell_end(order, files, about, say)


def _tell_end(order: Order, files: list[Files], about: About, say: Say) -> None:
    for each in files:
        say(f"{each.dataset}: {each.rows} in {len(each.paths)} file{'' if len(each.paths) == 1 else 's'}")
    if about.unjudged:
        say(f"{about.unjudged} batches are not judged yet, and not in it: export again when the collector caught up.")
    if not any(each.rows for each in files):
        this, other = ("simulated", "without") if order.wanted.simulated else ("measured", "with")
        say(
            f"It is empty: of what was {this} there and then, nothing may be shown. Choose another interval or"
            f" --country, or export {other} --simulated."
        )
    say(f"{order.out} is a data package; {DESCRIPTOR} says how to cite it.")


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A directory to fill, which becomes `out` at the end, or nothing. Raises UserError."""
    partial = out.with_name(out.name + ".partial")
    try:
        if out.exists():
            raise UserError(f"{out} exists: give a directory that does not, for an export is a whole.")
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        os.rename(partial, out)
    except OSError as error:
        raise UserError(f"The export cannot be written to {out}: {error.strerror}.") from error


class _When(Struct):
    """Where a row of whichever data set says when it was."""

    hour: str = ""
    started: str = ""
    measurement_start_time: str = ""


async def _told(pieces: Pieces, dataset: str, say: Say) -> AsyncIterator[bytes]:
    """The same pieces, and now and then how far they are."""
    rows, told = 0, time.monotonic()
    async for piece in pieces:
        rows += piece.count(b"\n")
        if piece and time.monotonic() - told >= TELL_EVERY_S:
            when = msgspec.json.decode(piece[piece.rfind(b"\n", 0, -1) + 1 :], type=_When)
            day = (when.hour or when.started or when.measurement_start_time)[:10]
            say(f"{dataset}: {rows} up to {day} …")
            told = time.monotonic()
        yield piece


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
            rules_version=int(answer.headers[RULES_HEADER]), unjudged=int(answer.headers.get(UNJUDGED_HEADER, "0"))
        )
    except (KeyError, ValueError) as error:
        raise UserError(f"What answers at {url} is no collector that exports.") from error


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "what answers there is no collector."
