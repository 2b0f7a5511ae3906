"""`ringback-collector rotate-key`: another key to sign receipts with, for which the old one vouches."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from collector.commands.arguments import add_data, say
from collector.facts.collector_key import rotate
from collector.instance import held, require_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Sign receipts with another key from now on; probes that know the old one follow."""
    require_log(arguments.data)
    with held(arguments.data):
        say(f"The collector's key is now {rotate(arguments.data).key}. Back up the data directory: it holds the key.")
    return 0
