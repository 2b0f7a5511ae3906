"""`ringback-collector local`: a collector for one's own line, with the probe as its child, both ended together.

Everything stays on this machine: the collector listens on 127.0.0.1, and the probe is told to upload there.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from collector.commands.arguments import (
    add_data,
    add_keep_bodies,
    add_outside,
    add_targets,
    add_trust_clock,
    options,
    say,
    tell_of_networks,
)
from collector.front.listening import address_of, first_of, link_to, listening, open_socket, signalled
from collector.front.page.page import Instance, render
from collector.influx import settings
from collector.instance import Options, Parts, glance_at_log, judged, opened
from collector.judging.rules import RULES
from probe import durable
from probe.failure import UserError

HOST, PORT = "127.0.0.1", 8321
PORTS_TRIED = 20  # how many are tried from the wanted one on
PROJECTION_S = 60.0  # for the page of --once to wait for what was just measured

Say = Callable[[str], None]
Command = Callable[["Local", str], list[str]]  # how to start the probe for the collector at an address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    add_data(parser)
    add_targets(parser)
    add_outside(parser)
    add_trust_clock(parser)
    add_keep_bodies(parser)
    parser.add_argument("--once", action="store_true", help="measure once, write the page, and exit")
    parser.add_argument("--port", type=int, default=PORT, help=f"port (default: {PORT} or the next free one)")
    parser.epilog = "Other options are the probe's: see `ringback run --help`."


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Measure one's own line and look at the result, all on this machine."""
    given = options(arguments)
    local = Local(options=given, once=arguments.once, port=arguments.port, probe=tuple(rest))
    with opened(given, RULES, apart=True) as parts:
        glance_at_log(given.data)
        return asyncio.run(measure(local, parts, say))


class Local(Struct, frozen=True, kw_only=True):
    """The options of the command; `probe` are the words for the probe's own command line."""

    options: Options
    once: bool = False
    port: int = PORT
    probe: tuple[str, ...] = ()
    child_ends_s: float = 10.0  # after which it is killed


def probe_command(local: Local, address: str) -> list[str]:
    """Starts the probe to measure for the collector at `address`."""
    verb = "check" if local.once else "run"
    where = ["--collector", address, "--data-dir", str(local.options.data / "probe")]
    targets = ["--targets", str(local.options.targets)] if local.options.targets else []
    return [sys.executable, "-m", "probe.cli", verb, *where, *targets, *local.probe]


async def measure(local: Local, parts: Parts, say: Say, command: Command = probe_command) -> int:
    """The collector and its probe run until Ctrl-C or SIGTERM (then 0), or until the probe ends (then its exit code).

    Says where the page is: an address as soon as something stands on it; with `once` a file at the end.
    """
    with next_free_socket(local.port) as sock:
        address = address_of(sock)
        async with listening(parts, local.options, sock), signalled() as stopped:
            tell_of_networks(parts, local.options)
            child = await _start(command(local, address))
            announcing = None if local.once else asyncio.create_task(_announce(local, parts, address, say))
            try:
                await first_of(child.wait(), stopped.wait())
                if child.returncode is not None and local.once:
                    say(f"What was measured on this line: {await _page(local, parts)}")
                    if parts.forwarder is not None:
                        await parts.forwarder.finished()  # where it fails, what lacks is written next time
                return child.returncode or 0
            finally:
                if announcing is not None:
                    announcing.cancel()
                await _end(child, local.child_ends_s)


def next_free_socket(port: int) -> socket.socket:
    """A listening socket on this machine's `port`, or on the next free one. Raises UserError."""
    for candidate in range(port, port + PORTS_TRIED):
        with suppress(UserError):
            return open_socket(HOST, candidate)
    raise UserError(f"The ports from {port} to {port + PORTS_TRIED - 1} of {HOST} are in use: give another --port.")


async def _start(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Starts the child in a process group of its own: Ctrl-C reaches it through us, once, and in order."""
    return await asyncio.create_subprocess_exec(*command, process_group=0)


async def _end(child: asyncio.subprocess.Process, limit_s: float) -> None:
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(limit_s):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _announce(local: Local, parts: Parts, address: str, say: Say) -> None:
    """Says where the page is once something of this run stands on it."""
    await judged(parts, parts.log.latest() + 1)
    say(f"What was measured on this line: {link_to(address, local.options.data)}")
    say(f"This link opens once; `ringback-collector link --data {local.options.data}` prints another.")


async def _page(local: Local, parts: Parts) -> Path:
    """Writes the page, when all that was received is judged. Raises UserError."""
    await _caught_up(parts)
    path = local.options.data / "page.html"
    instance = Instance(parts.simulated, credits=parts.networks.credits)
    text = await asyncio.to_thread(render, parts.warehouse, parts.now_ms(), True, "", None, instance)
    try:
        durable.write(path, text.encode())
    except OSError as error:
        raise UserError(f"The page {path} cannot be written: {error.strerror}.") from error
    return path


async def _caught_up(parts: Parts) -> None:
    """Waits until all that was received is judged. Raises UserError when that takes too long."""
    try:
        async with asyncio.timeout(PROJECTION_S):
            await judged(parts, parts.log.latest())
    except TimeoutError:
        reason = parts.projector.error or "there is too much of it"
        raise UserError(f"The measurements are kept but not judged yet ({reason}): start again to see them.") from None
