"""`ringback-collector link`: the owner's link to the collector that runs, to be opened in a browser on its machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from collector.commands.arguments import add_data, say
from collector.front.access import TOKEN_FILE
from collector.front.listening import link_to
from collector.instance import running_at
from probe.failure import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Print a link that shows everything to the browser that opens it first, on this machine."""
    address = running_at(arguments.data)
    link = link_to(address, arguments.data)
    if link is None:
        raise UserError(
            f"The collector listens on {address} only, which is not reached from this machine alone: send the token in"
            f" {arguments.data / TOKEN_FILE}."
        )
    say(link)
    return 0
