"""`ringback-collector verify`: whether the log is as it was received, also of a collector that runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from collector.commands.arguments import add_data, say
from collector.instance import require_log
from collector.log import soundness

EXIT_DAMAGED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Check every page of the log, and every batch's signature and digest; name what is wrong, and end with 1."""
    require_log(arguments.data)
    examined = [soundness.examine(path) for path in soundness.files(arguments.data)]
    faults = [fault for one in examined for fault in one.faults]
    for fault in faults:
        say(fault)
    what = f"{sum(one.batches for one in examined)} batches in {len(examined)} files"
    say(f"{what}: {f'{len(faults)} faults. Restore a backup.' if faults else 'all is as it was received.'}")
    return EXIT_DAMAGED if faults else 0
