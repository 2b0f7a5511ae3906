"""`ringback-collector backup OUT`: what cannot be made again, also of a collector that runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from collector.commands.arguments import add_data, say
from collector.instance import require_log
from collector.log.backup import backup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("out", metavar="OUT", type=Path, help="directory to create")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Copy the log, the targets files and the keys; the collector may go on receiving. Keep it from others."""
    require_log(arguments.data)
    days = backup(arguments.data, arguments.out)
    say(f"Backed up: {days} days of the log, and the collector's key, in {arguments.out}.")
    return 0
