"""`ringback-collector rebuild`: the warehouse made again of the log."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from collector.commands.arguments import add_data, add_outside, add_targets, options, say
from collector.instance import opened, require_log
from collector.judging.rules import RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    add_targets(parser)
    add_outside(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Index and judge the whole log again, into a new warehouse that takes the place of the old one."""
    require_log(arguments.data)
    with opened(options(arguments), RULES) as parts:
        parts.index.clear()
        parts.projector.rebuild()
        say(f"Judged again, up to batch {parts.warehouse.cursor()}.")
    return 0
