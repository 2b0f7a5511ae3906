"""Sends what is in the spool to the collector, oldest first; what is not acknowledged stays.

Only the collector's own answer counts: a receipt (probe/codecs/receipt.py) of the key that was pinned lets a batch go,
`{"error":…,"message":…}` sets it aside. A login page that answers 200, whoever writes `{"stored":1}` without the key, a
proxy that answers 413 and a redirect to a warning say nothing about the batch, so it waits. A batch is sent again as
the same bytes: the collector knows them and says so.
"""

from __future__ import annotations

import asyncio
import logging
import random as chance
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from probe.codecs.receipt import PublicKey, Receipt, is_for, is_key, succeeds
from probe.codecs.seal import SealError, count_measurements
from probe.private_text import clean_text
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool

CONTENT_TYPE = "application/vnd.ringback.batch+gzip"
REFUSALS = frozenset({400, 409, 413, 422})
TRANSIENT = frozenset({408, 429})
TIMEOUT_S = 30.0
CONNECT_S = 10.0
ATTEMPTS = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0
ANSWER_BYTES = 16_384

T = TypeVar("T")

logger = logging.getLogger(__name__)


class UploadReport(Struct, frozen=True):
    """The numbers of batches; `reason` is why some were left, None if none was."""

    sent: int = 0
    refused: int = 0
    left: int = 0
    reason: str | None = None


class Error(Struct):
    error: str
    message: str = ""


class Outcome(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FOREIGN = "foreign"  # not the collector's answer: another batch may fare better, the same one now will not
    TRANSIENT = "transient"


class Answer(Struct, frozen=True):
    outcome: Outcome
    reason: str = ""
    retry_after_s: float = 0.0
    receipt: Receipt | None = None  # one that is still to be believed


async def upload(
    spool: Spool,
    collector: Collector,
    pins: Pins,
    *,
    session: aiohttp.ClientSession,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Callable[[], float] = chance.random,
    attempts: int = ATTEMPTS,
) -> UploadReport:
    """Tries each waiting batch. A collector that is dead, or is not one, ends it early; it never raises for that.

    `random` gives floats in [0, 1); `attempts` bounds the tries of one batch, and the batches in a row to which
    something else than a collector answers. Raises UserError when the pinned keys cannot be read or kept.
    """
    sent = refused = foreign = 0
    reason = None
    for path in spool.pending():
        data = spool.read(path)
        if data is None:
            continue
        answer = await _send(data, f"{collector.url.rstrip('/')}/v1/batches", session, sleep, random, attempts)
        if answer.receipt is not None:
            answer = await _believed(answer.receipt, data, collector, pins, session)
        if answer.outcome is Outcome.ACCEPTED:
            spool.accepted(path)
            sent, foreign = sent + 1, 0
        elif answer.outcome is Outcome.REFUSED:
            logger.warning("The collector refused batch %s: %s", path.stem, answer.reason)
            spool.refused(path, answer.reason)
            refused, foreign = refused + 1, 0
        else:
            reason, foreign = answer.reason, foreign + 1
            if answer.outcome is Outcome.TRANSIENT or foreign >= attempts:
                break
    return UploadReport(sent, refused, len(spool.pending()), reason)


async def _send(
    data: bytes,
    url: str,
    session: aiohttp.ClientSession,
    sleep: Callable[[float], Awaitable[None]],
    random: Callable[[], float],
    attempts: int,
) -> Answer:
    """Sends one batch, until there is an answer that is not transient or `attempts` are used up."""
    answer = await _post(session, url, data)
    for tried in range(1, attempts):
        if answer.outcome is not Outcome.TRANSIENT:
            break
        # Full jitter: probes that a broken collector cut off together must not come back together.
        pause = random() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tried)
        await sleep(answer.retry_after_s + pause)
        answer = await _post(session, url, data)
    return answer


async def _post(session: aiohttp.ClientSession, url: str, data: bytes) -> Answer:
    headers = {"Content-Type": CONTENT_TYPE, "Accept-Encoding": "identity"}
    limit = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S)
    try:
        async with session.post(url, data=data, headers=headers, allow_redirects=False, timeout=limit) as response:
            return _judge(response, await _read(response.content))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        # The class only: texts of exceptions carry addresses.
        return Answer(Outcome.TRANSIENT, f"no answer ({type(error).__name__})")


async def _believed(
    receipt: Receipt, data: bytes, collector: Collector, pins: Pins, session: aiohttp.ClientSession
) -> Answer:
    """What a receipt is worth: it must be for these very bytes, and by the key of this collector."""
    try:
        lines = count_measurements(data)
    except SealError:
        return Answer(Outcome.FOREIGN, "a receipt for what is no batch")
    if not is_for(receipt, data, lines):
        return Answer(Outcome.FOREIGN, "a receipt that is not for this batch")
    if await is_believed(receipt.key, collector, pins, session):
        return Answer(Outcome.ACCEPTED)
    return Answer(Outcome.FOREIGN, "a receipt by another key than the collector's: see `ringback doctor`")


async def is_believed(key: str, collector: Collector, pins: Pins, session: aiohttp.ClientSession) -> bool:
    """Whether this is the collector's key: told, pinned, its successor by hand-over, or the first that it shows.

    It is pinned from then on. Raises UserError when the pins cannot be read or kept.
    """
    kept = pins.key(collector.url)
    known = {kept, collector.key} - {None}
    if known and key not in known and not await _follows(key, known, collector.url, session):
        return False
    if kept != key:
        pins.pin(collector.url, key)
    return True


async def _follows(key: str, known: Iterable[str | None], url: str, session: aiohttp.ClientSession) -> bool:
    said = await public_key(url, session)
    return said is not None and any(succeeds(key, each, said.hand_overs) for each in known if each)


async def public_key(url: str, session: aiohttp.ClientSession) -> PublicKey | None:
    """What the collector says of its key; None when nothing does that is a collector of today."""
    limit = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S)
    try:
        async with session.get(f"{url.rstrip('/')}/v1/key", allow_redirects=False, timeout=limit) as response:
            said = _decode(await _read(response.content), PublicKey) if response.status == 200 else None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    return said if said is not None and is_key(said.key) else None


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The body, or so much of it that it cannot be a collector's."""
    body = b""
    while len(body) <= ANSWER_BYTES and (chunk := await content.read(ANSWER_BYTES)):
        body += chunk
    return body


def _judge(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    status = response.status
    if status in TRANSIENT or status >= 500:
        return Answer(Outcome.TRANSIENT, f"HTTP {status}", _retry_after(response.headers.get("Retry-After", "")))
    if status == 200 and (receipt := _decode(body, Receipt)) is not None:
        return Answer(Outcome.FOREIGN, receipt=receipt)
    if status in REFUSALS and (refusal := _decode(body, Error)) is not None:
        return Answer(Outcome.REFUSED, clean_text(f"{refusal.error}: {refusal.message}"))
    return Answer(Outcome.FOREIGN, f"HTTP {status}, not a collector's answer")


def _decode(body: bytes, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=shape)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _retry_after(text: str) -> float:
    """The seconds that the collector asks us to wait, within reason; a date counts as no wish."""
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0.0
