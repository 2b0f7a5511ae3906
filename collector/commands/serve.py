"""`ringback-collector serve`: a collector for volunteers, until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from collector.commands.arguments import (
    add_data,
    add_keep_bodies,
    add_outside,
    add_targets,
    add_trust_clock,
    host_and_port,
    options,
    say,
    tell_of_networks,
)
from collector.front.access import TOKEN_FILE
from collector.front.listening import address_of, link_to, listening, open_socket, signalled
from collector.influx import settings
from collector.instance import Options, Parts, glance_at_log, opened
from collector.judging.rules import RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    add_data(parser)
    add_targets(parser)
    add_outside(parser)
    add_trust_clock(parser)
    add_keep_bodies(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", required=True)
    parser.add_argument("--simulated", action="store_true", help="accept only what a replay or a lab sends")
    parser.add_argument(
        "--trusted-proxy", metavar="CIDR", action="append", default=[], help="trust X-Forwarded-For from these"
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Receive batches until Ctrl-C or SIGTERM."""
    given = options(arguments)
    with opened(given, RULES, apart=True) as parts:
        glance_at_log(given.data)
        asyncio.run(_serve(parts, given, *host_and_port(arguments.listen)))
    return 0


async def _serve(parts: Parts, given: Options, host: str, port: int) -> None:
    with open_socket(host, port) as sock:
        async with listening(parts, given, sock), signalled() as stopped:
            say(f"Listening on {address_of(sock)}. Admin token: {given.data / TOKEN_FILE}")
            tell_of_networks(parts, given)
            link = link_to(address_of(sock), given.data)
            if link is not None:
                say(f"Everything, for you, on this machine, once: {link}")
            await stopped.wait()
