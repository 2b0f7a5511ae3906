"""`ringback-collector verify`: whether the log is as it was received, also of a collector that runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from collector.commands.arguments import add_data, say
from collector.instance import LOG_DIRECTORY, require_log
from collector.log import freezes, soundness

EXIT_DAMAGED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Check every page of the log, each batch and what is frozen by its digest; name what is wrong, end with 1."""
    require_log(arguments.data)
    examined = [soundness.examine(path) for path in soundness.files(arguments.data)]
    faults = [*(fault for one in examined for fault in one.faults), *freezes.faults(arguments.data / LOG_DIRECTORY)]
    for fault in faults:
        say(fault)
    what = f"{sum(one.batches for one in examined)} batches in {len(examined)} files"
    gone = sum(one.gone for one in examined)
    older = f" {gone} more went when they were old." if gone else ""
    say(f"{what}: {f'{len(faults)} faults. Restore a backup.' if faults else 'all is as it was received.'}{older}")
    return EXIT_DAMAGED if faults else 0
