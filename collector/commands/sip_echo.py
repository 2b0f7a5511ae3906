"""`ringback-collector sip-echo`: the SIP echo helper, until a signal ends it. It keeps nothing."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from collector.commands.arguments import host_and_port, say
from collector.echo import sip
from collector.front.listening import signalled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", metavar="HOST:PORT", default="0.0.0.0:5060")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Answer SIP with what reached us, byte for byte, for the probes' handshake sip-echo: over UDP and TCP."""
    asyncio.run(_answer(*host_and_port(arguments.listen)))
    return 0


async def _answer(host: str, port: int) -> None:
    async with sip.listening(host, port) as address, signalled() as stopped:
        say(f"Answering SIP on {address}, over UDP and TCP.")
        await stopped.wait()
