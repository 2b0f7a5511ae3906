"""A collector of a replay's own: simulated measurements get a log, a clock and a directory that hold nothing else.

    DIR/replay.secret  networks.csv  and what any collector keeps

Its clock is the story's: it stands at the last hour that was played, and goes on from there.
"""

from __future__ import annotations

import asyncio
import csv
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from collector.facts.networks import COLUMNS
from collector.front.listening import address_of, first_of, link_to, listening, open_socket, signalled
from collector.influx.forwarder import Forwarder
from collector.instance import Options, Parts, holds_log, is_judged
from collector.replay import story
from collector.replay.episode import Episode
from collector.replay.play import Followed, Pace, Played, Reached, nobody_follows, play
from collector.replay.sending import Uploads, control_keys
from probe.failure import UserError

SECRET_FILE = "replay.secret"
SECRET_BYTES = 32
NETWORKS_FILE = "networks.csv"
HERE = "127.0.0.1"
STALLED_S = 60.0
LOOK_S = 0.05  # between two looks at how far judging is

Say = Callable[[str], None]


class StoryClock:
    """The story's clock, in milliseconds: it goes on from the moment to which it was moved."""

    def __init__(self, start_ms: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.move(start_ms)

    def move(self, moment_ms: int) -> None:
        """Sets the clock to this moment."""
        self._moment_ms, self._since = moment_ms, self._monotonic()

    def now_ms(self) -> int:
        return self._moment_ms + round((self._monotonic() - self._since) * 1000)


def prepare(directory: Path, episode: Episode) -> bytes:
    """Makes the directory of a replay where it lacks; returns the secret of its keys. Raises UserError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_networks(directory / NETWORKS_FILE, episode)
        return _secret(directory)
    except OSError as error:
        raise UserError(f"The directory {directory} cannot be used: {error.strerror}. Give another.") from error


def _write_networks(path: Path, episode: Episode) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for place in episode.places():
            rows.writerow((place.prefix, place.network.asn, place.network.country, place.network.operator))


def _secret(directory: Path) -> bytes:
    path = directory / SECRET_FILE
    if not path.exists():
        if holds_log(directory):
            raise UserError(f"{directory} holds real measurements: give an empty directory for simulated ones.")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise UserError(f"{path} is damaged: delete the directory, and replay again.")
    return secret


def serve_words(directory: Path, episode: Episode, secret: bytes) -> str:
    """The command that starts another collector so that it takes this episode for what it is."""
    controls = " ".join(f"--control-key {key}" for key in control_keys(episode, secret))
    return (
        f"ringback-collector serve --simulated --data ANOTHER_DIR --listen HOST:PORT "
        f"--networks {directory / NETWORKS_FILE} --trusted-proxy ADDRESS_OF_THIS_MACHINE {controls}"
    )


def options_for(options: Options, episode: Episode, secret: bytes) -> Options:
    """The options of a replay's own collector."""
    return replace(
        options,
        networks=options.data / NETWORKS_FILE,
        control_keys=control_keys(episode, secret),
        simulated=True,
        trusted_proxies=(f"{HERE}/32",),
    )


class Playback(Struct, frozen=True, kw_only=True):
    """What is played, and how. `when` are moments in ms; with a `port` the page stays there, on 127.0.0.1."""

    episode: Episode
    when: Sequence[int]
    secret: bytes
    pace: Pace
    port: int | None = None
    until_ms: int | None = None  # up to when it is told; None: to its end


async def run(playback: Playback, parts: Parts, options: Options, clock: StoryClock, say: Say) -> None:
    """Plays into `parts`, until Ctrl-C at the latest. Raises UserError.

    The one proxy is this program, and it marks what it sends.
    """
    for words in story.begins(playback.episode, playback.when[0], playback.until_ms or playback.episode.until_ms):
        say(words)
    with open_socket(HERE, playback.port or 0) as sock:
        async with listening(parts, options, sock), signalled() as stopped:
            page = f"{address_of(sock)}/"
            if playback.port:
                say(f"Open {link_to(address_of(sock), options.data)} once; it leads to {page}.")
                say("Reload that as the replay advances.")
            playing = asyncio.create_task(_play(playback, address_of(sock), parts, clock))
            await first_of(playing, stopped.wait())
            if stopped.is_set():
                return
            say(f"{playing.result().measurements} simulated measurements: {playback.episode.title}.")
            if parts.forwarder is not None:
                await first_of(_written(parts.forwarder, say), stopped.wait())
            if playback.port:
                say(f"Replay finished. {page} stays up until Ctrl-C.")
                await stopped.wait()


async def _written(forwarder: Forwarder, say: Say) -> None:
    if await forwarder.finished():
        say("InfluxDB has all of it.")
    else:
        say(f"InfluxDB does not have all of it yet: {forwarder.error}")


async def _play(playback: Playback, url: str, parts: Parts, clock: StoryClock) -> Played:
    sent = 0

    async def followed() -> None:
        """Waits until what was sent before the last moment is judged: so the page is never far behind its clock."""
        nonlocal sent
        await _caught_up(parts, lambda: parts.warehouse.cursor() >= sent)
        sent = parts.log.latest()

    played = await send(playback.episode, playback.when, url, playback.secret, playback.pace, clock.move, followed)
    await _caught_up(parts, lambda: is_judged(parts.warehouse, parts.log.latest()))
    return played


async def _caught_up(parts: Parts, has: Callable[[], bool]) -> None:
    """Waits until judging has come so far, for as long as nothing stands in its way. Raises UserError."""
    while not has():
        before = parts.warehouse.cursor()
        await _until(lambda: has() or parts.warehouse.cursor() > before)  # noqa: B023 - called before it changes
        reason = parts.projector.error
        if reason is not None and parts.warehouse.cursor() == before and not has():
            raise UserError(f"The simulated measurements are kept but not judged ({reason}): replay again to go on.")
    if held := parts.projector.quarantined:  # of a story every measurement can be judged, or a rule is broken
        reasons = ", ".join(f"{count} × {fault}" for fault, count in sorted(held.items()))
        raise UserError(f"Some simulated measurements cannot be judged ({reasons}): report it, with the log.")


async def _until(has: Callable[[], bool]) -> None:
    """At most STALLED_S."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STALLED_S):
            while True:
                if await asyncio.to_thread(has):
                    return
                await asyncio.sleep(LOOK_S)


async def send(
    episode: Episode,
    when: Sequence[int],
    url: str,
    secret: bytes,
    pace: Pace,
    reached: Reached = lambda _: None,
    followed: Followed = nobody_follows,
) -> Played:
    """Plays into the collector at `url`. Raises UserError."""
    async with aiohttp.ClientSession() as session:
        uploads = Uploads(url, session, secret)
        return await play(episode, when, uploads, reached=reached, followed=followed, pace=pace)
