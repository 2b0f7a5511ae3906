"""`ringback-collector restore FROM`: a data directory of a backup."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from collector.commands.arguments import add_data, say
from collector.log.backup import restore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("saved", metavar="FROM", type=Path, help="directory that `backup` made")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Put a backup into an empty data directory; the rest is made again when the collector starts."""
    days = restore(arguments.saved, arguments.data)
    say(f"Restored: {days} days of the log. Start the collector on {arguments.data}.")
    return 0
