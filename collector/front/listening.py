"""Listening: the sockets that the front stands on, from the address that was asked for until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

from yarl import URL

from collector.front import owner_link
from collector.front.access import OwnerAccess, admin_token
from collector.front.connections import Site
from collector.front.door import Door
from collector.front.limits import limits_for, raised_files
from collector.front.loop_faults import LoopFaults
from collector.front.server import create_app, runner
from collector.front.source import is_loopback, read_prefixes
from collector.instance import LOCK_FILE, Options, Parts, now_ms
from probe.failure import UserError

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what stands for all addresses → this machine's own


@asynccontextmanager
async def listening(parts: Parts, options: Options, sock: socket.socket) -> AsyncIterator[None]:
    """The collector serves on a bound socket while entered. Raises UserError."""
    await _keep_targets(parts)
    await asyncio.to_thread(parts.warehouse.feed, options.influx.identity if options.influx else None)
    limits = limits_for(raised_files(), read_prefixes(options.trusted_proxies))
    door = Door(limits, lambda why: parts.metrics.connections_ended.labels(why).inc())
    served = runner(create_app(parts, OwnerAccess(admin_token(options.data), now_ms), limits), door)
    asyncio.get_running_loop().set_exception_handler(LoopFaults())
    await served.setup()
    try:
        await Site(served, sock).start()
        (options.data / LOCK_FILE).write_text(address_of(sock))
        yield
    finally:
        await served.cleanup()


async def _keep_targets(parts: Parts) -> None:
    """Keeps the targets file: what probes are told to measure is judged by the file that told them."""
    try:
        await asyncio.to_thread(parts.kept_targets.put, parts.targets.digest, parts.targets.body)
    except OSError as error:
        raise UserError(f"--data cannot be written ({error.strerror}): free the disk that holds it.") from error


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose. Raises UserError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(f"Cannot listen on {host}:{port}: {error}. Give another address or port.") from error


def address_of(sock: socket.socket) -> str:
    """The base URL of what listens on a socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def link_to(address: str, data: Path) -> str | None:
    """The owner's link to the collector of `data` at this base URL; None where it is not reached from its own machine.

    Raises UserError.
    """
    url = URL(address)
    if (url.host or "") in EVERYWHERE:
        url = url.with_host(EVERYWHERE[url.host or ""])
    if not is_loopback(url.host or ""):
        return None
    return owner_link.link(str(url.origin()), admin_token(data), now_ms())


@asynccontextmanager
async def signalled() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C, SIGTERM and the closing of the terminal set."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def first_of(*waits: Awaitable[object]) -> None:
    """Waits for the first of several to end; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
