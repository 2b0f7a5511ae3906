"""The demo's collector: the parts of `ringback-collector serve`, with two doors.

Volunteers upload to an address in the lab's world, from their own addresses, by which it knows their networks. People
look at it on this machine's loopback: that socket was opened outside of the demo's namespaces and is handed in.

A line on stdin asks for the page: once all that was received is judged, it is written to DIRECTORY/page.html and its
path is said on stdout. The end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import msgspec
from aiohttp import web
from msgspec import Struct

from collector.front.access import ACCESS, OwnerAccess, admin_token
from collector.front.connections import Site
from collector.front.executors import add_executors
from collector.front.listening import listening, open_socket
from collector.front.page.page import render
from collector.front.server import routes_for_programs, runner
from collector.instance import Options, Parts, now_ms, opened
from collector.judging.rules import RULES
from probe import durable
from tests.lab.fork import enter

LOOK_S = 0.1


class Doors(Struct, frozen=True, kw_only=True):
    """What it is started with, as JSON on the command line."""

    data: str  # paths
    networks: str
    targets: str
    control_keys: tuple[str, ...]
    page_socket: int  # a file descriptor
    world: str  # a namespace
    address: str
    port: int


def main(words: list[str]) -> None:
    doors = msgspec.json.decode(words[0], type=Doors)
    people = socket.socket(fileno=doors.page_socket)
    enter(doors.world)
    data, networks, targets = Path(doors.data), Path(doors.networks), Path(doors.targets)
    options = Options(data=data, networks=networks, targets=targets, control_keys=doors.control_keys, simulated=True)
    with (
        durable.for_the_owner_alone(),
        opened(options, RULES) as parts,
        open_socket(doors.address, doors.port) as volunteers,
    ):
        asyncio.run(_serve(parts, options, people, volunteers))


async def _serve(parts: Parts, options: Options, people: socket.socket, volunteers: socket.socket) -> None:
    async with listening(parts, options, people):
        served = runner(_for_volunteers(parts, options))
        await served.setup()
        try:
            await Site(served, volunteers).start()
            _say("ready")
            await _write_pages(parts, options.data / "page.html")
        finally:
            await served.cleanup()


def _for_volunteers(parts: Parts, options: Options) -> web.Application:
    """What probes ask for, and nothing else; the projector runs beside the page."""
    app = web.Application()
    app[ACCESS] = OwnerAccess(admin_token(options.data), now_ms)
    add_executors(app)
    app.add_routes(routes_for_programs(parts))
    return app


async def _write_pages(parts: Parts, path: Path) -> None:
    """One for each line that comes, until there are no more."""
    while await asyncio.to_thread(sys.stdin.readline):
        await _judged(parts)
        await asyncio.to_thread(_write_page, parts, path)
        _say(str(path))


async def _judged(parts: Parts) -> None:
    while True:
        if await asyncio.to_thread(parts.warehouse.cursor) >= parts.log.latest():
            return
        await asyncio.sleep(LOOK_S)


def _write_page(parts: Parts, path: Path) -> None:
    durable.write(path, render(parts.warehouse, parts.now_ms(), True).encode())


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
