"""Simulated lines send what they measured through a collector's real ingest API: sealed, signed, one key a line.

Each upload names its line's address in X-Forwarded-For, as a proxy would; the collector has to trust this machine as
one (`--trusted-proxy`), to know the episode's networks (`--networks`) and its controls (`--control-key`).

Keys come from a secret of the simulation's own. Were they the episode's, anybody could sign as its controls.
"""

from __future__ import annotations

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.front.batches import CONTENT_TYPE
from collector.replay.episode import Episode, Line
from collector.replay.simulate import Cycle
from probe import __version__
from probe import targets as targets_file
from probe.codecs.seal import encode, seal
from probe.failure import UserError
from probe.model import BatchHeader, ControlMeasurement, Targets

SOFTWARE = f"ringback {__version__} simulated"
ATTEMPTS = 6
LONGEST_PAUSE_S = 10.0
TRANSIENT = frozenset({408, 429, 503})

Sleep = Callable[[float], Awaitable[None]]


class Key:
    """A simulated line's key pair."""

    def __init__(self, secret: bytes, line: Line) -> None:
        seed = hmac.digest(secret, line.name.encode(), "sha256")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw().hex()

    def seal(self, cycle: Cycle, targets: Targets) -> bytes:
        """A batch, as a probe would send it; the same cycle gives the same bytes."""
        header = BatchHeader(
            format=1,
            key=self.public,
            batch=cycle.measurements[0].cycle,
            sealed_ms=cycle.sealed_ms,
            software=SOFTWARE,
            targets=targets.digest,
        )
        return seal(header, [encode(each) for each in cycle.measurements], self._private.sign)


def control_keys(episode: Episode, secret: bytes) -> tuple[str, ...]:
    """The public keys of the episode's controls, for `--control-key`."""
    return tuple(Key(secret, line).public for line in episode.controls)


class Unreachable(UserError):
    """The collector does not answer, or not to the end."""


class Uploads:
    """Uploads to the collector at `url`. Raises UserError when it is none, or refuses."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, secret: bytes, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._url, self._session, self._secret, self._sleep = url.rstrip("/"), session, secret, sleep
        self._keys: dict[str, Key] = {}

    async def targets(self) -> Targets:
        """The targets that this collector gives out."""
        return targets_file.parse(await self._get("/v1/targets"), f"the targets file of {self._url}")

    async def send(self, cycle: Cycle, targets: Targets) -> int:
        """Sends one line's batch; returns how many measurements are on the collector's disk because of it."""
        line = cycle.line
        key = self._keys.get(line.name) or self._keys.setdefault(line.name, Key(self._secret, line))
        headers = {"Content-Type": CONTENT_TYPE, "X-Forwarded-For": line.address}
        data = key.seal(cycle, targets)
        status, body = await self._post(data, headers)
        if status != 200:
            raise UserError(f"The collector at {self._url} refused simulated measurements: {_message(body)}")
        return _stored(body, self._url)

    async def _post(self, data: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Posts as a probe does: waits for a collector that is away or busy, though not for ever."""
        for attempt in range(ATTEMPTS - 1):
            with suppress(Unreachable):
                status, body = await self._ask("POST", "/v1/batches", data, headers)
                if status not in TRANSIENT:
                    return status, body
            await self._sleep(min(LONGEST_PAUSE_S, 2.0**attempt) * random.random())
        return await self._ask("POST", "/v1/batches", data, headers)

    async def check(self, cycle: Cycle) -> None:
        """Whether the collector takes a control of the episode's, whose cycle it has, for what it is."""
        first, line = cycle.measurements[0].started_ms, cycle.line
        body = await self._get(f"/v1/controls?since={first}&until={cycle.sealed_ms}")
        key = self._keys[line.name].public
        seen = _controls(body, self._url)
        found = next((each for each in seen if each.key == key), None)
        if found is None or found.network != line.place.network:
            what = "does not know the episode's controls" if found is None else "knows no network of the episode's"
            raise UserError(
                f"The collector at {self._url} {what}: start it as `ringback-collector replay … --prepare` says."
            )

    async def _get(self, path: str) -> bytes:
        status, body = await self._ask("GET", path)
        if status != 200:
            raise UserError(f"{self._url}{path} answers {status}: {_message(body)}")
        return body

    async def _ask(
        self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            async with self._session.request(method, f"{self._url}{path}", data=data, headers=headers) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = type(error).__name__
            raise Unreachable(
                f"No collector answers at {self._url} ({reason}): see that it runs, and replay again to go on."
            ) from error


def _stored(body: bytes, url: str) -> int:
    """How many measurements a collector says that it keeps. Raises UserError: a page to sign in says 200 as well."""
    try:
        return int(msgspec.json.decode(body)["stored"])
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"What answers at {url} is no collector: check --collector.") from error


def _controls(body: bytes, url: str) -> list[ControlMeasurement]:
    """What the collector says that controls saw. Raises UserError."""
    try:
        return [msgspec.json.decode(each, type=ControlMeasurement) for each in body.splitlines()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"What answers at {url} is no collector: check --collector.") from error


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return "what answers there is no collector."
